"""What events do to the ledger."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from crm.clock import database_now
from crm.models import Conversation, Creator, EarlyNews, Fan, Message
from crm.models.messages import Direction, Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message
from onlyfans.inbox import PATIENCE, CannotRead, TryLater, read_event
from onlyfans.models import Connection, WebhookEvent

pytestmark = pytest.mark.django_db

WRITTEN_AT = "2026-01-27T23:34:25+00:00"
_numbers = itertools.count(1)


@pytest.fixture
def creator() -> Creator:
    return make_creator()


@pytest.fixture
def connection(creator: Creator) -> Connection:
    return Connection.objects.create(creator=creator, account_id="acct_1")


def make_event(connection: Connection, kind: str, payload: Any) -> WebhookEvent:
    return WebhookEvent.objects.create(
        connection=connection,
        event_key=f"evt_{next(_numbers)}",
        kind=kind,
        payload=payload,
        due_at=database_now(),
    )


def received(connection: Connection, **values: Any) -> WebhookEvent:
    payload = {
        "id": 7001,
        "text": "<p>Hi &amp; bye<br />\nsecond line</p>",
        "price": 0,
        "createdAt": WRITTEN_AT,
        "fromUser": {"id": 42, "name": "Sam", "username": "sam42"},
        "user_id": 99,
    }
    return make_event(connection, "messages.received", payload | values)


def sent(connection: Connection, message: Message, **values: Any) -> WebhookEvent:
    payload = {
        "id": 8001,
        "text": f"<p>{message.text}</p>",
        "price": message.price_cents / 100,
        "createdAt": database_now().isoformat(),
        "isFromQueue": False,
        "fromUser": {"id": 99},
        "toUser": {"id": message.conversation.fan.platform_id},
    }
    return make_event(connection, "messages.sent", payload | values)


# --- messages.received


def test_a_fan_nobody_knew_writes_and_is_in_the_inbox(connection: Connection, creator: Creator) -> None:
    event = received(connection)

    read_event(event)

    fan = Fan.objects.get()
    assert (fan.creator, fan.platform_id, fan.handle, fan.name) == (creator, "42", "sam42", "Sam")
    message = Message.objects.get()
    assert (message.direction, message.status) == (Direction.IN, Status.RECEIVED)
    assert (message.text, message.platform_id) == ("Hi & bye\nsecond line", "7001")
    assert message.send_at.replace(microsecond=0) == parse_datetime(WRITTEN_AT)
    conversation = Conversation.objects.get()
    assert (conversation.unread_count, conversation.last_text) == (1, "Hi & bye second line")
    event.refresh_from_db()
    assert event.read_at


def test_a_quick_answer_stands_below_the_message_it_answers(connection: Connection, creator: Creator) -> None:
    question = make_message(make_conversation(creator, fan=make_fan(creator, platform_id="42")), status=Status.SENT)
    whole_second = question.send_at.replace(microsecond=0)

    read_event(received(connection, createdAt=whole_second.isoformat()))

    assert list(Message.objects.order_by("send_at").values_list("direction", flat=True)) == ["out", "in"]


def test_an_event_read_twice_counts_once(connection: Connection) -> None:
    event = received(connection)

    read_event(event)
    read_event(WebhookEvent.objects.get(pk=event.pk))

    assert Message.objects.count() == 1
    assert Conversation.objects.get().unread_count == 1


def test_two_events_about_one_message_count_once(connection: Connection) -> None:
    for event in (received(connection), received(connection, id="7001")):
        read_event(event)

    assert Message.objects.count() == 1
    assert Conversation.objects.get().unread_count == 1
    assert not WebhookEvent.objects.filter(read_at=None).exists()


def test_events_in_the_wrong_order_leave_the_newest_on_top(connection: Connection) -> None:
    read_event(received(connection, id=2, text="newer", createdAt="2026-01-27T12:00:00Z"))
    read_event(received(connection, id=1, text="older", createdAt="2026-01-27T11:00:00Z"))

    conversation = Conversation.objects.get()
    assert (conversation.last_text, conversation.unread_count) == ("newer", 2)
    assert [message.text for message in Message.objects.order_by("send_at")] == ["older", "newer"]


def test_a_known_fan_keeps_their_name(connection: Connection, creator: Creator) -> None:
    fan = make_fan(creator, platform_id="42", handle="sammy", name="My Sam")

    read_event(received(connection))

    fan.refresh_from_db()
    assert (fan.handle, fan.name) == ("sammy", "My Sam")
    assert Message.objects.get().conversation.fan == fan


@pytest.mark.parametrize("handle", ["SAM42", "sam42"])
def test_a_fan_known_by_handle_alone_is_adopted(connection: Connection, creator: Creator, handle: str) -> None:
    fan = make_fan(creator, platform_id="", handle=handle)

    read_event(received(connection))

    fan.refresh_from_db()
    assert (Fan.objects.count(), fan.platform_id, fan.handle) == (1, "42", handle)


def test_a_fan_with_that_handle_and_another_id_is_not_adopted(connection: Connection, creator: Creator) -> None:
    make_fan(creator, platform_id="41", handle="sam42")

    read_event(received(connection))

    assert sorted(Fan.objects.values_list("platform_id", flat=True)) == ["41", "42"]


def test_a_fan_of_another_creator_is_somebody_else(connection: Connection, creator: Creator) -> None:
    other = make_fan(make_creator(), platform_id="42")

    read_event(received(connection))

    assert Message.objects.get().conversation.fan != other
    assert Message.objects.get().creator == creator


def test_a_message_from_the_future_is_dated_now(connection: Connection) -> None:
    read_event(received(connection, createdAt="2999-01-01T00:00:00Z"))

    assert Message.objects.get().send_at <= datetime.now(UTC)


@pytest.mark.parametrize(
    "odd",
    [
        {"id": None},
        {"id": {"nested": 1}},
        {"fromUser": None},
        {"fromUser": {"name": "no id"}},
        {"createdAt": "yesterday"},
        {"createdAt": None},
        {"text": 7},
        {"price": "a lot"},
        {"price": -1},
    ],
    ids=str,
)
def test_a_malformed_event_changes_nothing_and_says_what_is_wrong(connection: Connection, odd: dict[str, Any]) -> None:
    event = received(connection, **odd)

    with pytest.raises(CannotRead, match=r"^messages\.received: .+\.$"):
        read_event(event)

    event.refresh_from_db()
    assert event.read_at is None
    assert not Message.objects.exists()
    assert not Fan.objects.exists()


@pytest.mark.parametrize("payload", [[], "odd", None, 7, {}])
def test_a_payload_that_is_no_record_cannot_be_read(connection: Connection, payload: Any) -> None:
    event = make_event(connection, "messages.received", {})
    event.payload = payload

    with pytest.raises(CannotRead):
        read_event(event)


def test_a_fan_with_odd_names_is_kept_with_what_fits(connection: Connection) -> None:
    read_event(received(connection, fromUser={"id": "42", "name": "x" * 500, "username": ["odd"]}))

    fan = Fan.objects.get()
    assert (fan.name, fan.handle) == ("x" * 200, "")


# --- messages.sent


def unknown_message(creator: Creator, **values: Any) -> Message:
    conversation = values.pop("conversation", None) or make_conversation(creator)
    defaults: dict[str, Any] = {"status": Status.UNKNOWN, "sending_at": database_now(), "text": "On my way"}
    return make_message(conversation, **(defaults | values))


def test_a_message_of_unknown_outcome_is_settled_by_the_platforms_word(
    connection: Connection, creator: Creator
) -> None:
    message = unknown_message(creator, price_cents=500, reconcile_at=database_now())

    read_event(sent(connection, message))

    message.refresh_from_db()
    assert (message.status, message.platform_id) == (Status.SENT, "8001")
    assert message.sent_at
    assert message.reconcile_at is None


def test_whitespace_and_markup_do_not_hide_the_message(connection: Connection, creator: Creator) -> None:
    message = unknown_message(creator, text="I <3 you\r\n  and you")

    read_event(sent(connection, message, text="<p>I &lt;3 you<br />\nand you</p>"))

    message.refresh_from_db()
    assert message.status == Status.SENT


def test_what_is_still_being_sent_after_ten_seconds_is_settled_by_the_event(
    connection: Connection, creator: Creator
) -> None:
    message = unknown_message(creator, status=Status.SENDING)
    event = sent(connection, message)
    event.received_at -= PATIENCE

    read_event(event)

    message.refresh_from_db()
    assert (message.status, message.platform_id, message.lease) == (Status.SENT, "8001", None)


def test_a_message_sent_by_hand_gets_its_id_and_is_not_shown_twice(connection: Connection, creator: Creator) -> None:
    message = make_message(make_conversation(creator), status=Status.SENT, platform_id="")

    read_event(sent(connection, message))

    assert Message.objects.get().platform_id == "8001"


def test_a_message_that_is_being_sent_is_left_to_its_own_answer(connection: Connection, creator: Creator) -> None:
    message = unknown_message(creator, status=Status.SENDING)
    event = sent(connection, message)

    with pytest.raises(TryLater):
        read_event(event)

    event.refresh_from_db()
    message.refresh_from_db()
    assert event.read_at is None
    assert message.status == Status.SENDING


def test_a_message_already_known_under_its_id_stays_as_it_is(connection: Connection, creator: Creator) -> None:
    known = make_message(make_conversation(creator), status=Status.SENT, platform_id="8001")
    waiting = unknown_message(creator, conversation=known.conversation, text=known.text)

    read_event(sent(connection, known))

    waiting.refresh_from_db()
    assert waiting.status == Status.UNKNOWN


def test_one_event_settles_one_message_only(connection: Connection, creator: Creator) -> None:
    twins = [unknown_message(creator)]
    twins.append(unknown_message(creator, conversation=twins[0].conversation))

    read_event(sent(connection, twins[0]))

    assert set(Message.objects.values_list("status", flat=True)) == {Status.UNKNOWN}


@pytest.mark.parametrize(
    "other",
    [
        {"text": "<p>Something else</p>"},
        {"price": 7},
        {"toUser": {"id": "nobody"}},
        {"isFromQueue": True},
        {"createdAt": "2026-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_another_tools_message_settles_nothing_and_is_shown(
    connection: Connection, creator: Creator, other: dict[str, Any]
) -> None:
    message = unknown_message(creator)
    event = sent(connection, message, **other)

    read_event(event)

    message.refresh_from_db()
    event.refresh_from_db()
    assert message.status == Status.UNKNOWN
    assert event.read_at
    shown = Message.objects.get(platform_id="8001")
    assert (shown.direction, shown.status, shown.cause_code) == (Direction.OUT, Status.SENT, "sent_elsewhere")
    assert shown.price_cents == other.get("price", 0) * 100


def test_who_answers_with_another_tool_has_read(connection: Connection, creator: Creator) -> None:
    read_event(received(connection))
    answer = {"toUser": {"id": 42}, "text": "Hi!"}

    read_event(sent(connection, make_message(), **answer))

    conversation = Conversation.objects.get(creator=creator)
    assert (conversation.unread_count, conversation.last_text) == (0, "Hi!")


def test_a_mass_message_of_the_platform_moves_no_conversation(connection: Connection, creator: Creator) -> None:
    read_event(received(connection))
    before = Conversation.objects.get()

    read_event(sent(connection, make_message(), toUser={"id": 42}, isFromQueue=True))
    read_event(sent(connection, make_message(), id=8002, toUser={"id": 43}, isFromQueue=True))

    after = Conversation.objects.get(creator=creator)
    assert (after.unread_count, after.last_text) == (1, before.last_text)
    assert after.messages.count() == 2


def test_a_price_nobody_here_could_ask_is_shown_as_none(connection: Connection, creator: Creator) -> None:
    read_event(sent(connection, make_message(make_conversation(creator)), price=250, text="elsewhere"))

    assert Message.objects.get(platform_id="8001").price_cents == 0


# --- messages.deleted


def test_a_message_that_was_taken_back_stays_and_says_so(connection: Connection) -> None:
    read_event(received(connection))
    read_event(received(connection, id=7002))

    for _time in range(2):
        read_event(make_event(connection, "messages.deleted", {"id": 7001}))

    message = Message.objects.get(platform_id="7001")
    assert message.deleted_at
    assert message.conversation.unread_count == 1


def test_what_was_read_before_it_was_taken_back_changes_no_count(connection: Connection) -> None:
    read_event(received(connection))
    Conversation.objects.get().mark_read()
    read_event(received(connection, id=7002, createdAt="2026-01-28T00:00:00Z"))

    read_event(make_event(connection, "messages.deleted", {"id": "7001"}))

    assert Conversation.objects.get().unread_count == 1


@pytest.mark.parametrize("first", ["deleted", "received"])
def test_what_a_fan_took_back_says_so_in_whatever_order_it_is_told(connection: Connection, first: str) -> None:
    events = [received(connection), make_event(connection, "messages.deleted", {"id": 7001})]

    for event in events[:: -1 if first == "deleted" else 1]:
        read_event(event)

    message = Message.objects.get()
    assert message.deleted_at
    assert message.conversation.unread_count == 0
    assert not EarlyNews.objects.exists()


def test_what_was_taken_back_before_its_outcome_was_clear_says_so(connection: Connection, creator: Creator) -> None:
    unknown = unknown_message(creator)
    by_hand = make_message(make_conversation(creator), status=Status.SENT, platform_id="", text="By hand")
    for platform_id in (8001, 8002, 8003):
        read_event(make_event(connection, "messages.deleted", {"id": platform_id}))

    read_event(sent(connection, unknown))
    read_event(sent(connection, by_hand, id=8002))
    read_event(sent(connection, by_hand, id=8003, text="Elsewhere"))

    assert {message.platform_id: bool(message.deleted_at) for message in Message.objects.all()} == {
        "8001": True,
        "8002": True,
        "8003": True,
    }


def test_a_message_that_another_creators_fan_took_back_is_another_message(connection: Connection) -> None:
    other = Connection.objects.create(creator=make_creator(), account_id="acct_2")
    read_event(make_event(other, "messages.deleted", {"id": 7001}))

    read_event(received(connection))

    assert Message.objects.get().deleted_at is None


# --- Everything else


@pytest.mark.parametrize("kind", ["users.typing", "users.online", "brand.new", "test-event", "rules.updated"])
def test_other_kinds_are_read_and_change_nothing(connection: Connection, kind: str) -> None:
    event = make_event(connection, kind, {"anything": 1})

    read_event(event)

    event.refresh_from_db()
    assert event.read_at
    assert not Message.objects.exists()


# --- OFAuth's own


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_realtime_message_of_ofauth_is_a_message(connection: Connection, wrapped: bool) -> None:
    body = received(connection).payload
    payload = {"api2_chat_message": body} if wrapped else body

    read_event(make_event(connection, "realtime.chat_message.received", payload))

    assert Message.objects.get().platform_id == "7001"


def test_a_connection_of_ofauth_expires_and_comes_back(connection: Connection) -> None:
    states = []
    for kind, payload in (
        ("connection.expired", {}),
        ("connection.updated", {"status": "active"}),
        ("connection.updated", {"status": "expired"}),
        ("connection.updated", {"permissions": []}),
        ("connection.created", {}),
    ):
        read_event(make_event(connection, kind, payload))
        states.append(Connection.objects.get().state)

    assert states == ["session_lost", "connected", "session_lost", "session_lost", "connected"]
