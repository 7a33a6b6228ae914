"""The figures of ``crm/analytics.py`` as CSV: what the page shows and the API answers, a row each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from crm import analytics, csv_text, exporting
from crm.analytics import Money, Period, Unit
from crm.importing.cells import as_plain
from crm.models import Creator, SubscriptionEvent

Rows = Iterator[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks at: whose figures, of which days, cut how, of which kinds of payment."""

    creator: Creator
    period: Period
    unit: Unit = Unit.DAY
    kinds: Sequence[str] = ()


def report(name: str, asked: Asked, *, now: datetime) -> Iterator[str]:
    """The file of one of ``REPORTS``, line by line."""
    return csv_text.lines(REPORTS[name](asked, now))


def _overview(asked: Asked, now: datetime) -> Rows:
    creator, period, previous = asked.creator, asked.period, asked.period.previous
    yield ("Figure", "Currency", "Value", "Before", "From", "To", "Before From", "Before To", "Timezone")
    days = (*_days(period), *_days(previous), period.zone.key)
    for name, currency, value, before in _overview_figures(creator, period, now):
        yield (name, currency, value, before, *days)


def _overview_figures(creator: Creator, period: Period, now: datetime) -> Iterator[tuple[str, ...]]:
    previous = period.previous
    yield "Total fans", "", str(analytics.total_fans(creator)), ""
    yield "Active fans", "", str(analytics.active_fans(creator, now)), ""
    value = exporting.money(analytics.lifetime_value(creator), creator.currency)
    yield "Lifetime value", creator.currency, value, ""
    for name, figure in (("Revenue", analytics.revenue), ("Campaign earnings", analytics.campaign_revenue)):
        here, before = by_currency(figure(creator, period)), by_currency(figure(creator, previous))
        for currency in sorted(here.keys() | before.keys()):
            yield name, currency, *(_amount(some.get(currency), currency) for some in (here, before))
    for name, kind in (
        ("New subscribers", SubscriptionEvent.Kind.STARTED),
        ("Lost subscribers", SubscriptionEvent.Kind.EXPIRED),
    ):
        yield name, "", *(_number(analytics.subscribers(creator, when, kind)) for when in (period, previous))
    replies = [analytics.reply_time(creator, when) for when in (period, previous)]
    seconds = [each.median.total_seconds() if each and each.median is not None else None for each in replies]
    yield "Reply time in seconds", "", *(_number(None if each is None else round(each)) for each in seconds)


def by_currency(money: Iterable[Money] | None) -> Mapping[str, Money]:
    return {each.currency: each for each in money or ()}


def _revenue(asked: Asked, _now: datetime) -> Rows:
    yield ("From", "To", "Currency", "Amount", "Net", "Payments")
    for bucket in analytics.revenue_by(asked.creator, asked.period, asked.unit, asked.kinds):
        days = _days_of(bucket.first, asked)
        for money in bucket.money or [Money(asked.creator.currency, 0, 0, 0)]:
            yield (*days, *_cells(money))


def _subscribers(asked: Asked, _now: datetime) -> Rows:
    yield ("From", "To", "New", "Lost")
    for each in analytics.subscribers_by(asked.creator, asked.period, asked.unit):
        yield (*_days_of(each.first, asked), str(each.started), str(each.expired))


def _top_fans(asked: Asked, _now: datetime) -> Rows:
    currency = asked.creator.currency
    yield ("Platform ID", "Username", "Display Name", "Total Spent", "Currency")
    for fan in analytics.top_fans(asked.creator):
        spent = exporting.money(fan.value_cents, currency)
        yield (fan.platform_id, fan.handle, as_plain(fan.name), spent, currency)


def _campaigns(asked: Asked, _now: datetime) -> Rows:
    yield ("Campaign", "Campaign ID", "Currency", "Amount", "Net", "Payments")
    for earnings in analytics.campaign_earnings(asked.creator, asked.period):
        for money in earnings.money:
            yield (as_plain(earnings.campaign.name), str(earnings.campaign.public_id), *_cells(money))


REPORTS: Mapping[str, Callable[[Asked, datetime], Rows]] = {
    "overview": _overview,
    "revenue": _revenue,
    "subscribers": _subscribers,
    "top-fans": _top_fans,
    "campaigns": _campaigns,
}


def _days(period: Period) -> tuple[str, str]:
    return period.first.isoformat(), period.last.isoformat()


def _days_of(bucket: date, asked: Asked) -> tuple[str, str]:
    first, last = asked.period.within(bucket, asked.unit)
    return first.isoformat(), last.isoformat()


def _cells(money: Money) -> tuple[str, str, str, str]:
    net = exporting.money(money.net_cents, money.currency)
    return money.currency, exporting.money(money.amount_cents, money.currency), net, str(money.payments)


def _amount(money: Money | None, currency: str) -> str:
    return exporting.money(money.amount_cents if money else 0, currency)


def _number(value: int | None) -> str:
    """Nothing where no row can tell."""
    return "" if value is None else str(value)
