"""What a day came to, counted from its rows; and kept once the day is over, for nobody wants to count a year again.

A kept day is forgotten by whoever changes a row of it (``Day.objects.forget``), in the same transaction. Until it is
counted again a reader counts it, like today, from the rows: kept or not, the figures are the same.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models import OuterRef, Q, QuerySet, Subquery

from crm.models import Creator, Day, Line, Message, SubscriptionEvent, Transaction
from crm.models.messages import ANSWERS, Direction
from crm.periods import Period, midnight

#: So many days of one creator at once, the latest first, so that everybody gets a turn.
DAYS_AT_ONCE = 400
#: More gaps than that between days that are not kept are read over.
GAPS_MAX = 20
_HOUR, _DAY = 3600, 86_400

Span = tuple[datetime, datetime]


@dataclass(slots=True)
class Takings:
    """The payments of one kind, in one currency, because of one campaign or of none."""

    amount_cents: int = 0
    net_cents: int = 0
    with_net: int = 0
    payments: int = 0
    #: Of it, by fans who are known.
    of_fans_cents: int = 0

    def add(self, other: "Takings") -> None:
        self.amount_cents += other.amount_cents
        self.net_cents += other.net_cents
        self.with_net += other.with_net
        self.payments += other.payments
        self.of_fans_cents += other.of_fans_cents


#: Kind, currency and the key of the campaign.
Source = tuple[str, str, int | None]


@dataclass(slots=True)
class Counts:
    """``waits`` are how many fans who wrote that day got their answer after so many seconds."""

    takings: dict[Source, Takings] = field(default_factory=dict)
    turns: dict[str, int] = field(default_factory=dict)
    waits: dict[int, int] = field(default_factory=dict)
    unanswered: int = 0

    def as_document(self) -> dict[str, Any]:
        return {
            "takings": [
                [*source, each.amount_cents, each.net_cents, each.with_net, each.payments, each.of_fans_cents]
                for source, each in sorted(self.takings.items(), key=lambda pair: (*pair[0][:2], pair[0][2] or 0))
            ],
            "turns": dict(sorted(self.turns.items())),
            "waits": sorted(self.waits.items()),
            "unanswered": self.unanswered,
        }

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> "Counts":
        return cls(
            {(row[0], row[1], row[2]): Takings(*row[3:]) for row in document["takings"]},
            dict(document["turns"]),
            dict(map(tuple, document["waits"])),
            document["unanswered"],
        )


def counts_of(creator: Creator, period: Period) -> dict[date, Counts]:
    """What every day of the period came to. Four statements, or one if all is kept."""
    spans = _spans(period)
    known = Day.objects.filter(creator=creator, begins__gte=period.begins, begins__lt=period.ends)
    kept = {(begins, ends): counts for begins, ends, counts in known.values_list("begins", "ends", "counts")}
    found = {day: Counts.of_document(kept[span]) for day, span in spans.items() if span in kept}
    missing = [day for day in spans if day not in found]
    return found | dict(zip(missing, count(creator, [spans[day] for day in missing]), strict=True))


def _spans(period: Period) -> dict[date, Span]:
    days = list(period.days())
    moments = [midnight(day, period.zone) for day in (*days, period.last + timedelta(days=1))]
    return {day: (moments[place], moments[place + 1]) for place, day in enumerate(days)}


# --- From rows


def count(creator: Creator, spans: Sequence[Span]) -> list[Counts]:
    """What each of these days comes to, which are in order; three statements."""
    found = [Counts() for _span in spans]
    if found:
        runs, place_of = _runs(spans), partial(_place, [begins for begins, _ends in spans], spans)
        for add, rows in ((_add_payment, _payments), (_add_turn, _subscriptions), (_add_reply, _replies)):
            for at, *values in rows(creator, runs):
                if (place := place_of(at)) is not None:
                    add(found[place], at, *values)
    return found


def _payments(creator: Creator, runs: Sequence[Span]) -> Iterator[Any]:
    columns = ("occurred_at", "kind", "currency", "campaign", "amount_cents", "net_cents", "fan")
    return _read(Transaction.objects.filter(creator=creator), runs, columns)


def _add_payment(
    day: Counts, _at: datetime, kind: str, currency: str, campaign: int | None, amount: int, net: int | None, fan: Any
) -> None:
    takings = day.takings.setdefault((kind, currency, campaign), Takings())
    takings.add(Takings(amount, net or 0, int(net is not None), 1, amount if fan else 0))


def _subscriptions(creator: Creator, runs: Sequence[Span]) -> Iterator[Any]:
    return _read(SubscriptionEvent.objects.filter(creator=creator), runs, ("occurred_at", "kind"))


def _add_turn(day: Counts, _at: datetime, kind: str) -> None:
    day.turns[kind] = day.turns.get(kind, 0) + 1


def _replies(creator: Creator, runs: Sequence[Span]) -> Iterator[Any]:
    return _read(questions(creator), runs, ("send_at", "answered_at"))


def _add_reply(day: Counts, at: datetime, answered_at: datetime | None) -> None:
    if answered_at is None:
        day.unanswered += 1
    else:
        seconds = _as_told(answered_at - at)
        day.waits[seconds] = day.waits.get(seconds, 0) + 1


def questions(creator: Creator) -> "QuerySet[Message]":
    """A fan's first message since our last one, with when it was answered. Campaigns are no answers."""
    thread = Message.objects.filter(conversation=OuterRef("conversation"))
    said = thread.filter(Q(direction=Direction.IN) | ANSWERS)
    earlier = Q(send_at__lt=OuterRef("send_at")) | Q(send_at=OuterRef("send_at"), pk__lt=OuterRef("pk"))
    before = said.filter(earlier).order_by("-send_at", "-pk").values("direction")[:1]
    answers = thread.filter(ANSWERS, send_at__gt=OuterRef("send_at")).order_by("send_at", "pk")
    return (
        Message.objects.filter(creator=creator, direction=Direction.IN)
        .annotate(before=Subquery(before), answered_at=Subquery(answers.values("sent_at")[:1]))
        .filter(Q(before__isnull=True) | Q(before=Direction.OUT))
    )


