"""What changed since somebody last looked: messages and conversations of their creators, by each creator's ``seq``.

Every verb stamps what it changes with a number that its creator's line gives out in the order of commits, so nothing is
passed over: not by somebody who slept, not by two who write at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from django.db import models
from django.db.models import Q

from crm.models import Conversation, Line, Message

LIMIT_DEFAULT, LIMIT_MAX = 100, 500
#: Higher than any key: everything up to a number was seen.
ALL_OF_IT = 2**63 - 1

M = TypeVar("M", Message, Conversation)

#: By creator: the last number seen, and the last key seen of that number.
Positions = Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Seen:
    """How far somebody has looked. One verb may change more rows than one answer holds: the key is part of it."""

    messages: Positions
    conversations: Positions

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
    """The number of each creator's latest change."""
    return dict.fromkeys(creators, 0) | dict(Line.objects.filter(creator__in=creators).values_list("creator", "seq"))


def since(seen: Seen, now: Mapping[int, int], *, limit: int = LIMIT_DEFAULT) -> Changes:
    """At most ``limit`` messages and as many conversations that changed after ``seen``, the oldest change first.

    ``now`` is what ``latest`` said before: creators of whom nothing changed are not asked about. A creator who is not
    in ``seen`` begins now.
    """
    talks = Conversation.objects.select_related("fan", "creator", "assigned_to")
    said = Message.objects.select_related("conversation").prefetch_related("attachments")
    messages, messages_seen, more_messages = _after(said.all(), seen.messages, now, limit)
    conversations, conversations_seen, more_talks = _after(talks.all(), seen.conversations, now, limit)
    return Changes(messages, conversations, Seen(messages_seen, conversations_seen), more_messages or more_talks)


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
