"""What events of money, of subscriptions and of the account itself do, in the simulated provider's own words."""

import itertools
from datetime import timedelta
from typing import Any

import pytest

from crm.clock import database_now
from crm.models import Conversation, Creator, EarlyNews, Fan, Line, Message, PauseCause, SubscriptionEvent, Transaction
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan, make_message
from onlyfans.inbox import CannotRead, TryLater, read_event
from onlyfans.models import Connection, WebhookEvent
from onlyfans.tests.conftest import RunningSimulator

pytestmark = pytest.mark.django_db

_numbers = itertools.count(1)


@pytest.fixture
def fan(creator: Creator) -> Fan:
    return make_fan(creator, platform_id="42")


@pytest.fixture
def paid(fan: Fan) -> Message:
    return make_message(make_conversation(fan=fan), status=Status.SENT, price_cents=4500, platform_id="9001")


def event(creator: Creator, kind: str, payload: Any) -> WebhookEvent:
    return WebhookEvent.objects.create(
        connection=creator.connection,
        event_key=f"evt_{next(_numbers)}",
        kind=kind,
        payload=payload,
        due_at=database_now(),
    )


def read(creator: Creator, told: dict[str, dict[str, Any]]) -> None:
    for kind, payload in told.items():
        read_event(event(creator, kind, payload))


# --- Money


@pytest.mark.parametrize("with_link", [True, False], ids=["link", "no link"])
@pytest.mark.parametrize("turned", [False, True], ids=["unlock first", "transaction first"])
def test_a_message_that_was_bought_is_paid_once(
    simulator: RunningSimulator, account: str, creator: Creator, paid: Message, with_link: bool, turned: bool
) -> None:
    link = {"message_id": "9001"} if with_link else {}
    told = simulator.do(account, "unlock", chat="42", cents=4500, **link)
    order = list(told.items())[:: -1 if turned else 1]

    for _delivery in range(2):
        read(creator, dict(order))

    payment = Transaction.objects.get()
    assert (payment.kind, payment.amount_cents, payment.net_cents) == ("message", 4500, 3600)
    assert payment.message == paid
    paid.refresh_from_db()
    assert paid.purchased_at
    assert paid.conversation.fan.value_cents == 4500


def test_the_creator_named_in_an_unlock_never_becomes_a_fan(
    simulator: RunningSimulator, account: str, creator: Creator
) -> None:
    told = simulator.do(account, "unlock", chat="42", cents=500)
    unlocked = told["messages.ppv.unlocked"]
    del unlocked["user"]

    with pytest.raises(CannotRead):
        read_event(event(creator, "messages.ppv.unlocked", unlocked))

    assert not Fan.objects.exists()


@pytest.mark.parametrize("amount", ["45", "€45.00", "$45.5", "$-5.00", "", None, "<b>$45.00</b>"])
def test_an_amount_is_never_guessed(
    simulator: RunningSimulator, account: str, creator: Creator, amount: str | None
) -> None:
    unlocked = simulator.do(account, "unlock", chat="42", cents=500)["messages.ppv.unlocked"]
    unlocked["replacePairs"] = {"{AMOUNT}": amount}

    with pytest.raises(CannotRead, match="amount"):
        read_event(event(creator, "messages.ppv.unlocked", unlocked))


def test_an_unlock_waits_while_the_outcome_of_its_message_is_open(
    simulator: RunningSimulator, account: str, creator: Creator, fan: Fan
) -> None:
    """When the unlock does not say which message it was."""
    make_message(make_conversation(fan=fan), status=Status.UNKNOWN, price_cents=4500, sending_at=database_now())
    told = simulator.do(account, "unlock", chat="42", cents=4500)

    with pytest.raises(TryLater):
        read_event(event(creator, "messages.ppv.unlocked", told["messages.ppv.unlocked"]))

    assert not Transaction.objects.exists()


@pytest.mark.parametrize("settled_by", ["an event", "the reconciler"])
def test_what_is_bought_before_its_message_is_known_belongs_to_it_in_every_order(
    simulator: RunningSimulator, account: str, creator: Creator, fan: Fan, settled_by: str
) -> None:
    told = simulator.do(account, "unlock", chat="42", cents=4500, message_id="9001")
    sent = {"id": 9001, "text": "Look", "price": 45, "createdAt": database_now().isoformat(), "toUser": {"id": 42}}

    def settle(message: Message) -> None:
        if settled_by == "an event":
            read_event(event(creator, "messages.sent", sent))
        else:
            message.settle(Status.SENT, platform_id="9001", sent_at=database_now())

    for order in itertools.permutations([*told, "messages.sent"]):
        Transaction.objects.all().delete()
        Message.objects.all().delete()
        message = make_message(
            Conversation.objects.with_fan(fan),
            status=Status.UNKNOWN,
            text="Look",
            price_cents=4500,
            sending_at=database_now(),
        )
        for kind in order:
            if kind == "messages.sent":
                settle(message)
            else:
                read_event(event(creator, kind, told[kind]))

        payment = Transaction.objects.get()
        message.refresh_from_db()
        assert (payment.message, payment.amount_cents, payment.net_cents) == (message, 4500, 3600), order
        assert message.purchased_at, order
        assert not EarlyNews.objects.exists()


