"""Figures: what a creator earned, from whom, and how it is going. Each is defined here, once, for page, API and file.

A figure is the sum of its days, which ``crm/counting.py`` counts from rows that can be listed. Days are those of the
creator's clock. Money of two currencies is never added. Where no row can tell, the answer is None and not 0.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from crm import counting
from crm.counting import Counts, Source, Takings
from crm.models import Campaign, Census, Creator, Fan, Message, SubscriptionEvent, Transaction
from crm.periods import Period, Unit, bucket_of

#: A fan who was seen in so many days is active.
ACTIVE_DAYS = 30
TOP_FANS = 10
CAMPAIGNS_MAX = 50
#: Of so many fans and more, what was counted so long ago still counts; it is said when that was.
MANY_FANS, COUNTED_WITHIN = 10_000, timedelta(minutes=15)
COUNTED_EVERY = timedelta(minutes=5)


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
    """From a fan's first message since our last one until our answer. Campaigns are no answers.

    To the second up to an hour, then to the minute, and to the hour from a day on.
    """

    median: timedelta | None
    answered: int
    unanswered: int


@dataclass(frozen=True, slots=True)
class Replies:
    """``time`` is None where nobody wrote in the bucket."""

    first: date
    time: ReplyTime | None


@dataclass(frozen=True, slots=True)
class Earnings:
    campaign: Campaign
    money: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Fans:
    """How the creator's fans stand: how many, how many active, and what all of them ever spent, in their currency.

    None is what nobody can know any more.
    """

    total: int
    active: int | None
    value_cents: int | None
    counted_at: datetime


# --- Periods


class Figures:
    """Of one period; ``before`` has those of as many days just before."""

    def __init__(self, creator: Creator, period: Period, *, now: datetime) -> None:
        self.creator, self.period, self.now = creator, period, now
        today = now.astimezone(period.zone).date()
        known = Period(period.zone, period.previous.first, max(period.last, today))
        self._ledger = _Ledger(creator, counting.counts_of(creator, known))

    @cached_property
    def before(self) -> "Figures":
        other = object.__new__(Figures)
        other.creator, other.period, other.now = self.creator, self.period.previous, self.now
        other._ledger = self._ledger
        return other

    def revenue(self, kinds: Collection[str] = ()) -> Sequence[Money] | None:
        """By currency; None when no payment of this creator is known at all."""
        money = _by_currency(self._takings(kinds))
        return money if money or self._ledger.has_payments else None

    def revenue_by(self, unit: Unit, kinds: Collection[str] = ()) -> Sequence[Bucket]:
        """Every day, week or month of the period, also those in which nothing came in."""
        return [Bucket(first, _by_currency(_takings(days, kinds))) for first, days in self._buckets(unit)]

    def campaign_revenue(self) -> Sequence[Money] | None:
        """The part of the revenue that campaigns brought, by currency; None when no payment is known at all."""
        money = _by_currency((source, each) for source, each in self._takings() if source[2] is not None)
        return money if money or self._ledger.has_payments else None

    def campaign_earnings(self) -> Sequence[Earnings]:
        """What fans paid in the period because of each campaign; those that earned most come first."""
        sums: dict[tuple[int, str], Takings] = {}
        for (_kind, currency, campaign), takings in self._takings():
            if campaign is not None:
                sums.setdefault((campaign, currency), Takings()).add(takings)
        best = sorted(sums.items(), key=lambda pair: (-pair[1].amount_cents, pair[0]))[:CAMPAIGNS_MAX]
        money: dict[int, list[Money]] = {}
        for (campaign, currency), takings in best:
            money.setdefault(campaign, []).append(_money(currency, takings))
        campaigns = Campaign.objects.in_bulk(money)
        return [Earnings(campaigns[key], earned) for key, earned in money.items()]

    def subscribers(self, kind: SubscriptionEvent.Kind) -> int | None:
        """How many subscriptions began or expired in the period; None when no such thing was ever told."""
        how_many = sum(day.turns.get(kind, 0) for day in self._days())
        return how_many if how_many or self._ledger.has_subscriptions else None

    def subscribers_by(self, unit: Unit) -> Sequence[Turnover]:
        """Every day, week or month of the period, also those in which nobody came or left."""
        kinds = (SubscriptionEvent.Kind.STARTED, SubscriptionEvent.Kind.EXPIRED)
        return [
            Turnover(first, *(sum(day.turns.get(kind, 0) for day in days) for kind in kinds))
            for first, days in self._buckets(unit)
        ]

    def reply_time(self) -> ReplyTime | None:
        """How fast fans who wrote in the period were answered; None when nobody wrote."""
        return _reply_time(self._days())

    def reply_time_by(self, unit: Unit) -> Sequence[Replies]:
        """Every day, week or month of the period, also those in which nobody wrote."""
        return [Replies(first, _reply_time(days)) for first, days in self._buckets(unit)]

    @cached_property
    def fans(self) -> Fans:
        """As they stand now; of ``MANY_FANS`` and more, as they were counted ``COUNTED_WITHIN`` before at most."""
        for counted in self._censuses:
            if counted.fans >= MANY_FANS and counted.counted_at > self.now - COUNTED_WITHIN:
                return Fans(counted.fans, counted.active_fans, counted.value_cents, counted.counted_at)
        return _counted(self.creator, self.now)

    @cached_property
    def fans_before(self) -> Fans:
        """How those who are fans now stood when the period began: who had joined, what they had paid by then.

        Who was active is known of days on which it was counted. What was spent is not where no payment is known.
        """
        came = _arrived_since(self.creator, self.period.begins)
        paid = sum(
            each.of_fans_cents
            for day, counts in self._ledger.days.items()
            for (_kind, currency, _campaign), each in counts.takings.items()
            if day >= self.period.first and currency == self.creator.currency
        )
        there = (each.active_fans for each in self._censuses if each.day == self.period.previous.last)
        return Fans(
            total=max(self.fans.total - came, 0),
            active=next(there, None),
            value_cents=max((self.fans.value_cents or 0) - paid, 0) if self._ledger.has_payments else None,
            counted_at=self.period.begins,
        )

    @cached_property
    def _censuses(self) -> list[Census]:
        """Today's and that of the last day before the period, as far as they were taken."""
        days = (self.now.astimezone(self.period.zone).date(), self.period.previous.last)
        return list(Census.objects.filter(creator=self.creator, day__in=days))

    def _days(self) -> list[Counts]:
        return [self._ledger.days[day] for day in self.period.days()]

    def _buckets(self, unit: Unit) -> Iterator[tuple[date, list[Counts]]]:
        days: dict[date, list[Counts]] = {first: [] for first in self.period.buckets(unit)}
        for day in self.period.days():
            days[bucket_of(day, unit)].append(self._ledger.days[day])
        yield from days.items()

    def _takings(self, kinds: Collection[str] = ()) -> Iterator[tuple[Source, Takings]]:
        return _takings(self._days(), kinds)


