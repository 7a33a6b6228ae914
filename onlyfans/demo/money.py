"""What the fans of the demo paid: rows that add up to what each is worth, so that every figure leads to them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from random import Random

from crm.models import Fan, Payment, SubscriptionEvent, Transaction
from onlyfans.demo.people import Person

SUBSCRIPTION_CENTS = 1_000
MONTH = timedelta(days=30)
AMOUNTS = (500, 1_000, 1_500, 2_500, 4_000, 6_000)
#: Of what a fan pays, what the platform keeps.
FEE_PERCENT = 20


def add_money(fan: Fan, person: Person, now: datetime) -> None:
    """The subscription with its turns, then tips and unlocked messages for the rest of what this fan is worth."""
    if person.came_days_ago is None:
        return
    came = now - timedelta(days=person.came_days_ago)
    left = None if person.left_days_ago is None else now - timedelta(days=person.left_days_ago)
    turns = list(_turns(came, left or now))[: max(1, person.value_cents // SUBSCRIPTION_CENTS)]
    *earlier, last = turns
    kinds = SubscriptionEvent.Kind
    SubscriptionEvent.objects.bulk_create(
        SubscriptionEvent(
            creator=fan.creator,
            fan=fan,
            kind=kinds.RENEWED if at > came else kinds.STARTED,
            occurred_at=at,
            price_cents=SUBSCRIPTION_CENTS,
        )
        for at in earlier
    )
    record = SubscriptionEvent.objects.record
    record(fan, kinds.RENEWED if last > came else kinds.STARTED, occurred_at=last, price_cents=SUBSCRIPTION_CENTS)
    Fan.objects.filter(pk=fan.pk).joined(came)
    fan.refresh_from_db()
    if left:
        record(fan, kinds.EXPIRED, occurred_at=left)
    until = now - timedelta(minutes=person.seen_minutes_ago or 0)
    Transaction.objects.record(fan.creator, list(_payments(fan, person, turns, until)))


def _turns(came: datetime, until: datetime) -> Iterator[datetime]:
    """When the subscription began and each month that it went on."""
    while came < until:
        yield came
        came += MONTH


def _payments(fan: Fan, person: Person, turns: list[datetime], until: datetime) -> Iterator[Payment]:
    left_over, numbers = person.value_cents, count(1)
    drawn = Random(person.platform_id)  # noqa: S311, a demo, and the same every time

    def payment(kind: str, cents: int, at: datetime) -> Payment:
        fee = cents * FEE_PERCENT // 100
        return Payment(
            kind=kind,
            amount_cents=cents,
            fee_cents=fee,
            net_cents=cents - fee,
            occurred_at=at,
            source=Transaction.Source.SYNC,
            fan=fan,
            platform_id=f"demo-{person.platform_id}-{next(numbers)}",
        )

    for at in turns:
        left_over -= SUBSCRIPTION_CENTS
        yield payment(Transaction.Kind.SUBSCRIPTION, SUBSCRIPTION_CENTS, at)
    while left_over > 0:
        cents = drawn.choice(AMOUNTS)
        if left_over - cents < min(AMOUNTS):
            cents = left_over
        left_over -= cents
        kind = drawn.choice((Transaction.Kind.TIP, Transaction.Kind.MESSAGE, Transaction.Kind.MESSAGE))
        yield payment(kind, cents, turns[0] + (until - turns[0]) * drawn.random())
