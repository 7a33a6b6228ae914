"""A creator's figures: the page, the rows behind each figure, and each figure as a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from crm import analytics, exporting
from crm.analytics import ACTIVE_DAYS, MANY_FANS, Bucket, Fans, Figures, Money, Replies, ReplyTime, Turnover
from crm.charts import Chart, Column, chart, rounded_up_time
from crm.forms.periods import PeriodForm
from crm.models import Campaign, Creator, SubscriptionEvent, Transaction
from crm.numbers import change, grouped
from crm.paging import Sorting, always, page_of, sortings
from crm.periods import Period, Unit
from crm.reporting import REPORTS, Asked, by_currency, report
from crm.templatetags.humane import duration
from crm.views.access import SignedInRequest, chosen_creator, signed_in
from crm.wording import amount

PAGE = "crm/analytics/page.html"
ROWS = "crm/analytics/rows.html"
LATEST = always(sortings(occurredAt="occurred_at"))["-occurredAt"]
LATEST_WRITTEN = always(sortings(sendAt="send_at"))["-sendAt"]


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure beside the one before it. Without ``values`` no row can tell, and ``nothing`` says so."""

    name: str
    values: Sequence[str]
    note: str
    rows: str
    nothing: str = ""


@dataclass(frozen=True, slots=True)
class Plot:
    """A chart with its words; ``table`` are (bucket's name, address of its rows, cells)."""

    key: str
    title: str
    says: str
    chart: Chart
    ticks: Sequence[tuple[str, float]]
    along: Sequence[str]
    heads: Sequence[str]
    table: Sequence[tuple[str, str, Sequence[str]]]


# --- The page


@require_safe
@signed_in
def page(request: SignedInRequest) -> HttpResponse:
    """Every figure of a period, each beside the one of as many days before."""
    creator, now = chosen_creator(request), timezone.now()
    form = PeriodForm(creator, request.GET, now=now)
    valid = form.is_valid()
    period, unit, kinds = form.period, form.unit_shown, form.kinds
    figures = Figures(creator, period, now=now)
    with timezone.override(creator.zone):
        context = {
            "form": form,
            "creator": creator,
            "period": period,
            "query": _query(period, unit=form["unit"].value(), kind=kinds),
            "ranges": [(name, _query(first_of, unit="", kind=kinds), on) for name, first_of, on in _ranges(form)],
            "tiles": [*_tiles(figures, kinds), *_fan_tiles(figures)],
            "plots": [
                *_revenue_plots(figures, unit, kinds),
                *_subscriber_plots(figures, unit),
                *_reply_plots(figures, unit),
            ],
            "top_fans": analytics.top_fans_in(creator, period, list(analytics.top_fans(creator))),
            "earnings": figures.campaign_earnings(),
            "kind_names": [str(Transaction.Kind(kind).label) for kind in kinds],
        }
        return render(request, PAGE, context, status=HTTPStatus.OK if valid else HTTPStatus.BAD_REQUEST)


@require_safe
@signed_in
def file(request: SignedInRequest, name: str) -> StreamingHttpResponse:
    """One figure as CSV, of the same days as the page."""
    creator, now = chosen_creator(request), timezone.now()
    form = PeriodForm(creator, request.GET, now=now)
    if name not in REPORTS or not form.is_valid():
        raise Http404
    lines = report(name, Asked(creator, form.period, form.unit_shown, form.kinds), now=now)
    return _csv(lines, f"{name}-{form.period.first}-{form.period.last}")


def _ranges(form: PeriodForm) -> Iterator[tuple[str, Period, bool]]:
    for name, first, is_present in form.ranges:
        yield name, Period.chosen(form.creator.zone, first, None, now=form.now), is_present


def _query(period: Period, **values: object) -> str:
    """The address of a page about these days."""
    said = {"from": period.first.isoformat(), "to": period.last.isoformat()}
    return f"?{urlencode(said | {name: value for name, value in values.items() if value}, doseq=True)}"


# --- Figures beside those before them


def _tiles(figures: Figures, kinds: Sequence[str]) -> Iterator[Tile]:
    creator, period, both = figures.creator, figures.period, (figures, figures.before)
    rows = reverse("transactions") + _query(period, kind=kinds)
    yield _money_tile(_("Revenue"), creator, *(each.revenue(kinds) for each in both), rows=rows)
    rows = reverse("transactions") + _query(period, campaign="any")
    yield _money_tile(_("From campaigns"), creator, *(each.campaign_revenue() for each in both), rows=rows)
    for name, kind in (
        (_("New subscribers"), SubscriptionEvent.Kind.STARTED),
        (_("Lost subscribers"), SubscriptionEvent.Kind.EXPIRED),
    ):
        rows = reverse("subscriptions") + _query(period, kind=kind.value)
        yield _subscriber_tile(name, *(each.subscribers(kind) for each in both), rows=rows)
    yield _reply_tile(*(each.reply_time() for each in both), rows=reverse("replies") + _query(period))