class _Ledger:
    """The days that were counted, and whether there is anything at all beyond them."""

    def __init__(self, creator: Creator, days: Mapping[date, Counts]) -> None:
        self.creator, self.days = creator, days

    @property
    def has_payments(self) -> bool:
        return any(counts.takings for counts in self.days.values()) or self._ever[0]

    @property
    def has_subscriptions(self) -> bool:
        return any(counts.turns for counts in self.days.values()) or self._ever[1]

    @cached_property
    def _ever(self) -> tuple[bool, bool]:
        rows = (Transaction.objects, SubscriptionEvent.objects)
        told = (Exists(each.filter(creator=OuterRef("pk"))) for each in rows)
        found: tuple[bool, bool] = Creator.objects.filter(pk=self.creator.pk).values_list(*told).get()
        return found


# --- Fans


def take_census(creator: Creator, *, now: datetime) -> None:
    """Keep how the fans stand for the pages, and for the time when this day is over."""
    if Census.objects.filter(creator=creator, counted_at__gt=now - COUNTED_EVERY).exists():
        return
    stand = _counted(creator, now)
    Census.objects.update_or_create(
        creator=creator,
        day=now.astimezone(creator.zone).date(),
        defaults={
            "counted_at": now,
            "fans": stand.total,
            "active_fans": stand.active or 0,
            "value_cents": stand.value_cents or 0,
        },
    )


@dataclass(frozen=True, slots=True)
class TopFan:
    """One of those who spent most in all, with what of it was paid in the period and in the one before."""

    fan: Fan
    spent: Sequence[Money]
    before: Sequence[Money]


def top_fans_in(creator: Creator, period: Period, fans: Sequence[Fan]) -> list[TopFan]:
    """These of the ``top_fans`` beside the period. One query."""
    rows = Transaction.objects.filter(creator=creator, fan__in=[fan.pk for fan in fans])
    of_both = rows.filter(occurred_at__gte=period.previous.begins, occurred_at__lt=period.ends)
    paid: dict[tuple[int, bool], list[Money]] = {}
    by = ("fan", "is_here", "currency")
    for row in _summed(of_both.annotate(is_here=Q(occurred_at__gte=period.begins)).values(*by)).order_by(*by):
        paid.setdefault((row["fan"], bool(row["is_here"])), []).append(_summed_money(row))
    return [TopFan(fan, paid.get((fan.pk, True), ()), paid.get((fan.pk, False), ())) for fan in fans]


def top_fans(creator: Creator) -> QuerySet[Fan]:
    """Those who spent most in all."""
    return Fan.objects.filter(creator=creator, value_cents__gt=0).order_by("-value_cents", "-pk")[:TOP_FANS]


