from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.models import EarlyNews, KeptReply, Session, SignInBucket
from crm.models.early import KEPT_FOR as NEWS_KEPT_FOR
from crm.models.replies import KEPT_FOR
from crm.tests.factories import make_creator, make_user
from crm.tidying import forget_expired

pytestmark = pytest.mark.django_db


def test_a_kept_reply_is_forgotten_after_its_day() -> None:
    now, user = database_now(), make_user()
    for key, age in {"young": KEPT_FOR - timedelta(minutes=1), "old": KEPT_FOR + timedelta(minutes=1)}.items():
        KeptReply.objects.create(user=user, route="/api/x", key=key, fingerprint="", created_at=now - age)

    forget_expired(now)

    assert KeptReply.objects.get().key == "young"


def test_a_session_is_forgotten_once_it_has_ended() -> None:
    now = database_now()
    for key, left in {"open": timedelta(minutes=1), "ended": timedelta(minutes=-1)}.items():
        Session.objects.create(session_key=key, session_data="", expire_date=now + left)

    forget_expired(now)

    assert Session.objects.get().session_key == "open"


def test_a_sign_in_bucket_is_forgotten_once_it_is_full() -> None:
    now = database_now()
    for key, left in {"empty": timedelta(minutes=1), "full": timedelta(minutes=-1)}.items():
        SignInBucket.objects.create(key=key, full_at=now + left)

    forget_expired(now)

    assert SignInBucket.objects.get().key == "empty"


def test_early_news_is_forgotten_when_its_message_never_came() -> None:
    now, creator = database_now(), make_creator()
    for platform_id, left in {"young": timedelta(minutes=1), "old": timedelta(minutes=-1)}.items():
        EarlyNews.objects.create(creator=creator, platform_id=platform_id, told_at=now - NEWS_KEPT_FOR + left)

    forget_expired(now)

    assert EarlyNews.objects.get().platform_id == "young"