def test_two_tips_alike_are_two_payments_however_their_four_events_come(
    simulator: RunningSimulator, account: str, creator: Creator, fan: Fan
) -> None:
    tips = [simulator.do(account, "tip", chat="42", cents=500) for _tip in range(2)]
    events = [pair for tip in tips for pair in tip.items()]

    for order in itertools.permutations(events):
        Transaction.objects.all().delete()
        for kind, payload in order:
            read_event(event(creator, kind, payload))

        assert list(Transaction.objects.values_list("kind", "amount_cents", "net_cents")) == 2 * [("tip", 500, 400)]
    fan.refresh_from_db()
    assert fan.value_cents == 1000


def test_a_payment_that_came_to_nothing_is_none(simulator: RunningSimulator, account: str, creator: Creator) -> None:
    paid = simulator.do(account, "tip", chat="42", cents=500)["transactions.new"]

    read_event(event(creator, "transactions.new", paid | {"status": "failed"}))

    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ("Recurring subscription from Tip Top", "subscription"),
        ("Tip from Post Malone", "tip"),
        ("Payment for message from A", "message"),
        ("Purchase of a post from Tipsy", "post"),
        ("Stream tip from B", "tip"),
        ("Something new", "other"),
    ],
)
def test_what_a_payment_was_for_stands_in_its_description_and_not_in_the_fans_name(
    simulator: RunningSimulator, account: str, creator: Creator, description: str, kind: str
) -> None:
    paid = simulator.do(account, "tip", chat="42", cents=500)["transactions.new"]

    read_event(event(creator, "transactions.new", paid | {"description": description}))

    assert Transaction.objects.get().kind == kind


# --- Subscriptions


def test_who_subscribes_is_a_fan_and_who_leaves_is_no_subscriber(
    simulator: RunningSimulator, account: str, creator: Creator
) -> None:
    for deed, status in (("subscribe", "active"), ("renew", "active"), ("expire", "expired")):
        told = simulator.do(account, deed, chat="42")
        for _delivery in range(2):
            read(creator, told)

        fan = Fan.objects.get()
        assert (fan.platform_id, fan.handle, fan.subscription) == ("42", "u42", status)
    assert fan.subscription_price_cents == 999
    assert SubscriptionEvent.objects.count() == 3


# --- The account


def account_event(creator: Creator, name: str, payload: dict[str, Any] | None = None) -> None:
    read_event(event(creator, f"accounts.{name}", payload or {}))


def state_of(creator: Creator) -> tuple[str, str]:
    line = Line.objects.get(creator=creator)
    return Connection.objects.get(creator=creator).state, line.paused_cause


LOSSES = ["disconnected", "session_expired", "authentication_failed", "otp_code_required", "face_otp_required"]


@pytest.mark.parametrize("name", LOSSES)
def test_a_lost_account_pauses_its_creator_until_it_is_back(creator: Creator, name: str) -> None:
    account_event(creator, name)

    assert state_of(creator) == ("session_lost", PauseCause.SESSION_LOST)
    assert "The connection to the account is lost: " in Line.objects.get(creator=creator).paused_reason

    account_event(creator, "reconnected")

    assert state_of(creator) == ("connected", "")


def test_an_account_that_comes_back_ends_no_pause_of_a_person(creator: Creator) -> None:
    Line.objects.get(creator=creator).pause(reason="Holidays", now=database_now())

    account_event(creator, "disconnected")
    account_event(creator, "connected")

    assert state_of(creator) == ("connected", PauseCause.PERSON)


def test_old_news_of_an_account_change_nothing(creator: Creator) -> None:
    now = database_now()
    account_event(creator, "reconnected", {"latestAuthAttempt": {"completed_at": now.isoformat()}})

    account_event(creator, "disconnected", {"disconnected_at": (now - timedelta(minutes=1)).isoformat()})

    assert state_of(creator) == ("connected", "")