def _counted(creator: Creator, now: datetime) -> Fans:
    """One statement, each part of which reads one index."""
    own = Fan.objects.filter(creator=OuterRef("pk")).order_by().values("creator")
    active = own.filter(last_seen_at__gte=now - timedelta(days=ACTIVE_DAYS))
    total, seen, value = (
        Creator.objects.filter(pk=creator.pk)
        .values_list(
            Coalesce(Subquery(own.annotate(number=Count("*")).values("number")), 0),
            Coalesce(Subquery(active.annotate(number=Count("*")).values("number")), 0),
            Coalesce(Subquery(own.filter(value_cents__gt=0).annotate(sum=Sum("value_cents")).values("sum")), 0),
        )
        .get()
    )
    return Fans(total, seen, value, now)


def _arrived_since(creator: Creator, moment: datetime) -> int:
    """Fans who joined since then; where that is not known, of whom we first heard since then."""
    arrived = Fan.objects.alias(arrived=Coalesce("joined_at", "created_at"))
    return arrived.filter(creator=creator, arrived__gte=moment).count()


# --- Money


def payments(creator: Creator, period: Period, kinds: Iterable[str] = ()) -> QuerySet[Transaction]:
    """The rows that revenue is the sum of: payments and, negative, what was taken back."""
    rows = Transaction.objects.filter(creator=creator, occurred_at__gte=period.begins, occurred_at__lt=period.ends)
    return rows.filter(kind__in=list(kinds)) if kinds else rows


def sums(rows: QuerySet[Transaction]) -> Sequence[Money]:
    """Of these payments, by currency."""
    return [_summed_money(row) for row in _summed(rows.values("currency")).order_by("currency")]


def earned(campaigns: Iterable[Campaign]) -> Mapping[int, Sequence[Money]]:
    """What fans ever paid because of each of these campaigns, by key; those that earned nothing are missing."""
    of_campaigns = Transaction.objects.filter(campaign__in=[campaign.pk for campaign in campaigns])
    money: dict[int, list[Money]] = {}
    for row in _summed(of_campaigns.values("campaign", "currency")).order_by("campaign", "currency"):
        money.setdefault(row["campaign"], []).append(_summed_money(row))
    return money


def purchases(campaigns: Iterable[Campaign]) -> Mapping[int, int]:
    """How many messages of each of these campaigns were unlocked, by key; nothing for those with none."""
    bought = Message.objects.filter(campaign__in=[each.pk for each in campaigns], purchased_at__isnull=False)
    return dict(bought.order_by().values_list("campaign").annotate(Count("pk")))


# --- Conversations


def questions(creator: Creator, period: Period) -> QuerySet[Message]:
    """The rows that reply times are counted from: what a fan wrote first since our last answer; ``answered_at``."""
    return counting.questions(creator).filter(send_at__gte=period.begins, send_at__lt=period.ends)


# --- Kept


def keep(now: datetime) -> None:
    """Count what pages would else count: finished days, and how the fans stand. Dispatch does it beside its loop."""
    for creator in Creator.objects.order_by("pk"):
        take_census(creator, now=now)
        counting.keep_days(creator, now=now)


# --- Sums


def _takings(days: Iterable[Counts], kinds: Collection[str] = ()) -> Iterator[tuple[Source, Takings]]:
    for day in days:
        for source, takings in day.takings.items():
            if not kinds or source[0] in kinds:
                yield source, takings


def _by_currency(takings: Iterable[tuple[Source, Takings]]) -> list[Money]:
    found: dict[str, Takings] = {}
    for (_kind, currency, _campaign), each in takings:
        found.setdefault(currency, Takings()).add(each)
    return [_money(currency, found[currency]) for currency in sorted(found)]


def _money(currency: str, takings: Takings) -> Money:
    net = takings.net_cents if takings.with_net == takings.payments else None
    return Money(currency, takings.amount_cents, net, takings.payments)


def _reply_time(days: Iterable[Counts]) -> ReplyTime | None:
    waits: dict[int, int] = {}
    unanswered = 0
    for day in days:
        unanswered += day.unanswered
        for seconds, number in day.waits.items():
            waits[seconds] = waits.get(seconds, 0) + number
    answered = sum(waits.values())
    if not answered and not unanswered:
        return None
    return ReplyTime(_median(waits, answered), answered, unanswered)


def _median(waits: Mapping[int, int], answered: int) -> timedelta | None:
    left = answered // 2
    for seconds in sorted(waits):
        left -= waits[seconds]
        if left < 0:
            return timedelta(seconds=seconds)
    return None


def _summed(groups: QuerySet) -> QuerySet:
    return groups.annotate(
        amount=Sum("amount_cents"), net=Sum("net_cents"), with_net=Count("net_cents"), payments=Count("*")
    )


def _summed_money(row: dict[str, int]) -> Money:
    net = row["net"] if row["with_net"] == row["payments"] else None
    return Money(str(row["currency"]), row["amount"], net, row["payments"])
