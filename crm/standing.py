"""How the line stands, for those who look after everybody's sending. Every figure comes from an index and stops."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _

from crm.models import Creator, Dispatch, Line, Message
from crm.models.messages import Status
from crm.pace import in_words

#: Further than this nobody counts.
COUNTED_MAX = 1000
#: Lines that are shown, those first that are paused or have somebody waiting.
LINES_MAX = 20
#: What is counted beside what is due, in the order in which somebody on duty asks.
COUNTED = (Status.SENDING, Status.FAILED, Status.UNKNOWN, Status.NEEDS_PERSON)


@dataclass(frozen=True, slots=True)
class LineNow:
    """One creator's line: all that waits, and since when the first of it may go, without what campaigns hold back.

    ``waits_for`` says why it does not go on; empty when it does.
    """

    creator: Creator
    paused: bool
    waiting: int
    oldest: datetime | None
    pace: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class Standing:
    """``due`` and each of ``counts``, by status, are ``COUNTED_MAX`` where there are more.

    What a campaign holds back is not due: it is paused, or in its quiet hours.
    """

    dispatch: Dispatch
    is_silent: bool
    troubles: Sequence[str]
    due: int
    oldest: datetime | None
    counts: Mapping[Status, int]
    lines: Sequence[LineNow]
    more_lines: bool


def standing(now: datetime) -> Standing:
    """Seven queries, however much waits and however many creators there are."""
    dispatch = Dispatch.current()
    lines = list(_lines(now)[: LINES_MAX + 1])
    shown = [_line_now(line, now) for line in lines[:LINES_MAX]]
    return Standing(
        dispatch=dispatch,
        is_silent=dispatch.is_silent(now),
        troubles=[
            *filter(None, (dispatch.queue_trouble, dispatch.gate_trouble, dispatch.worker_trouble)),
            *dispatch.warnings.values(),
        ],
        due=_counted(
            Message.objects.waiting().going(now).filter(due_at__lte=now, creator__in=Creator.objects.values("pk"))
        ),
        oldest=min((line.oldest for line in shown if line.oldest), default=None),
        counts={status: _counted(Message.objects.filter(status=status)) for status in COUNTED},
        lines=shown,
        more_lines=len(lines) > LINES_MAX,
    )


def _counted(messages: "QuerySet[Message]") -> int:
    return messages.order_by()[:COUNTED_MAX].count()


def _lines(now: datetime) -> "QuerySet[Line]":
    """Each with how many of its messages wait and since when the first is due, by the index of what waits."""
    waiting = Message.objects.waiting().filter(creator=OuterRef("pk"))
    how_many = waiting.order_by().values("creator").annotate(count=Count("pk")).values("count")
    first = waiting.going(now).order_by("due_at").values("due_at")[:1]
    return (
        Line.objects.select_related("creator")
        .annotate(waiting=Coalesce(Subquery(how_many), 0), oldest=Subquery(first))
        .order_by(F("paused_at").asc(nulls_last=True), F("oldest").asc(nulls_last=True), "creator__name")
    )


def _line_now(line: Line, now: datetime) -> LineNow:
    creator = line.creator
    try:
        pace = in_words(creator.allowances)
    except ValidationError as error:
        pace = " ".join(error.messages)
    waiting: int = line.waiting  # type: ignore[attr-defined]
    oldest: datetime | None = line.oldest  # type: ignore[attr-defined]
    return LineNow(
        creator=creator,
        paused=line.paused_at is not None,
        waiting=waiting,
        oldest=oldest,
        pace=pace,
        waits_for=_waits_for(line, now, held_back=oldest is None) if waiting or line.paused_at else "",
    )


def _waits_for(line: Line, now: datetime, *, held_back: bool) -> str:
    if line.paused_at:
        return _("Paused: %(why)s") % {"why": line.paused_reason}
    if held_back:
        return _("What waits is of campaigns that are paused or in their quiet hours.")
    held = line.hold_until is not None and line.hold_until > now
    return str(line.get_hold_cause_display()) if held else ""
