"""Sessions that say whose they are."""

from datetime import timedelta

import pytest
from django.contrib.auth import SESSION_KEY

from crm.clock import database_now
from crm.models import Session
from crm.models.sessions import SessionStore
from crm.tests.factories import make_user

pytestmark = pytest.mark.django_db


def test_a_session_is_somebodys_once_they_have_signed_in_and_keeps_when_it_began() -> None:
    user, store = make_user(), SessionStore()
    store.save()
    assert Session.objects.get().user is None
    began = Session.objects.get().began_at

    store[SESSION_KEY] = str(user.pk)
    store.save()

    session = Session.objects.get()
    assert (session.user, session.began_at) == (user, began)
    assert [*Session.objects.of(user, database_now())] == [session]
    assert not Session.objects.of(user, database_now() + timedelta(days=400)).exists()


def test_who_is_deleted_leaves_no_session_behind() -> None:
    user, store = make_user(), SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store.save()

    user.delete()

    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("browser", "device"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537 Chrome/140 Safari/537 Edg/140", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18 like Mac OS X) Version/18 Safari/604", "Safari, iPhone"),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/140 Mobile Safari/537", "Chrome, Android"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux"),
        ("curl/8", "A browser"),
        ("", "A browser"),
    ],
)
def test_a_browser_is_called_by_what_it_says_of_itself(browser: str, device: str) -> None:
    assert Session(browser=browser).device == device