def _fan_tiles(figures: Figures) -> Iterator[Tile]:
    """As it is today, beside what it was when the period began."""
    fans, creator, now, before = reverse("fans"), figures.creator, figures.fans, figures.fans_before
    day = formats.date_format(figures.period.previous.last)
    today = _today(now)
    joined = _on(day, now.total, before.total, grouped)
    yield Tile(_("Fans"), [grouped(now.total)], f"{today} · {joined}", fans)
    seen = _("Seen in the last %(days)d days") % {"days": ACTIVE_DAYS}
    note = f"{today} · {seen} · {_on(day, now.active or 0, before.active, grouped)}"
    yield Tile(_("Active fans"), [grouped(now.active or 0)], note, f"{fans}?seenWithinDays={ACTIVE_DAYS}")

    def money(cents: int) -> str:
        return amount(cents, creator.currency)

    cents, spent = now.value_cents or 0, _("All that all fans ever spent")
    note = f"{today} · {spent} · {_on(day, cents, before.value_cents, money)}"
    yield Tile(_("Lifetime value"), [money(cents)], note, f"{fans}?sort=-valueCents")


def _today(fans: Fans) -> str:
    """Very many are not counted for every page: then it says when they were."""
    if fans.total < MANY_FANS:
        return _("Today")
    return _("Today at %(time)s") % {"time": formats.time_format(timezone.localtime(fans.counted_at), "H:i")}


def _on(day: str, value: int, before: int | None, written: Callable[[int], str]) -> str:
    """What it was at the end of a day, in the words of ``_compared``."""
    if before is None:
        return _("on %(day)s: not known") % {"day": day}
    return _compared(_("on %(day)s: %(value)s") % {"day": day, "value": written(before)}, value, before)


def _money_tile(
    name: str, creator: Creator, here: Sequence[Money] | None, before: Sequence[Money] | None, *, rows: str
) -> Tile:
    if here is None:
        return Tile(name, [], "", rows, nothing=_("No payment is known yet."))
    now, then = by_currency(here), by_currency(before)
    currencies = sorted(now.keys() | then.keys()) or [creator.currency]
    cents = [(code, _cents(now.get(code)), _cents(then.get(code))) for code in currencies]
    values = [amount(value, code) for code, value, _before in cents]
    notes = [_before(amount(earlier, code), value, earlier) for code, value, earlier in cents]
    return Tile(name, values, " · ".join(notes), rows)


def _subscriber_tile(name: str, here: int | None, before: int | None, *, rows: str) -> Tile:
    if here is None:
        return Tile(name, [], "", rows, nothing=_("No subscription was told of yet."))
    return Tile(name, [grouped(here)], _before(grouped(before or 0), here, before or 0), rows)


def _reply_tile(here: ReplyTime | None, before: ReplyTime | None, *, rows: str) -> Tile:
    name, earlier = _("Reply time"), before.median if before else None
    said = _("before: %(value)s") % {"value": duration(earlier)} if earlier is not None else _("before: not known")
    if here is None:
        return Tile(name, [], said, rows, nothing=_("No fan wrote in these days."))
    counts = {"answered": grouped(here.answered), "unanswered": grouped(here.unanswered)}
    words = _("Median; %(answered)s answered, %(unanswered)s not") % counts
    if here.median is None:
        return Tile(name, [], f"{words} · {said}", rows, nothing=_("Nobody was answered."))
    return Tile(name, [duration(here.median)], f"{words} · {said}", rows)


def _before(written: str, value: int, before: int) -> str:
    return _compared(_("before: %(value)s") % {"value": written}, value, before)


def _compared(words: str, value: int, before: int) -> str:
    changed = change(value, before)
    return f"{words} ({changed})" if changed else words


def _cents(money: Money | None) -> int:
    return money.amount_cents if money else 0


# --- Charts


def _revenue_plots(figures: Figures, unit: Unit, kinds: Sequence[str]) -> Iterator[Plot]:
    """One for each currency, for they are never added."""
    buckets, period = figures.revenue_by(unit, kinds), figures.period
    currencies = sorted({money.currency for bucket in buckets for money in bucket.money})
    for currency in currencies:
        yield _revenue_plot(buckets, currency, period, unit, kinds, several=len(currencies) > 1)


