"""The figures of ``crm/analytics.py`` as CSV: what the page shows and the API answers, a row each."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from crm import analytics, csv_text, exporting
from crm.analytics import Figures, Money, ReplyTime
from crm.importing.cells import as_plain
from crm.models import Creator, SubscriptionEvent
from crm.periods import Period, Unit

Rows = Iterator[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody looks at: whose figures, of which days, cut how, of which kinds of payment."""

    creator: Creator
    period: Period
    unit: Unit = Unit.DAY
    kinds: Sequence[str] = ()

    def figures(self, now: datetime) -> Figures:
        return Figures(self.creator, self.period, now=now)


def report(name: str, asked: Asked, *, now: datetime) -> Iterator[str]:
    """The file of one of ``REPORTS``, line by line."""
    return csv_text.lines(REPORTS[name](asked, now))


def _overview(asked: Asked, now: datetime) -> Rows:
    period, previous = asked.period, asked.period.previous
    yield ("Figure", "Currency", "Value", "Before", "From", "To", "Before From", "Before To", "Timezone")
    days = (*_days(period), *_days(previous), period.zone.key)
    for name, currency, value, before in _overview_figures(asked.figures(now)):
        yield (name, currency, value, before, *days)


def _overview_figures(figures: Figures) -> Iterator[tuple[str, ...]]:
    currency, both = figures.creator.currency, (figures, figures.before)
    stand = (figures.fans, figures.fans_before)
    yield "Total fans", "", *(_number(each.total) for each in stand)
    yield "Active fans", "", *(_number(each.active) for each in stand)
    yield "Lifetime value", currency, *(exporting.money(each.value_cents, currency) for each in stand)
    for name, money in (
        ("Revenue", [each.revenue() for each in both]),
        ("Campaign earnings", [each.campaign_revenue() for each in both]),
    ):
        here, before = map(by_currency, money)
        for code in sorted(here.keys() | before.keys()):
            yield name, code, _amount(here.get(code), code), _amount(before.get(code), code)
    for name, kind in (
        ("New subscribers", SubscriptionEvent.Kind.STARTED),
        ("Lost subscribers", SubscriptionEvent.Kind.EXPIRED),
    ):
        yield name, "", *(_number(each.subscribers(kind)) for each in both)
    yield "Reply time in seconds", "", *(_seconds(each.reply_time()) for each in both)


def by_currency(money: Iterable[Money] | None) -> Mapping[str, Money]:
    return {each.currency: each for each in money or ()}


def _revenue(asked: Asked, now: datetime) -> Rows:
    yield ("From", "To", "Currency", "Amount", "Net", "Payments")
    for bucket in asked.figures(now).revenue_by(asked.unit, asked.kinds):
        days = _days_of(bucket.first, asked)
        for money in bucket.money or [Money(asked.creator.currency, 0, 0, 0)]:
            yield (*days, *_cells(money))


def _subscribers(asked: Asked, now: datetime) -> Rows:
    yield ("From", "To", "New", "Lost")
    for each in asked.figures(now).subscribers_by(asked.unit):
        yield (*_days_of(each.first, asked), str(each.started), str(each.expired))


def _replies(asked: Asked, now: datetime) -> Rows:
    yield ("From", "To", "Median in seconds", "Answered", "Not answered")
    for each in asked.figures(now).reply_time_by(asked.unit):
        answered, unanswered = (each.time.answered, each.time.unanswered) if each.time else (0, 0)
        yield (*_days_of(each.first, asked), _seconds(each.time), str(answered), str(unanswered))


def _top_fans(asked: Asked, _now: datetime) -> Rows:
    creator, period = asked.creator, asked.period
    days = (*_days(period), *_days(period.previous), period.zone.key)
    yield (
        *("Platform ID", "Username", "Display Name", "Total Spent", "Currency", "Spent", "Before"),
        *("From", "To", "Before From", "Before To", "Timezone"),
    )
    for top in analytics.top_fans_in(creator, period, list(analytics.top_fans(creator))):
        fan, here, before = top.fan, by_currency(top.spent), by_currency(top.before)
        for code in sorted({creator.currency, *here, *before}, key=lambda each: (each != creator.currency, each)):
            total = exporting.money(fan.value_cents, code) if code == creator.currency else ""
            paid = (_amount(each.get(code), code) for each in (here, before))
            yield (fan.platform_id, fan.handle, as_plain(fan.name), total, code, *paid, *days)


def _campaigns(asked: Asked, now: datetime) -> Rows:
    yield ("Campaign", "Campaign ID", "Currency", "Amount", "Net", "Payments")
    for earnings in asked.figures(now).campaign_earnings():
        for money in earnings.money:
            yield (as_plain(earnings.campaign.name), str(earnings.campaign.public_id), *_cells(money))


REPORTS: Mapping[str, Callable[[Asked, datetime], Rows]] = {
    "overview": _overview,
    "revenue": _revenue,
    "subscribers": _subscribers,
    "replies": _replies,
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


def _seconds(time: ReplyTime | None) -> str:
    return _number(round(time.median.total_seconds()) if time and time.median is not None else None)


def _number(value: int | None) -> str:
    """Nothing where no row can tell."""
    return "" if value is None else str(value)
