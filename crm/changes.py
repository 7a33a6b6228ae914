"""What changed since somebody last looked: messages and conversations of their creators, by each creator's ``seq``.

Every verb stamps what it changes with a number that its creator's line gives out in the order of commits, so nothing is
passed over: not by somebody who slept, not by two who write at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.db.models.functions import Now

from crm.models import Conversation, Line, Message

LIMIT_DEFAULT, LIMIT_MAX = 100, 500
#: Higher than any key: everything up to a number was seen.
ALL_OF_IT = 2**63 - 1
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

M = TypeVar("M", Message, Conversation)

#: By creator: the last number seen, and the last key seen of that number.
Positions = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Seen:
    """How far somebody has looked. One verb may change more rows than one answer holds: the key is part of it."""

    messages: Positions
    conversations: Positions
    #: Of snoozes that ended by themselves: no number is given out for them, so their moments are what is seen.
    woken: Positions = field(default_factory=dict)

    @property
    def kinds(self) -> tuple[Positions, Positions, Positions]:
        return self.messages, self.conversations, self.woken

    @classmethod
    def up_to(cls, numbers: Mapping[int, int]) -> "Seen":
        positions = {creator: (number, ALL_OF_IT) for creator, number in numbers.items()}
        return cls(positions, positions)


@dataclass(frozen=True, slots=True)
class Changes:
    """``seen`` is where to go on, at once when there is ``more``."""

    messages: Sequence[Message]
    conversations: Sequence[Conversation]
    seen: Seen
    more: bool


def latest(creators: Iterable[int]) -> dict[int, int]:
    """Each creator's ``seq`` by now, 0 for one who has none yet. Read first, so that nothing after it is missed."""
    return looked_at(creators)[0]


def looked_at(creators: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
    """What ``latest`` says, and when each creator's latest snooze ended by itself: in microseconds of the epoch, 0 for
    never."""
    ended = Conversation.objects.filter(creator=OuterRef("pk")).woken(Now()).values("snoozed_until")[:1]
    lines = Line.objects.filter(creator__in=creators).annotate(woken_at=Subquery(ended))
    numbers, moments = dict.fromkeys(creators, 0), dict.fromkeys(creators, 0)
    for creator, seq, at in lines.values_list("creator", "seq", "woken_at"):
        numbers[creator], moments[creator] = seq, _number(at) if at else 0
    return numbers, moments


def since(
    seen: Seen, now: Mapping[int, int], ended: Mapping[int, int] | None = None, *, limit: int = LIMIT_DEFAULT
) -> Changes:
    """At most ``limit`` messages and as many conversations that changed after ``seen``, the oldest change first; and as
    many whose snooze has ended by itself.

    ``now`` and ``ended`` are what ``looked_at`` said before: creators of whom nothing changed are not
    asked about. A creator who is not in ``seen`` begins now.
    """
    talks = Conversation.objects.select_related("fan", "creator", "assigned_to")
    said = Message.objects.select_related("conversation").prefetch_related("attachments")
    messages, messages_seen, more_messages = _after(said.all(), seen.messages, now, limit)
    conversations, conversations_seen, more_talks = _after(talks.all(), seen.conversations, now, limit)
    back, woken_seen, more_woken = _after_waking(talks.all(), seen.woken, ended or {}, limit)
    told = {talk.pk for talk in conversations}
    return Changes(
        messages,
        [*conversations, *(talk for talk in back if talk.pk not in told)],
        Seen(messages_seen, conversations_seen, woken_seen),
        more_messages or more_talks or more_woken,
    )


def _after_waking(
    rows: "models.QuerySet[Conversation]", positions: Positions, ended: Mapping[int, int], limit: int
) -> tuple[list[Conversation], dict[int, tuple[int, int]], bool]:
    """As ``_after``, of snoozes that ended."""
    reached = {creator: positions.get(creator, (at, ALL_OF_IT)) for creator, at in ended.items()}
    behind = {creator: at for creator, at in reached.items() if ended[creator] > at[0] or at[1] != ALL_OF_IT}
    if not behind:
        return [], reached, False
    unseen = Q()
    for creator, (number, key) in behind.items():
        moment = _moment(number)
        unseen |= Q(creator=creator) & (Q(snoozed_until__gt=moment) | Q(snoozed_until=moment, pk__gt=key))
    over = rows.filter(unseen, snoozed_until__lte=_moment(max(ended.values())))
    found = list(over.order_by("creator", "snoozed_until", "pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    whole = (creator for creator in behind if not more or creator < found[-1].creator_id)
    reached |= {creator: (ended[creator], ALL_OF_IT) for creator in whole}
    for row in found:
        assert row.snoozed_until, "nothing else was asked for"
        at = _number(row.snoozed_until)
        reached[row.creator_id] = max(reached[row.creator_id], (at, row.pk if more else ALL_OF_IT))
    return found, reached, more


def _number(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _moment(number: int) -> datetime:
    return EPOCH + timedelta(microseconds=number)


def _after(
    rows: "models.QuerySet[M]", positions: Positions, now: Mapping[int, int], limit: int
) -> tuple[list[M], dict[int, tuple[int, int]], bool]:
    """The rows, the positions after them, and whether there are more."""
    reached = {creator: positions.get(creator, (number, ALL_OF_IT)) for creator, number in now.items()}
    behind = {creator: at for creator, at in reached.items() if now[creator] > at[0] or at[1] != ALL_OF_IT}
    if not behind:
        return [], reached, False
    unseen = Q()
    for creator, (number, key) in behind.items():
        unseen |= Q(creator=creator) & (Q(seq__gt=number) | Q(seq=number, pk__gt=key))
    found = list(rows.filter(unseen).order_by("creator", "seq", "pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    # What was asked about and is not cut off is seen to the end.
    reached |= {creator: (now[creator], ALL_OF_IT) for creator in behind if not more or creator < found[-1].creator_id}
    for row in found:
        reached[row.creator_id] = max(reached[row.creator_id], (row.seq, row.pk if more else ALL_OF_IT))
    return found, reached, more