def _revenue_plot(
    buckets: Sequence[Bucket], currency: str, period: Period, unit: Unit, kinds: Sequence[str], *, several: bool
) -> Plot:
    columns, table = [], []
    for bucket in buckets:
        money = by_currency(bucket.money).get(currency)
        cents, name = _cents(money), _named(bucket.first, unit)
        kind = "less" if cents < 0 else "more"
        columns.append(Column([(kind, cents, f"{name}: {amount(cents, currency)}")]))
        net = "–" if money is None or money.net_cents is None else amount(money.net_cents, currency)
        cells = (amount(cents, currency), net, grouped(money.payments if money else 0))
        rows = _rows_of("transactions", bucket.first, period, unit, kind=kinds, currency=currency)
        table.append((name, rows, cells))
    drawn = chart(columns)
    title = _("Revenue in %(currency)s") % {"currency": currency} if several else _("Revenue")
    best = max(columns, key=lambda column: column.values[0][1])
    says = _("%(count)d bars; the highest is %(best)s.") % {"count": len(columns), "best": best.values[0][2]}
    ticks = [(amount(round(value), currency), y) for value, y in drawn.ticks]
    heads = (_("Amount"), _("Kept"), _("Payments"))
    return Plot("revenue", title, says, drawn, ticks, _along(buckets, unit), heads, table)


def _subscriber_plots(figures: Figures, unit: Unit) -> Iterator[Plot]:
    turnovers = figures.subscribers_by(unit)
    if not any(each.started or each.expired for each in turnovers):
        return
    columns, table = [], []
    for each in turnovers:
        name = _named(each.first, unit)
        came = _("%(count)s new") % {"count": grouped(each.started)}
        left = _("%(count)s lost") % {"count": grouped(each.expired)}
        columns.append(Column([("more", each.started, f"{name}: {came}"), ("less", -each.expired, f"{name}: {left}")]))
        rows = _rows_of("subscriptions", each.first, figures.period, unit)
        table.append((name, rows, (grouped(each.started), grouped(each.expired))))
    drawn = chart(columns)
    says = _("New ones stand above the line, lost ones hang below it: %(new)s new and %(lost)s lost in all.") % {
        "new": grouped(sum(each.started for each in turnovers)),
        "lost": grouped(sum(each.expired for each in turnovers)),
    }
    ticks = [(grouped(abs(round(value))), y) for value, y in drawn.ticks]
    heads = (_("New"), _("Lost"))
    along = _along(turnovers, unit)
    yield Plot("subscribers", _("New and lost subscribers"), says, drawn, ticks, along, heads, table)


def _reply_plots(figures: Figures, unit: Unit) -> Iterator[Plot]:
    replies = figures.reply_time_by(unit)
    if not any(each.time for each in replies):
        return
    columns, table = [], []
    for each in replies:
        name, median = _named(each.first, unit), each.time.median if each.time else None
        took = _("nobody was answered") if median is None else duration(median)
        columns.append(Column([("more", round(median.total_seconds()) if median else 0, f"{name}: {took}")]))
        answered, unanswered = (each.time.answered, each.time.unanswered) if each.time else (0, 0)
        cells = ("–" if median is None else took, grouped(answered), grouped(unanswered))
        table.append((name, _rows_of("replies", each.first, figures.period, unit), cells))
    drawn = chart(columns, rounded_up=rounded_up_time)
    slowest = max(columns, key=lambda column: column.values[0][1])
    says = _("The median of each bar's days; the longest is %(longest)s.") % {"longest": slowest.values[0][2]}
    ticks = [(duration(timedelta(seconds=value)), y) for value, y in drawn.ticks]
    heads = (_("Median"), _("Answered"), _("Not answered"))
    yield Plot("replies", _("Reply time"), says, drawn, ticks, _along(replies, unit), heads, table)


def _rows_of(name: str, bucket: date, period: Period, unit: Unit, **values: object) -> str:
    first, last = period.within(bucket, unit)
    return reverse(name) + _query(Period(period.zone, first, last), **values)


