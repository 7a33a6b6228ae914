"""The page where an account is connected: what goes in, what never comes out, and the test."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Creator
from crm.tests.factories import make_creator, make_user
from onlyfans.models import Connection, Provider, ReadChat

pytestmark = pytest.mark.django_db

KEY = "ofapi_" + "k" * 30


@pytest.fixture
def mine() -> Creator:
    return make_creator(make_user("owner"))


@pytest.fixture
def owner(client: Client, mine: Creator) -> Client:
    client.force_login(mine.memberships.get().user)
    return client


def address(creator: Creator) -> str:
    return f"/platforms/connect/onlyfans/account/{creator.public_id}"


def said(client: Client, creator: Creator, **form: Any) -> str:
    """What the page says afterwards."""
    status = form.pop("status", 200)
    answer = client.post(address(creator), form, follow=True)
    assert answer.status_code == status
    return answer.content.decode()


def connected(creator: Creator, **values: str) -> Connection:
    connection = Connection(creator=creator, **({"account_id": "acct_1"} | values))
    connection.api_key = KEY
    connection.save()
    return connection


def test_an_account_is_connected_and_its_key_never_shown(owner: Client, mine: Creator) -> None:
    form = {"provider": "ofapi", "account_id": " acct_1 ", "api_key": KEY, "webhook_secret": "whsec_secret"}

    page = said(owner, mine, **form)

    connection = Connection.objects.get()
    assert (connection.account_id, connection.api_key, connection.webhook_secret) == ("acct_1", KEY, "whsec_secret")
    assert KEY not in page
    assert "whsec_secret" not in page
    assert KEY not in connection.sealed_api_key
    assert "Never a password or a cookie" in page


def test_an_empty_key_keeps_the_stored_one_and_another_replaces_it(owner: Client, mine: Creator) -> None:
    connected(mine)
    said(owner, mine, provider="ofapi", account_id="acct_1")
    assert Connection.objects.get().api_key == KEY

    said(owner, mine, provider="ofapi", account_id="acct_1", api_key="another-key")

    assert Connection.objects.get().api_key == "another-key"


def test_another_account_needs_a_key_of_its_own_and_is_read_from_its_beginning(owner: Client, mine: Creator) -> None:
    connection = connected(mine)
    Connection.objects.update(sync_cursor={"page": 3}, failures=4)
    ReadChat.objects.create(connection=connection, chat_id="1", read_until=database_now())
    page = said(owner, mine, status=400, provider="ofapi", account_id="acct_2")
    assert "key is needed" in page

    said(owner, mine, provider="ofapi", account_id="acct_2", api_key="another-key")

    connection.refresh_from_db()
    assert (connection.sync_cursor, connection.failures, connection.webhook_secret) == ({}, 0, "")
    assert not connection.read_chats.exists()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"provider": "ofapi", "api_key": KEY}, "which account"),
        ({"provider": "ofauth", "account_id": "conn_1"}, "key is needed"),
        ({"provider": "ofapi", "account_id": "acct_taken", "api_key": KEY}, "another creator"),
        ({"provider": "log"}, "valid choice"),
    ],
)
def test_what_is_missing_or_taken_is_said(owner: Client, mine: Creator, form: dict[str, str], words: str) -> None:
    connected(make_creator(), account_id="acct_taken")

    assert words in said(owner, mine, status=400, **form)
    assert not Connection.objects.filter(creator=mine).exists()


def test_without_a_keyring_nothing_is_stored(owner: Client, mine: Creator, settings: Settings) -> None:
    settings.HUNTAZE_KEYRING = ""

    page = said(owner, mine, status=400, provider="ofapi", account_id="acct_1", api_key=KEY)

    assert "HUNTAZE_KEYRING" in page
    assert not Connection.objects.exists()


def test_sending_by_hand_needs_nothing(owner: Client, mine: Creator) -> None:
    connected(mine)

    page = said(owner, mine, provider="assisted")

    connection = Connection.objects.get()
    assert (connection.provider, connection.sealed_api_key) == (Provider.ASSISTED, "")
    assert "Webhook address" not in page


def test_a_secret_for_the_webhook_is_shown_once(owner: Client, mine: Creator) -> None:
    connection = connected(mine)
    page = said(owner, mine, act="secret")
    [shown] = re.findall(r'signing secret: <code class="shown-code">([^<]+)<', page)

    connection.refresh_from_db()
    assert connection.webhook_secret == shown
    assert f"/api/onlyfans/webhooks/{connection.public_id}" in page
    assert shown not in owner.get(address(mine)).content.decode()


def test_disconnecting_deletes_the_key(owner: Client, mine: Creator) -> None:
    connected(mine)

    assert "Messages wait" in said(owner, mine, act="disconnect")
    assert not Connection.objects.exists()
    assert "Not connected" in owner.get("/platforms/connect/onlyfans").content.decode()


def test_a_lost_session_is_said_to_be_over_by_a_person(owner: Client, mine: Creator) -> None:
    connected(mine, state="session_lost")
    assert "lost the session" in owner.get(address(mine)).content.decode()

    said(owner, mine, act="works")

    assert Connection.objects.get().state == Connection.State.CONNECTED


def test_the_test_says_that_the_provider_answers(client: Client, creator: Creator) -> None:
    owner = make_user("owner")
    creator.memberships.create(user=owner, role="owner")
    client.force_login(owner)

    assert "The provider answers." in said(client, creator, act="test")


def test_the_test_says_what_the_provider_says(owner: Client, mine: Creator, settings: Settings) -> None:
    connected(mine)
    settings.OFAPI_BASE_URL = "http://127.0.0.1:9"

    assert "The provider cannot be reached" in said(owner, mine, act="test")


def test_nothing_is_tested_that_is_not_connected(owner: Client, mine: Creator) -> None:
    said(owner, mine, status=404, act="test")
