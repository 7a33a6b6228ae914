"""Figures: what a creator earned, from whom, and how it is going. Each is defined here, once, for page, API and file.

A figure is counted by the database from rows that can be listed. Days are those of the creator's clock. Money of two
currencies is never added. Where no row can tell, the answer is None and not 0.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db.models import (
    Count,
    DurationField,
    ExpressionWrapper,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
)
from django.utils.translation import gettext as _

from crm.models import Campaign, Creator, Fan, Message, SubscriptionEvent, Transaction
from crm.models.messages import ON_THE_PLATFORM, Direction

#: A fan who was seen in so many days is active.
ACTIVE_DAYS = 30
TOP_FANS = 10
CAMPAIGNS_MAX = 50
DAYS_DEFAULT, DAYS_MAX, BUCKETS_MAX = 30, 3660, 400


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a creator's clock, both ends included."""

    zone: ZoneInfo
    first: date
    last: date

    @classmethod
    def chosen(cls, zone: ZoneInfo, first: date | None, last: date | None, *, now: datetime) -> "Period":
        """From ``first`` to ``last``; without them the ``DAYS_DEFAULT`` days until today. Raises ValidationError."""
        last = last or now.astimezone(zone).date()
        first = first or last - timedelta(days=DAYS_DEFAULT - 1)
        if not date(1970, 1, 1) < first <= last < date(9000, 1, 1) or (last - first).days >= DAYS_MAX:
            words = _("From 1 to %(max)d days, the first before the last.") % {"max": DAYS_MAX}
            raise ValidationError({"from": [words]})
        return cls(zone, first, last)

    @property
    def begins(self) -> datetime:
        return _midnight(self.first, self.zone)

    @property
    def ends(self) -> datetime:
        """The first moment that is not in it any more."""
        return _midnight(self.last + timedelta(days=1), self.zone)

    @property
    def previous(self) -> "Period":
        """As many days, just before."""
        days = (self.last - self.first).days + 1
        return Period(self.zone, self.first - timedelta(days=days), self.first - timedelta(days=1))

    def buckets(self, unit: Unit) -> list[date]:
        """The first day of every bucket that has a day in the period; weeks begin on Monday.

        Raises ValidationError when there are more than ``BUCKETS_MAX``.
        """
        first, found = _bucket_of(self.first, unit), []
        while first <= self.last:
            found.append(first)
            first = _next_bucket(first, unit)
        if len(found) > BUCKETS_MAX:
            words = _("At most %(max)d at once: choose fewer days, or weeks or months.") % {"max": BUCKETS_MAX}
            raise ValidationError({"unit": [words]})
        return found

    def within(self, bucket: date, unit: Unit) -> tuple[date, date]:
        """The first and the last of its days that are in the bucket beginning with ``bucket``."""
        return max(bucket, self.first), min(_next_bucket(bucket, unit) - timedelta(days=1), self.last)


@dataclass(frozen=True, slots=True)
class Money:
    """``net_cents`` is what the creator keeps; None when one of the payments does not say."""

    currency: str
    amount_cents: int
    net_cents: int | None
    payments: int


@dataclass(frozen=True, slots=True)
class Bucket:
    first: date
    money: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Turnover:
    """Subscriptions that began and that expired in the bucket beginning with ``first``."""

    first: date
    started: int
    expired: int


@dataclass(frozen=True, slots=True)
class ReplyTime:
    """From a fan's first message since our last one until our answer. Campaigns are no answers."""

    median: timedelta | None
    answered: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Earnings:
    campaign: Campaign
    money: Sequence[Money]


# --- Fans


def total_fans(creator: Creator) -> int:
    return Fan.objects.filter(creator=creator).count()


def active_fans(creator: Creator, now: datetime) -> int:
    """Seen in the last ``ACTIVE_DAYS`` days. Who was active earlier cannot be known: only the last time is."""
    return Fan.objects.filter(creator=creator, last_seen_at__gte=now - timedelta(days=ACTIVE_DAYS)).count()


