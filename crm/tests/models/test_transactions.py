"""Money is one row per real payment, whoever tells of it."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.models import Creator, Fan, Payment, SubscriptionEvent, Transaction
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(microsecond=0)
Kind, Source = Transaction.Kind, Transaction.Source


@pytest.fixture
def creator() -> Creator:
    return make_creator()


@pytest.fixture
def fan(creator: Creator) -> Fan:
    return make_fan(creator)


def telling(fan: Fan | None, **values: Any) -> Payment:
    defaults: dict[str, Any] = {
        "kind": Kind.TIP,
        "amount_cents": 500,
        "occurred_at": NOW,
        "source": Source.EVENT,
        "fan": fan,
    }
    return Payment(**(defaults | values))


def record(creator: Creator, *payments: Payment, **options: Any) -> list[bool]:
    return [is_new for _row, is_new in Transaction.objects.record(creator, payments, **options)]


def value_of(fan: Fan) -> int:
    fan.refresh_from_db()
    return fan.value_cents


# --- Once


@pytest.mark.parametrize("identity", ["platform_id", "event_key", "fingerprint"])
def test_the_same_telling_twice_is_one_payment(creator: Creator, fan: Fan, identity: str) -> None:
    told = telling(fan, **{identity: "tx_1"})

    assert record(creator, told) == [True]
    assert record(creator, told) == [False]

    assert Transaction.objects.get().currency == creator.currency
    assert value_of(fan) == 500


def test_a_payment_told_twice_in_one_call_is_one(creator: Creator, fan: Fan) -> None:
    assert record(creator, *2 * [telling(fan, platform_id="tx_1")]) == [True, False]


def test_two_payments_alike_stay_two_in_whatever_order_their_four_tellings_come(creator: Creator) -> None:
    tellings: list[dict[str, Any]] = [
        {"event_key": "tip:1"},
        {"event_key": "tip:2", "occurred_at": NOW + timedelta(seconds=30)},
        {"platform_id": "tx_1", "kind": Kind.OTHER},
        {"platform_id": "tx_2", "kind": Kind.TIP, "occurred_at": NOW + timedelta(seconds=31)},
    ]
    for order in itertools.permutations(tellings):
        fan = make_fan(creator)
        for number, told in enumerate(order):
            own = {name: f"{value}:{fan.pk}" for name, value in told.items() if name in ("event_key", "platform_id")}
            record(creator, telling(fan, **(told | own)))
            assert Transaction.objects.filter(fan=fan).count() <= min(number + 1, 2)

        assert [row.kind for row in fan.transactions.all()] == [Kind.TIP, Kind.TIP]
        assert all(row.event_key and row.platform_id for row in fan.transactions.all())
        assert value_of(fan) == 1000


@pytest.mark.parametrize(
    "other",
    [
        {"amount_cents": 501},
        {"currency": "EUR"},
        {"kind": Kind.MESSAGE},
        {"occurred_at": NOW + timedelta(minutes=11)},
        {"event_key": "tip:2", "platform_id": ""},
    ],
    ids=str,
)
def test_what_differs_is_another_payment(creator: Creator, fan: Fan, other: dict[str, Any]) -> None:
    record(creator, telling(fan, event_key="tip:1"))

    assert record(creator, telling(fan, **({"platform_id": "tx_1"} | other))) == [True]


def test_a_file_that_knows_the_day_only_finds_the_payment_within_a_day(creator: Creator, fan: Fan) -> None:
    record(creator, telling(fan, platform_id="tx_1"))
    row = telling(fan, fingerprint="row", source=Source.IMPORT, occurred_at=NOW - timedelta(hours=20))

    assert record(creator, row, within=timedelta(days=1)) == [False]


def test_another_fan_or_creator_is_another_payment(creator: Creator, fan: Fan) -> None:
    other = make_fan()
    record(creator, telling(fan, platform_id="tx_1"))

    assert record(creator, telling(make_fan(creator), platform_id="tx_2")) == [True]
    assert record(other.creator, telling(other, platform_id="tx_1")) == [True]


def test_a_later_telling_fills_in_what_was_not_known(creator: Creator, fan: Fan) -> None:
    message = make_message(make_conversation(fan=fan), status=Status.SENT)
    record(creator, telling(fan, kind=Kind.OTHER, platform_id="tx_1", net_cents=400, fee_cents=100))

    record(creator, telling(fan, kind=Kind.MESSAGE, event_key="unlock:1", message=message, description="x" * 400))

    row = Transaction.objects.get()
    assert (row.kind, row.net_cents, row.fee_cents, row.message) == (Kind.MESSAGE, 400, 100, message)
    assert len(row.description) == 300


def test_a_payment_that_nothing_names_is_a_mistake_of_ours(creator: Creator, fan: Fan) -> None:
    with pytest.raises(ValueError, match="identity"):
        record(creator, telling(fan))


# --- What follows from it


def test_an_unlocked_message_is_marked_as_bought_once(creator: Creator, fan: Fan) -> None:
    message = make_message(make_conversation(fan=fan), status=Status.SENT)
    unlocked = telling(fan, kind=Kind.MESSAGE, message=message, event_key="unlock:1")

    record(creator, unlocked)
    record(creator, telling(fan, kind=Kind.MESSAGE, message=message, platform_id="tx", occurred_at=NOW + timedelta(1)))

    seq = message.seq
    message.refresh_from_db()
    assert message.purchased_at == NOW
    assert message.seq > seq
    message.conversation.refresh_from_db()
    assert message.conversation.seq > seq


def test_value_is_what_was_stated_and_the_money_since(creator: Creator, fan: Fan) -> None:
    Fan.objects.filter(pk=fan.pk).update(stated_value_cents=10_000, stated_value_at=NOW)

    record(
        creator,
        telling(fan, platform_id="before", occurred_at=NOW - timedelta(days=1)),
        telling(fan, platform_id="after", occurred_at=NOW + timedelta(days=1), amount_cents=700),
        telling(fan, platform_id="euro", occurred_at=NOW + timedelta(days=1), currency="EUR"),
    )

    assert value_of(fan) == 10_700
    assert fan.last_purchase_at == NOW + timedelta(days=1)


def test_value_is_never_negative_and_a_reversal_is_no_purchase(creator: Creator, fan: Fan) -> None:
    record(creator, telling(fan, platform_id="back", amount_cents=-500))

    assert value_of(fan) == 0
    assert fan.last_purchase_at is None


def test_many_fans_are_counted_in_one_update(
    creator: Creator, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    fans = [make_fan(creator) for _number in range(5)]
    payments = [telling(fan, platform_id=f"tx_{fan.pk}_{n}") for fan in fans for n in range(3)]
    with django_assert_max_num_queries(14):
        record(creator, *payments)
    Fan.objects.update(value_cents=1)

    with django_assert_num_queries(1):
        assert Transaction.objects.recount_fans(fan.pk for fan in fans) == 5

    assert set(Fan.objects.values_list("value_cents", flat=True)) == {1500}


def test_a_later_purchase_that_was_told_stays(creator: Creator, fan: Fan) -> None:
    told = NOW + timedelta(days=3)
    Fan.objects.filter(pk=fan.pk).update(last_purchase_at=told)

    record(creator, telling(fan, platform_id="tx"))

    assert value_of(fan) == 500
    assert fan.last_purchase_at == told


# --- Subscriptions


def turn(fan: Fan, kind: str, days: int, **values: Any) -> bool:
    _event, is_new = SubscriptionEvent.objects.record(fan, kind, occurred_at=NOW + timedelta(days=days), **values)
    fan.refresh_from_db()
    return is_new


def test_a_subscription_is_what_its_latest_turn_says_in_whatever_order_they_come() -> None:
    turns = [("started", 0), ("renewed", 30), ("expired", 60)]
    for order in itertools.permutations(turns):
        fan = make_fan()
        for kind, days in order:
            assert turn(fan, kind, days)

        assert fan.subscription == "expired"
        assert fan.subscription_ends_at == NOW + timedelta(days=60)
        assert fan.joined_at == NOW


def test_the_same_turn_told_again_counts_once(fan: Fan) -> None:
    assert turn(fan, "started", 0, platform_id="n_1", price_cents=999)

    assert not turn(fan, "started", 0)
    assert not turn(fan, "started", 1, platform_id="n_1")

    assert SubscriptionEvent.objects.count() == 1
    assert (fan.subscription, fan.subscription_price_cents) == ("active", 999)
