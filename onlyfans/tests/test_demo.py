"""The demo creator."""

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Sum
from django.db.models.functions import Coalesce
from django.test import Client
from pytest_django.fixtures import Settings

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, Message, Transaction, User
from crm.models.fans import Subscription
from onlyfans.demo.people import PEOPLE
from onlyfans.models import Connection

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def debug(settings: Settings) -> None:
    settings.DEBUG = True


def seed_demo() -> dict[str, object]:
    said = StringIO()
    call_command("seed_demo", "--json", stdout=said)
    found: dict[str, object] = json.loads(said.getvalue())
    return found


def test_the_demo_login_works_and_owns_the_creator(client: Client) -> None:
    seed_demo()

    assert client.login(username="demo", password="demo-huntaze")
    assert Creator.objects.sendable_by(User.objects.get(username="demo")).get().name == "Ava Laurent"


def test_without_debug_there_is_no_demo_login(settings: Settings) -> None:
    settings.DEBUG = False

    with pytest.raises(CommandError, match="only with DEBUG"):
        call_command("seed_demo")

    assert not User.objects.exists()


def test_a_second_run_changes_nothing() -> None:
    first = seed_demo()
    before = [
        list(model.objects.order_by("pk").values()) for model in (User, Creator, Fan, Conversation, Message, Connection)
    ]

    second = seed_demo()

    assert (first["created"], second["created"]) == (True, False)
    assert before == [
        list(model.objects.order_by("pk").values()) for model in (User, Creator, Fan, Conversation, Message, Connection)
    ]


def test_fan_123_is_there_and_can_be_written_to() -> None:
    seed_demo()

    assert Fan.objects.get(platform_id="fan_123").is_reachable


def test_what_a_fan_is_worth_is_the_sum_of_rows() -> None:
    seed_demo()

    worth = {person.name: person.value_cents for person in PEOPLE}
    paid = Fan.objects.annotate(paid=Coalesce(Sum("transactions__amount_cents"), 0)).values_list(
        "name", "value_cents", "paid"
    )
    assert {name: (value, paid) for name, value, paid in paid} == {
        name: (cents, cents) for name, cents in worth.items()
    }
    assert not Transaction.objects.filter(occurred_at__gt=database_now()).exists()


def test_some_subscribe_some_have_left_and_one_never_came() -> None:
    seed_demo()

    states = dict(Fan.objects.values_list("name", "subscription"))
    assert states["Theo Marsh"] == Subscription.ACTIVE
    assert states["Henry Okafor"] == Subscription.EXPIRED
    assert states["Robin Hale"] == Subscription.UNKNOWN


def test_history_is_settled_so_nothing_of_it_is_ever_sent() -> None:
    seed_demo()

    assert set(Message.objects.values_list("status", flat=True)) == {
        Message.Status.RECEIVED,
        Message.Status.READ,
    }


def test_the_list_shows_the_newest_message_and_how_many_are_unread() -> None:
    seed_demo()

    for conversation in Conversation.objects.all():
        newest = conversation.messages.latest("send_at", "id")
        assert (conversation.last_text, conversation.last_direction) == (newest.text, newest.direction)
        assert conversation.last_message_at == newest.send_at
    assert Conversation.objects.get(fan__platform_id="fan_123").unread_count == 2


def test_the_connection_has_the_secrets_the_simulator_was_started_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATOR_API_KEY", "sim_key")
    monkeypatch.setenv("SIMULATOR_WEBHOOK_SECRET", "whsec_demo")
    monkeypatch.setenv("SIMULATOR_CONNECTION", "5c0f2f5e-52c7-4bd6-8a33-2f6f0f2f7a10")

    found = seed_demo()

    connection = Connection.objects.get()
    assert (connection.api_key, connection.webhook_secret) == ("sim_key", "whsec_demo")
    assert found["webhook_path"] == "/api/onlyfans/webhooks/5c0f2f5e-52c7-4bd6-8a33-2f6f0f2f7a10"


def test_nobody_paid_before_they_joined() -> None:
    seed_demo()

    assert not Transaction.objects.filter(occurred_at__lt=F("fan__joined_at")).exists()