def lifetime_value(creator: Creator) -> int:
    """Of all fans together, in cents of the creator's currency."""
    return Fan.objects.filter(creator=creator).aggregate(sum=Sum("value_cents"))["sum"] or 0


def top_fans(creator: Creator) -> QuerySet[Fan]:
    """Those who spent most in all."""
    return Fan.objects.filter(creator=creator, value_cents__gt=0).order_by("-value_cents", "-pk")[:TOP_FANS]


def subscribers(creator: Creator, period: Period, kind: SubscriptionEvent.Kind) -> int | None:
    """How many subscriptions began or expired in the period; None when no such thing was ever told."""
    told = SubscriptionEvent.objects.filter(creator=creator)
    how_many = told.filter(kind=kind, occurred_at__gte=period.begins, occurred_at__lt=period.ends).count()
    return how_many if how_many or told.exists() else None


def subscribers_by(creator: Creator, period: Period, unit: Unit) -> Sequence[Turnover]:
    """Every day, week or month of the period, also those in which nobody came or left."""
    kinds = (SubscriptionEvent.Kind.STARTED, SubscriptionEvent.Kind.EXPIRED)

    def of(days: Period) -> QuerySet:
        told = SubscriptionEvent.objects.filter(
            creator=creator, kind__in=kinds, occurred_at__gte=days.begins, occurred_at__lt=days.ends
        )
        return told.values("kind").annotate(number=Count("*"))

    found = {(row["first"], row["kind"]): row["number"] for row in _each_bucket(period, unit, of)}
    return [Turnover(day, *(found.get((day, kind), 0) for kind in kinds)) for day in period.buckets(unit)]


# --- Money


def payments(creator: Creator, period: Period, kinds: Iterable[str] = ()) -> QuerySet[Transaction]:
    """The rows that revenue is the sum of: payments and, negative, what was taken back."""
    rows = Transaction.objects.filter(creator=creator, occurred_at__gte=period.begins, occurred_at__lt=period.ends)
    return rows.filter(kind__in=list(kinds)) if kinds else rows


def revenue(creator: Creator, period: Period, kinds: Iterable[str] = ()) -> Sequence[Money] | None:
    """By currency; None when no payment of this creator is known at all."""
    money = _by_currency(payments(creator, period, kinds))
    return money if money or Transaction.objects.filter(creator=creator).exists() else None


def sums(rows: QuerySet[Transaction]) -> Sequence[Money]:
    """Of these payments, by currency."""
    return _by_currency(rows)


def revenue_by(creator: Creator, period: Period, unit: Unit, kinds: Iterable[str] = ()) -> Sequence[Bucket]:
    """Every day, week or month of the period, also those in which nothing came in."""
    found: dict[date, list[Money]] = {day: [] for day in period.buckets(unit)}
    for row in _each_bucket(period, unit, lambda days: _summed(payments(creator, days, kinds).values("currency"))):
        found[row["first"]].append(_money(row))
    for money in found.values():
        money.sort(key=lambda each: each.currency)
    return [Bucket(day, money) for day, money in found.items()]


def campaign_revenue(creator: Creator, period: Period) -> Sequence[Money] | None:
    """The part of the revenue that campaigns brought, by currency; None when no payment is known at all."""
    money = _by_currency(payments(creator, period).filter(campaign__isnull=False))
    return money if money or Transaction.objects.filter(creator=creator).exists() else None


def campaign_earnings(creator: Creator, period: Period) -> Sequence[Earnings]:
    """What fans paid in the period because of each campaign; those that earned most come first."""
    of_campaigns = payments(creator, period).filter(campaign__isnull=False)
    sums = _summed(of_campaigns.values("campaign", "currency")).order_by("-amount", "campaign")[:CAMPAIGNS_MAX]
    money: dict[int, list[Money]] = {}
    for row in sums:
        money.setdefault(row["campaign"], []).append(_money(row))
    campaigns = Campaign.objects.in_bulk(money)
    return [Earnings(campaigns[key], earned) for key, earned in money.items()]