def _along(buckets: Sequence[Bucket | Turnover | Replies], unit: Unit) -> list[str]:
    """The first, the middle and the last name below the bars."""
    places = dict.fromkeys((0, (len(buckets) - 1) // 2, len(buckets) - 1))
    return [_named(buckets[place].first, unit) for place in places]


def _named(bucket: date, unit: Unit) -> str:
    if unit == Unit.MONTH:
        return formats.date_format(bucket, "YEAR_MONTH_FORMAT")
    written = formats.date_format(bucket)
    return _("week of %(day)s") % {"day": written} if unit == Unit.WEEK else written


# --- The rows behind the figures


@require_safe
@signed_in
def transactions(request: SignedInRequest) -> HttpResponseBase:
    """The payments that revenue is the sum of, newest first."""
    creator = chosen_creator(request)
    form = PeriodForm(creator, request.GET, now=timezone.now())
    valid = form.is_valid()
    rows = _payments(request, form)
    if "csv" in request.GET:
        return _csv(exporting.payments(rows), f"transactions-{form.period.first}-{form.period.last}")
    shown = rows.select_related("fan", "campaign")
    context: dict[str, Any] = {"title": _("Payments"), "what": "payments", "kinds": Transaction.Kind.choices}
    context |= {"sums": analytics.sums(rows)}
    return _listed(request, form, shown, context, valid=valid)


@require_safe
@signed_in
def subscriptions(request: SignedInRequest) -> HttpResponse:
    """The subscriptions that began, went on or ended, newest first."""
    creator = chosen_creator(request)
    form = PeriodForm(creator, _without_kind(request), now=timezone.now())
    valid = form.is_valid()
    rows = SubscriptionEvent.objects.filter(
        creator=creator, occurred_at__gte=form.period.begins, occurred_at__lt=form.period.ends
    ).select_related("fan")
    kind = request.GET.get("kind", "")
    if kind in SubscriptionEvent.Kind.values:
        rows = rows.filter(kind=kind)
    context = {"title": _("Subscriptions"), "what": "subscriptions", "kinds": SubscriptionEvent.Kind.choices}
    return _listed(request, form, rows, context, valid=valid)


@require_safe
@signed_in
def replies(request: SignedInRequest) -> HttpResponse:
    """What fans wrote first since our last answer, with when it was answered, newest first."""
    form = PeriodForm(chosen_creator(request), _without_kind(request), now=timezone.now())
    valid = form.is_valid()
    rows = analytics.questions(form.creator, form.period).select_related("conversation__fan")
    return _listed(request, form, rows, {"title": _("Replies"), "what": "replies"}, valid=valid, order=LATEST_WRITTEN)


def _payments(request: SignedInRequest, form: PeriodForm) -> "QuerySet[Transaction]":
    rows = analytics.payments(form.creator, form.period, form.kinds)
    if currency := request.GET.get("currency"):
        rows = rows.filter(currency=currency)
    asked = request.GET.get("campaign")
    if asked == "any":
        return rows.filter(campaign__isnull=False)
    if asked:
        try:
            return rows.filter(campaign__in=Campaign.objects.filter(creator=form.creator, public_id=asked))
        except ValidationError as error:
            raise Http404 from error
    return rows


def _listed(
    request: SignedInRequest,
    form: PeriodForm,
    rows: "QuerySet[Any]",
    context: Mapping[str, Any],
    *,
    valid: bool,
    order: Sorting = LATEST,
) -> HttpResponse:
    try:
        found = page_of(rows, order, cursor=request.GET.get("cursor", ""))
    except ValidationError as error:
        raise Http404(str(error)) from error
    carried = {name: request.GET.getlist(name) for name in ("from", "to", "kind", "currency", "campaign")}
    address = urlencode({name: value for name, value in carried.items() if any(value)}, doseq=True)
    back = reverse("analytics") + _query(form.period)
    everything = {
        **context,
        "form": form,
        "creator": form.creator,
        "period": form.period,
        "rows": found.rows,
        "back": back,
        "chosen_kinds": request.GET.getlist("kind"),
        "hidden": [(name, each) for name in ("currency", "campaign") for each in carried[name] if each],
        "file": f"?{address}&csv=1",
        "newer": f"?{address}&{urlencode({'cursor': found.previous})}" if found.previous else "",
        "older": f"?{address}&{urlencode({'cursor': found.next})}" if found.next else "",
    }
    with timezone.override(form.creator.zone):
        return render(request, ROWS, everything, status=HTTPStatus.OK if valid else HTTPStatus.BAD_REQUEST)


def _without_kind(request: SignedInRequest) -> Any:
    """The days alone: kinds of payments are no kinds of subscriptions."""
    query = request.GET.copy()
    query.pop("kind", None)
    return query


def _csv(lines: Iterator[str], name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
