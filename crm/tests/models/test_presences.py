from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.models import Presence
from crm.tests.factories import make_conversation, make_creator, make_user

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def test_others_see_who_is_there_until_they_are_gone() -> None:
    mia, anna, now = make_user("mia"), make_user("anna"), database_now()
    conversation = make_conversation(make_creator(mia, anna))
    elsewhere = make_conversation(conversation.creator)

    Presence.objects.note(anna, conversation, is_writing=True, now=now)
    Presence.objects.note(mia, elsewhere, is_writing=False, now=now)

    there = Presence.objects.beside(mia, conversation, now=now + 30 * SECOND)
    assert [(presence.user, presence.is_writing) for presence in there] == [(anna, True)]
    assert not Presence.objects.beside(anna, conversation, now=now).exists()
    assert not Presence.objects.beside(mia, conversation, now=now + Presence.GONE_AFTER).exists()


def test_nobody_is_written_down_more_often_than_every_15_seconds() -> None:
    mia, now = make_user("mia"), database_now()
    one = make_conversation(make_creator(mia))
    other = make_conversation(one.creator)

    written = [
        Presence.objects.note(mia, conversation, is_writing=False, now=now + seconds * SECOND)
        for seconds, conversation in ((0, one), (1, one), (2, other), (14, one), (15, other), (16, one))
    ]

    assert written == [True, False, False, False, True, False]
    assert Presence.objects.get().conversation == other
