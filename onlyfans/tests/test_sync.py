"""Reading an account, through either provider's gateway and the simulated platform's own quirks."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Conversation, Creator, Dispatch, Fan, Line, Message, PauseCause, Transaction
from crm.models.messages import Direction, Status
from crm.tests.factories import make_conversation, make_fan, make_message
from onlyfans import events, sync
from onlyfans.gateway import Rejected
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.gateway.ofauth import OfauthGateway
from onlyfans.models import Connection, Provider, WebhookEvent
from onlyfans.tests.conftest import Basket, RunningSimulator

pytestmark = pytest.mark.django_db


@pytest.fixture(params=[Provider.OFAPI, Provider.OFAUTH])
def connection(request: pytest.FixtureRequest, creator: Creator) -> Connection:
    connection = creator.connection
    # As if it had been there for long: what is written now is news.
    Connection.objects.filter(pk=connection.pk).update(
        provider=request.param, created_at=database_now() - timedelta(hours=1)
    )
    connection.refresh_from_db()
    return connection


def read_all(connection: Connection, *, pages_max: int = 60) -> int:
    """Every page, each by a task of its own as dispatch would; the answer is how many."""
    for page in range(1, pages_max + 1):
        sync.read_next(connection.public_id)
        connection.refresh_from_db()
        if connection.synced_at and not connection.sync_cursor:
            return page
        assert not connection.sync_trouble
    raise AssertionError("The reading came to no end.")


def write_hours_ago(simulator: RunningSimulator, account: str, chat: str, text: str) -> None:
    at = database_now() - timedelta(hours=3)
    simulator.fan_writes(account, chat, text, silent=True, created_at=at.isoformat())


def read_first_page_of_chats(connection: Connection) -> None:
    while not connection.sync_cursor.get("chats"):
        sync.read_next(connection.public_id)
        connection.refresh_from_db()


def texts(creator: Creator) -> list[str]:
    return list(Message.objects.filter(creator=creator).order_by("send_at", "id").values_list("text", flat=True))


@pytest.mark.parametrize("lies", [False, True], ids=["honest", "more is never over"])
def test_everything_of_every_chat_comes_in_once(
    simulator: RunningSimulator, account: str, connection: Connection, lies: bool
) -> None:
    simulator.set(lies_about_more=lies)
    for number in range(30):
        simulator.fan_writes(account, "1", f"message {number}", silent=True)
    for chat in range(2, 16):
        simulator.fan_writes(account, str(chat), "hello", silent=True)

    read_all(connection)
    read_all(connection)

    assert Conversation.objects.count() == 15
    long = Message.objects.filter(conversation__fan__platform_id="1").order_by("platform_id")
    assert [message.text for message in long] == [f"message {number}" for number in range(30)]
    assert Message.objects.count() == 44
    assert Conversation.objects.get(fan__platform_id="1").unread_count == 30


def test_what_no_webhook_told_is_found_between_what_is_known(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    simulator.fan_writes(account, "1", "before", silent=True)
    read_all(connection)
    simulator.fan_writes(account, "1", "missed", silent=True)
    known = simulator.fan_writes(account, "1", "told", silent=True)
    fan = Fan.objects.get()
    Conversation.objects.with_fan(fan).receive(text="told", platform_id=known, written_at=database_now())

    read_all(connection)

    assert sorted(texts(connection.creator)) == ["before", "missed", "told"]


def test_a_chat_that_leaves_the_pages_to_come_is_read_back_to_where_it_was_left(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    for chat in range(1, 15):
        write_hours_ago(simulator, account, str(chat), "long ago")
    read_first_page_of_chats(connection)

    simulator.fan_writes(account, "1", "just now", silent=True)
    read_all(connection)
    assert not Message.objects.filter(conversation__fan__platform_id="1").exists(), "it was passed over"
    read_all(connection)

    theirs = Message.objects.filter(conversation__fan__platform_id="1").order_by("send_at")
    assert list(theirs.values_list("text", flat=True)) == ["long ago", "just now"]


def test_a_chat_that_disappears_from_the_list_hides_no_other(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    for chat in range(1, 14):
        write_hours_ago(simulator, account, str(chat), "long ago")
    only = simulator.fan_writes(account, "14", "and gone", silent=True)
    read_first_page_of_chats(connection)

    simulator.do(account, "delete", message_id=only, tell=[])
    read_all(connection)

    read = Message.objects.filter(text="long ago").values_list("conversation__fan__platform_id", flat=True)
    assert sorted(map(int, read)) == list(range(1, 14))


def test_a_chat_that_stands_on_two_pages_is_read_once(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    for chat in range(1, 15):
        write_hours_ago(simulator, account, str(chat), "long ago")

    assert read_all(connection) == 1 + 2 + 14 + 1, "fans, the list of chats, each chat, payments"


def test_a_chat_that_could_not_be_read_is_read_from_where_it_was_left(
    simulator: RunningSimulator, account: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_hours_ago(simulator, account, "1", "long ago")
    with monkeypatch.context() as refusing:
        for gateway in (OfapiGateway, OfauthGateway):
            refusing.setattr(gateway, "list_messages", lambda *_args: Rejected("NOT_FOUND", "No."))
        read_all(connection)
    simulator.fan_writes(account, "1", "just now", silent=True)

    read_all(connection)

    assert texts(connection.creator) == ["long ago", "just now"]


def test_a_reading_that_begins_anew_reads_every_chat_from_its_beginning(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    write_hours_ago(simulator, account, "1", "long ago")
    read_all(connection)
    Message.objects.all().delete()

    sync.begin_anew(connection)
    read_all(connection)

    assert texts(connection.creator) == ["long ago"]


@pytest.mark.parametrize("lies", [False, True], ids=["honest", "more is never over"])
def test_payments_that_no_webhook_told_come_in_once(
    simulator: RunningSimulator, account: str, connection: Connection, lies: bool
) -> None:
    simulator.set(lies_about_more=lies)
    for number in range(12):
        simulator.do(account, "tip", chat="1", cents=500 + number, tell=[])
    simulator.do(account, "unlock", chat="2", cents=2000, tell=[])

    read_all(connection)
    read_all(connection)

    tips = Transaction.objects.filter(fan__platform_id="1", kind=Transaction.Kind.TIP, source=Transaction.Source.SYNC)
    assert sorted(tips.values_list("amount_cents", flat=True)) == [500 + number for number in range(12)]
    unlocked = Transaction.objects.get(fan__platform_id="2")
    assert (unlocked.kind, unlocked.amount_cents, unlocked.net_cents) == (Transaction.Kind.MESSAGE, 2000, 1600)
    assert Transaction.objects.count() == 13
    assert Fan.objects.get(platform_id="2").value_cents == 2000


@pytest.mark.parametrize("first", ["the events", "the reading"])
def test_a_payment_that_webhooks_tell_as_well_is_one_row(
    simulator: RunningSimulator, account: str, connection: Connection, first: str
) -> None:
    told = simulator.do(account, "tip", chat="1", cents=700, tell=[])
    if first == "the reading":
        read_all(connection)
    for kind, payload in told.items():
        event = WebhookEvent.objects.create(
            connection=connection, event_key=kind, kind=kind, payload=payload, due_at=database_now()
        )
        events.read(event.public_id)
    read_all(connection)

    (payment,) = Transaction.objects.all()
    assert (payment.amount_cents, payment.fan) == (700, Fan.objects.get(platform_id="1"))
    assert payment.platform_id == told["transactions.new"]["id"]
    assert payment.event_key == f"tip:{told['tips.received']['id']}"


def test_a_key_that_may_not_see_the_money_reads_all_the_rest(
    simulator: RunningSimulator, account: str, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.fan_writes(account, "1", "hello", silent=True)
    for gateway in (OfapiGateway, OfauthGateway):
        monkeypatch.setattr(gateway, "list_payments", lambda *_args, **_since: Rejected("FORBIDDEN", "No."))

    read_all(connection)

    assert texts(connection.creator) == ["hello"]


def test_a_reading_that_was_interrupted_goes_on_where_it_was(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    for chat in range(1, 15):
        simulator.fan_writes(account, str(chat), silent=True)
    for _page in range(5):
        sync.read_next(connection.public_id)
    half = Message.objects.count()
    assert 0 < half < 14

    simulator.fault("error_before", on="read", status=503)
    sync.read_next(connection.public_id)
    connection.refresh_from_db()
    assert (connection.sync_failures, bool(connection.sync_trouble)) == (1, True)
    assert connection.sync_at
    assert connection.sync_at > database_now() + timedelta(seconds=20)
    Connection.objects.update(sync_trouble="")

    read_all(connection)

    assert Message.objects.count() == 14


def test_the_second_reading_asks_for_little(simulator: RunningSimulator, account: str, connection: Connection) -> None:
    for chat in range(1, 14):
        simulator.fan_writes(account, str(chat), silent=True)
    first = read_all(connection)
    Connection.objects.update(synced_at=database_now() + timedelta(hours=1))

    assert first > 13
    assert read_all(connection) == 2, "the first page of the chats, and of the payments"


def test_what_another_tool_sent_is_shown_and_an_open_outcome_is_settled(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    fan = make_fan(connection.creator, platform_id="1")
    ours = make_message(
        make_conversation(fan=fan), status=Status.UNKNOWN, sending_at=database_now(), text="Where are you?"
    )
    simulator.do(account, "send_elsewhere", chat="1", text="Where are you?", tell=[])
    simulator.do(account, "send_elsewhere", chat="1", text="By another tool", tell=[])

    read_all(connection)

    ours.refresh_from_db()
    assert (ours.status, bool(ours.platform_id)) == (Status.SENT, True)
    assert texts(connection.creator) == ["Where are you?", "By another tool"]


def test_what_is_being_sent_is_left_to_its_own_answer(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    fan = make_fan(connection.creator, platform_id="1")
    ours = make_message(make_conversation(fan=fan), status=Status.SENDING, sending_at=database_now(), text="Hi")
    simulator.do(account, "send_elsewhere", chat="1", text="Hi", tell=[])

    read_all(connection)

    ours.refresh_from_db()
    assert (ours.status, Message.objects.count()) == (Status.SENDING, 1)


def test_old_messages_are_not_unread_and_an_answer_elsewhere_has_read(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    simulator.fan_writes(account, "1", "old", silent=True)
    simulator.fan_writes(account, "2", "new", silent=True)
    simulator.do(account, "send_elsewhere", chat="2", text="answered", tell=[])
    Connection.objects.update(created_at=database_now() + timedelta(minutes=1))

    read_all(connection)

    assert set(Conversation.objects.values_list("unread_count", flat=True)) == {0}


def test_the_list_of_fans_says_who_subscribes_and_what_they_spent(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    now = database_now().replace(microsecond=0)
    since, until = now - timedelta(days=40), now + timedelta(days=9)
    facts: dict[str, Any] = {"since": since.isoformat(), "last_seen": now.isoformat(), "total": 120.5}
    simulator.knows(account, "1", username="sam", name="Sam", until=until.isoformat(), **facts)
    simulator.knows(account, "2", until=(now - timedelta(days=1)).isoformat(), state="expired", **facts)
    by_handle = make_fan(connection.creator, platform_id="", handle="Sam", stated_value_cents=700, stated_value_at=now)

    read_all(connection)

    sam, other = Fan.objects.order_by("platform_id")
    assert (sam.pk, sam.platform_id, sam.subscription, sam.stated_value_cents) == (by_handle.pk, "1", "active", 700)
    assert (sam.joined_at, sam.subscription_ends_at, sam.last_seen_at) == (since, until, now)
    assert (other.subscription, other.value_cents, other.subscription_price_cents) == ("expired", 12_050, 999)


def test_a_provider_that_says_slow_down_is_asked_again_when_it_said(
    simulator: RunningSimulator, connection: Connection
) -> None:
    simulator.fault("throttle", on="read", seconds=90)

    sync.read_next(connection.public_id)

    connection.refresh_from_db()
    assert connection.sync_at
    assert timedelta(seconds=80) < connection.sync_at - database_now() <= timedelta(seconds=90)
    assert Line.objects.get(creator=connection.creator).hold_until is None


def test_a_lost_session_pauses_the_creator(simulator: RunningSimulator, connection: Connection) -> None:
    simulator.fault("session_lost")

    sync.read_next(connection.public_id)

    connection.refresh_from_db()
    assert connection.state == Connection.State.SESSION_LOST
    assert Line.objects.get(creator=connection.creator).paused_cause == PauseCause.SESSION_LOST


def test_a_person_who_cannot_be_read_hides_nobody(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    simulator.knows(account, "x" * 80)
    simulator.knows(account, "2")

    read_all(connection)

    assert [fan.platform_id for fan in Fan.objects.all()] == ["2"]


# --- Whose turn it is


def test_an_account_that_is_due_is_handed_over_once(connection: Connection, basket: Basket) -> None:
    assert sync.hand_over(basket.carry) == 1
    assert sync.hand_over(basket.carry) == 0

    basket.work(sync.read_next)

    assert Line.objects.get(creator=connection.creator).errand_until is None
    connection.refresh_from_db()
    assert connection.sync_at
    assert connection.sync_at > database_now()


def test_a_creator_who_never_wrote_is_read_too(connection: Connection, basket: Basket) -> None:
    Line.objects.all().delete()

    assert sync.hand_over(basket.carry) == 1


@pytest.mark.parametrize("why", ["stopped", "paused", "lost", "busy", "off", "by hand"])
def test_nobody_is_read_who_should_not_be(connection: Connection, basket: Basket, settings: Settings, why: str) -> None:
    now = database_now()
    line = Line.objects.get(creator=connection.creator)
    match why:
        case "stopped":
            Dispatch.stop_sending(reason="test", now=now)
        case "paused":
            line.pause(reason="test", now=now)
        case "lost":
            connection.lost(at=now)
        case "busy":
            Line.objects.begin_errand(line.pk, now=now, until=now + timedelta(minutes=1))
        case "off":
            settings.SYNC_MINUTES = 0
        case "by hand":
            Connection.objects.update(provider=Provider.ASSISTED)

    assert sync.hand_over(basket.carry) == 0


# --- The command


def run(*arguments: str) -> tuple[int, dict[str, Any]]:
    out = StringIO()
    code = 0
    try:
        call_command("sync_onlyfans", *arguments, "--json", "--pause=0", stdout=out, stderr=StringIO())
    except SystemExit as error:
        code = int(error.code or 0)
    return code, json.loads(out.getvalue())


def test_the_command_reads_to_the_end_and_says_how_much(
    simulator: RunningSimulator, account: str, connection: Connection
) -> None:
    for chat in range(1, 4):
        simulator.fan_writes(account, str(chat), silent=True)

    code, answer = run("--creator", str(connection.creator.public_id))

    assert code == 0
    assert answer["accounts"] == [
        {"creator": connection.creator.name, "pages": 6, "fans": 0, "messages": 3, "payments": 0, "trouble": ""}
    ]
    assert run("--full")[1]["accounts"][0]["messages"] == 3
    assert Message.objects.filter(direction=Direction.IN).count() == 3


def test_the_command_says_what_kept_it(simulator: RunningSimulator, connection: Connection) -> None:
    simulator.fault("error_before", on="read", status=500)

    code, answer = run()

    assert code == 1
    assert answer["accounts"][0]["trouble"]
