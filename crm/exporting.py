"""Fans and transactions as CSV, a page of rows in memory at a time. What is exported here imports back unchanged."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from django.db.models import Model, QuerySet

from crm import csv_text
from crm.importing.cells import as_plain, joined_tags
from crm.importing.money import decimals_of
from crm.models import Campaign, Creator, Fan, ImportKind, Recipient, Transaction

M = TypeVar("M", bound=Model)

PAGE = 1000
FAN_COLUMNS = (
    "Platform ID",
    "Username",
    "Display Name",
    "Email",
    "Tags",
    "Total Spent",
    "Subscription",
    "Subscription Price",
    "Subscription Ends At",
    "Joined At",
    "Last Seen At",
    "Last Purchase At",
)
RECIPIENT_COLUMNS = (
    "Platform ID",
    "Username",
    "Display Name",
    "State",
    "Left Out Because",
    "Message ID",
    "Platform Message ID",
    "Attempts",
    "Price",
    "Sent At",
    "Purchased At",
    "Error",
)
TRANSACTION_COLUMNS = (
    "Transaction ID",
    "Huntaze Key",
    "Date",
    "Type",
    "Fan Platform ID",
    "Fan Username",
    "Amount",
    "Fee",
    "Net",
    "Currency",
    "Description",
)


def export(creator: Creator, kind: ImportKind, *, fans: "QuerySet[Fan] | None" = None) -> Iterator[str]:
    """The file, line by line: all of the creator's, or these ``fans`` of theirs."""
    if kind == ImportKind.TRANSACTIONS:
        return csv_text.lines(_transactions(creator.transactions.all()))
    return csv_text.lines(_fans(creator, creator.fans.all() if fans is None else fans))


def recipients(campaign: Campaign, chosen: "QuerySet[Recipient]") -> Iterator[str]:
    """What became of those of the campaign's recipients who are ``chosen``, line by line."""
    return csv_text.lines(_recipients(campaign, chosen.select_related("fan", "message")))


def _recipients(campaign: Campaign, chosen: "QuerySet[Recipient]") -> Iterator[Sequence[str]]:
    yield RECIPIENT_COLUMNS
    for recipient in _in_pages(chosen):
        recipient.campaign = campaign
        fan, message = recipient.fan, recipient.message
        yield (
            fan.platform_id if fan else "",
            fan.handle if fan else "",
            as_plain(fan.name) if fan else "",
            recipient.state,
            recipient.excluded,
            str(message.public_id) if message else "",
            message.platform_id or "" if message else "",
            str(message.attempts) if message else "",
            money(message.price_cents, campaign.creator.currency) if message else "",
            moment(message.sent_at) if message else "",
            moment(message.purchased_at) if message else "",
            message.cause if message else "",
        )


def _fans(creator: Creator, fans: "QuerySet[Fan]") -> Iterator[Sequence[str]]:
    yield FAN_COLUMNS
    for fan in _in_pages(fans.prefetch_related("tags")):
        yield (
            fan.platform_id,
            fan.handle,
            as_plain(fan.name),
            fan.email,
            joined_tags([tag.name for tag in fan.tags.all()]),
            money(fan.value_cents, creator.currency),
            fan.subscription,
            money(fan.subscription_price_cents, creator.currency),
            moment(fan.subscription_ends_at),
            moment(fan.joined_at),
            moment(fan.last_seen_at),
            moment(fan.last_purchase_at),
        )


def payments(rows: "QuerySet[Transaction]") -> Iterator[str]:
    """Some payments, line by line, in the columns in which all of them are exported."""
    return csv_text.lines(_transactions(rows))


def _transactions(rows: "QuerySet[Transaction]") -> Iterator[Sequence[str]]:
    yield TRANSACTION_COLUMNS
    for payment in _in_pages(rows.select_related("fan")):
        fan: Fan | None = payment.fan
        yield (
            payment.platform_id,
            _key(payment),
            moment(payment.occurred_at),
            payment.kind,
            fan.platform_id if fan else "",
            fan.handle if fan else "",
            money(payment.amount_cents, payment.currency),
            money(payment.fee_cents, payment.currency),
            money(payment.net_cents, payment.currency),
            payment.currency,
            as_plain(payment.description),
        )


def _key(payment: Transaction) -> str:
    """What a payment without an id is known by, so that it is known when it comes back."""
    if payment.platform_id:
        return ""
    return f"e:{payment.event_key}" if payment.event_key else f"f:{payment.fingerprint}"


def _in_pages(rows: "QuerySet[M]") -> Iterator[M]:
    """In the order of their keys, so that a page begins where the last one ended, however long that took."""
    last = 0
    while page := list(rows.filter(pk__gt=last).order_by("pk")[:PAGE]):
        yield from page
        last = page[-1].pk


def money(amount: int | None, currency: str) -> str:
    """Less than nothing in brackets: a minus would begin a formula."""
    if amount is None:
        return ""
    written = str(Decimal(abs(amount)).scaleb(-decimals_of(currency)))
    return f"({written})" if amount < 0 else written


def moment(at: datetime | None) -> str:
    """As every program reads it, in UTC."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at else ""