def earned(campaigns: Iterable[Campaign]) -> Mapping[int, Sequence[Money]]:
    """What fans ever paid because of each of these campaigns, by key; those that earned nothing are missing."""
    of_campaigns = Transaction.objects.filter(campaign__in=[campaign.pk for campaign in campaigns])
    money: dict[int, list[Money]] = {}
    for row in _summed(of_campaigns.values("campaign", "currency")).order_by("campaign", "currency"):
        money.setdefault(row["campaign"], []).append(_money(row))
    return money


def purchases(campaigns: Iterable[Campaign]) -> Mapping[int, int]:
    """How many messages of each of these campaigns were unlocked, by key; nothing for those with none."""
    bought = Message.objects.filter(campaign__in=[each.pk for each in campaigns], purchased_at__isnull=False)
    return dict(bought.order_by().values_list("campaign").annotate(Count("pk")))


# --- Conversations


def reply_time(creator: Creator, period: Period) -> ReplyTime | None:
    """How fast fans who wrote in the period were answered; None when nobody wrote."""
    thread = Message.objects.filter(conversation=OuterRef("conversation")).filter(
        Q(direction=Direction.IN) | Q(status__in=ON_THE_PLATFORM, campaign__isnull=True)
    )
    earlier = Q(send_at__lt=OuterRef("send_at")) | Q(send_at=OuterRef("send_at"), pk__lt=OuterRef("pk"))
    before = thread.filter(earlier).order_by("-send_at", "-pk").values("direction")[:1]
    answers = thread.filter(direction=Direction.OUT, send_at__gt=OuterRef("send_at"))
    turns = (
        Message.objects.filter(
            creator=creator, direction=Direction.IN, send_at__gte=period.begins, send_at__lt=period.ends
        )
        .annotate(
            before=Subquery(before), answered_at=Subquery(answers.order_by("send_at", "pk").values("sent_at")[:1])
        )
        .filter(Q(before__isnull=True) | Q(before=Direction.OUT))
    )
    counts = turns.aggregate(all=Count("pk"), answered=Count("pk", filter=Q(answered_at__isnull=False)))
    if not counts["all"]:
        return None
    took = ExpressionWrapper(F("answered_at") - F("send_at"), output_field=DurationField())
    answered = (
        turns.filter(answered_at__isnull=False).annotate(took=took).order_by("took").values_list("took", flat=True)
    )
    median = answered[counts["answered"] // 2] if counts["answered"] else None
    return ReplyTime(median, counts["answered"], counts["all"] - counts["answered"])


# --- Sums and days


def _by_currency(rows: QuerySet[Transaction]) -> list[Money]:
    return [_money(row) for row in _summed(rows.values("currency")).order_by("currency")]


def _summed(groups: QuerySet) -> QuerySet:
    return groups.annotate(
        amount=Sum("amount_cents"), net=Sum("net_cents"), with_net=Count("net_cents"), payments=Count("*")
    )


def _money(row: dict[str, int]) -> Money:
    net = row["net"] if row["with_net"] == row["payments"] else None
    return Money(str(row["currency"]), row["amount"], net, row["payments"])


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins there, in UTC; where the clock jumps over midnight, at the jump."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _each_bucket(period: Period, unit: Unit, of: Callable[[Period], QuerySet]) -> Iterator[dict[str, Any]]:
    """The rows that ``of`` finds in each bucket, with its ``first`` day; one statement.

    Each bucket is a range of an index, whose ends the creator's clock sets here. Let the database say for every row
    to which local day it belongs, and SQLite asks Python a million times.
    """
    buckets = period.buckets(unit)
    parts = [
        of(Period(period.zone, *period.within(day, unit))).order_by().annotate(number_of_bucket=Value(number))
        for number, day in enumerate(buckets)
    ]
    for row in parts[0].union(*parts[1:], all=True):
        yield row | {"first": buckets[row["number_of_bucket"]]}


def _bucket_of(day: date, unit: Unit) -> date:
    if unit == Unit.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == Unit.MONTH else day


def _next_bucket(first: date, unit: Unit) -> date:
    if unit == Unit.MONTH:
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if unit == Unit.WEEK else 1)
