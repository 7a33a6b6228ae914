"""What happened with one fan, newest first: messages, money, comings and goings, notes.

Each kind is a query of its own on an index that begins with the fan; a page is the newest of all of them together. A
place in it is a moment, a kind and a row's key, so that a page ends in the middle of one second just as well.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.models import Fan, Message, Note, SubscriptionEvent, Transaction
from crm.paging import Beyond, Place, opened, sealed

PAGE = 30
#: The kinds in the order in which they stand within one moment; each with the column of its moment.
KINDS: Mapping[str, tuple[Any, str]] = {
    "messages": (gettext_lazy("Messages"), "send_at"),
    "money": (gettext_lazy("Money"), "occurred_at"),
    "subscription": (gettext_lazy("Subscription"), "occurred_at"),
    "notes": (gettext_lazy("Notes"), "created_at"),
}


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    at: datetime
    row: Any

    @property
    def order(self) -> tuple[Any, ...]:
        return (-self.at.timestamp(), list(KINDS).index(self.kind), -self.row.pk)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A page of it; ``older`` is the cursor of the next one, empty where it ends."""

    events: list[Event]
    older: str


def timeline_of(fan: Fan, *, kind: str = "", cursor: str = "") -> Stretch:
    """One page, of one kind or of all. Raises ValidationError by "cursor"."""
    place = _read(cursor) if cursor else None
    kinds = [kind] if kind in KINDS else list(KINDS)
    found = sorted((event for each in kinds for event in _events(fan, each, place)), key=lambda event: event.order)
    page = found[:PAGE]
    return Stretch(page, older=_write(page[-1]) if len(found) > PAGE else "")


def _events(fan: Fan, kind: str, place: tuple[datetime, str, int] | None) -> Iterator[Event]:
    column = KINDS[kind][1]
    rows = _rows(fan, kind)
    if place:
        rows = rows.filter(_after(kind, column, *place))
    for row in rows.order_by(f"-{column}", "-pk")[: PAGE + 1]:
        yield Event(kind, getattr(row, column), row)


def _after(kind: str, column: str, at: datetime, last: str, key: int) -> Q | Beyond:
    """What comes after the place: kinds that stand later in the same moment are still to come."""
    ranks = list(KINDS)
    if kind == last:
        return Beyond(column, Place(at, key), "<")
    lookup = "lte" if ranks.index(kind) > ranks.index(last) else "lt"
    return Q(**{f"{column}__{lookup}": at})


def _rows(fan: Fan, kind: str) -> "QuerySet[Any]":
    if kind == "messages":
        return Message.objects.filter(conversation__fan=fan).select_related("author", "campaign")
    if kind == "money":
        return Transaction.objects.filter(fan=fan).select_related("campaign")
    if kind == "subscription":
        return SubscriptionEvent.objects.filter(fan=fan)
    return Note.objects.filter(fan=fan).select_related("author")


def _write(event: Event) -> str:
    return sealed(["timeline", event.at.isoformat(), event.kind, event.row.pk])


def _read(cursor: str) -> tuple[datetime, str, int]:
    try:
        label, at, kind, key = opened(cursor)
        moment = parse_datetime(at) if label == "timeline" and kind in KINDS else None
    except (ValueError, TypeError):
        moment = None
    if moment is None:
        raise ValidationError({"cursor": _("This is not a cursor of ours. Begin again without one.")})
    return moment, kind, int(key)