def _as_told(took: timedelta) -> int:
    """In seconds up to an hour, in whole minutes up to a day, then in whole hours: as it is said."""
    seconds = max(int(took.total_seconds()), 0)
    step = 1 if seconds < _HOUR else 60 if seconds < _DAY else _HOUR
    return seconds - seconds % step


def _runs(spans: Sequence[Span]) -> list[Span]:
    """The stretches that these days make up."""
    runs: list[Span] = []
    for begins, ends in spans:
        if runs and runs[-1][1] == begins:
            runs[-1] = (runs[-1][0], ends)
        else:
            runs.append((begins, ends))
    return runs if len(runs) <= GAPS_MAX else [(runs[0][0], runs[-1][1])]


def _place(begins: Sequence[datetime], spans: Sequence[Span], at: datetime) -> int | None:
    """Of the day that has this moment."""
    place = bisect_right(begins, at) - 1
    return place if place >= 0 and at < spans[place][1] else None


def _read(rows: "QuerySet[Any]", runs: Sequence[Span], columns: Sequence[str]) -> Iterator[Any]:
    """The rows of these stretches, by the first column. Each is a range of an index; one statement."""
    parts = [
        rows.filter(**{f"{columns[0]}__gte": begins, f"{columns[0]}__lt": ends}).order_by().values_list(*columns)
        for begins, ends in runs
    ]
    return (parts[0].union(*parts[1:], all=True) if len(parts) > 1 else parts[0]).iterator()


# --- Kept


def keep_days(creator: Creator, *, now: datetime) -> int:
    """Count and keep this creator's finished days that are not kept, ``DAYS_AT_ONCE`` at most; how many were."""
    missing = _missing(creator, now)
    for span in missing:
        with transaction.atomic():
            # Who writes rows locks the line first: what is counted now is whole, and forgotten if it changes later.
            Line.objects.select_for_update().get(creator=creator)
            (counts,) = count(creator, [span])
            Day.objects.get_or_create(
                creator=creator, begins=span[0], ends=span[1], defaults={"counts": counts.as_document()}
            )
    return len(missing)


def _missing(creator: Creator, now: datetime) -> list[Span]:
    first = first_moment(creator)
    today = now.astimezone(creator.zone).date()
    if first is None or not Line.objects.filter(creator=creator).exists():
        return []
    first_day = first.astimezone(creator.zone).date()
    if first_day >= today:
        return []
    kept = set(Day.objects.filter(creator=creator).values_list("begins", "ends"))
    period = Period(creator.zone, first_day, today - timedelta(days=1))
    return [span for span in reversed(_spans(period).values()) if span not in kept][:DAYS_AT_ONCE]


def first_moment(creator: Creator) -> datetime | None:
    """Of the first row that any figure is counted from."""
    firsts = (
        Transaction.objects.filter(creator=creator).order_by("occurred_at").values("occurred_at")[:1],
        SubscriptionEvent.objects.filter(creator=creator).order_by("occurred_at").values("occurred_at")[:1],
        Message.objects.filter(creator=creator, direction=Direction.IN).order_by("send_at").values("send_at")[:1],
    )
    named = {f"first_{number}": Subquery(rows) for number, rows in enumerate(firsts)}
    moments = Creator.objects.filter(pk=creator.pk).values_list(*named.values()).get()
    return min((at for at in moments if at is not None), default=None)


def differences(creator: Creator) -> list[Day]:
    """The kept days that are not what their rows come to. There are none, unless somebody wrote past the verbs."""
    found = []
    for key in list(Day.objects.filter(creator=creator).order_by("begins").values_list("pk", flat=True)):
        with transaction.atomic():
            Line.objects.select_for_update().filter(creator=creator).first()
            day = Day.objects.filter(pk=key).first()
            if day and [Counts.of_document(day.counts)] != count(creator, [(day.begins, day.ends)]):
                found.append(day)
    return found
