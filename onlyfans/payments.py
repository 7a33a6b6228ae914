"""Payments as the platform lists them, brought into the ledger once: by an event, or by reading the account's list."""

from collections.abc import Sequence

import structlog

from crm.merging import identify
from crm.models import Creator, Payment, Transaction
from onlyfans.gateway.contract import PaymentRecord

#: The platform's own word for a payment that came to nothing.
CAME_TO_NOTHING = frozenset({"failed", "cancelled", "canceled", "refunded", "error", "undo", "chargeback"})
#: What a payment was for, by the first of these words in its type or its description.
_KINDS = (
    ("subscription", Transaction.Kind.SUBSCRIPTION),
    ("tip", Transaction.Kind.TIP),
    ("message", Transaction.Kind.MESSAGE),
    ("post", Transaction.Kind.POST),
    ("stream", Transaction.Kind.STREAM),
)

log = structlog.get_logger(__name__)


def take_in(creator: Creator, told: Sequence[PaymentRecord], *, source: Transaction.Source) -> None:
    """Let the ledger have these payments, if it has not. An unlock or a tip may have been told of by its own event."""
    good = [each for each in told if each.status.lower() not in CAME_TO_NOTHING]
    if len(good) < len(told):
        log.info("payments that came to nothing", creator=creator.pk, number=len(told) - len(good))
    if good:
        Transaction.objects.record(creator, [_payment(creator, each, source) for each in good])


def _payment(creator: Creator, told: PaymentRecord, source: Transaction.Source) -> Payment:
    fan = None
    if told.person:
        fan = identify(creator, told.person.platform_id, handle=told.person.handle, name=told.person.name)
    return Payment(
        kind=_kind_of(told),
        amount_cents=told.amount_cents,
        fee_cents=told.fee_cents,
        net_cents=told.net_cents,
        currency=(told.currency or "USD").upper()[:3],
        occurred_at=told.occurred_at,
        description=told.description,
        source=source,
        fan=fan,
        platform_id=told.platform_id,
    )


def _kind_of(told: PaymentRecord) -> Transaction.Kind:
    # "Tip from Post Malone" is no post.
    about = f"{told.kind} {told.description.partition(' from ')[0]}".lower()
    return next((kind for word, kind in _KINDS if word in about), Transaction.Kind.OTHER)
