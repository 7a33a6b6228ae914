import pytest
from django.test import Client
from pytest_django import Settings

from crm.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def token_of(client: Client, username: str) -> int:
    credentials = {"username": username, "password": PASSWORD}
    return client.post("/api/auth/token", credentials, content_type="application/json").status_code


@pytest.mark.parametrize(("debug", "status"), [(True, 200), (False, 401)])
def test_the_demo_signs_in_only_while_debug_is_on(client: Client, settings: Settings, debug: bool, status: int) -> None:
    demo = make_user(is_demo=True)
    settings.DEBUG = debug

    assert client.login(username=demo.username, password=PASSWORD) is debug
    assert token_of(client, demo.username) == status


def test_a_session_of_the_demo_ends_with_debug(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    assert client.login(username=make_user(is_demo=True).username, password=PASSWORD)

    settings.DEBUG = False

    assert client.get("/messages/onlyfans").status_code == 302


def test_everybody_else_signs_in_whatever_debug_is(client: Client, settings: Settings) -> None:
    settings.DEBUG = False

    assert token_of(client, make_user().username) == 200
