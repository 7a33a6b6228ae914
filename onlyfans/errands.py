"""Errands for a creator beside sending: uploads, and readings of chats.

Each creator has one at a time, so that a provider that hangs keeps one worker busy with them, not all.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, QuerySet

from crm.clock import database_now
from crm.models import Dispatch, Line
from onlyfans.queue import Carrier, carry_due

CREATORS_AT_ONCE = 20
#: Above any call's deadline; a worker that died keeps the creator's next errand waiting this long.
LEASE = timedelta(seconds=60)


def hand_over(rows: QuerySet, *, creator: str, due: str, until: Callable[[Any], datetime], carry: Carrier) -> int:
    """Hand over the first due row of each creator who has no errand; the answer is how many.

    ``creator`` is the way from a row to its creator, ``due`` and ``until`` are those of ``carry_due``. Whoever works on
    the row must call ``Line.objects.end_errand``. Raises QueueUnavailable.
    """
    now = database_now()
    waiting = rows.exclude(**{f"{creator}__line__errand_until__gt": now})
    longest = waiting.order_by().values_list(creator).annotate(at=Min(due)).order_by("at")[:CREATORS_AT_ONCE]
    carried = 0
    for creator_id, _at in longest:
        # Asked only when there is something to do: the loop comes by four times a second.
        if Dispatch.is_stopped():
            break
        if not Line.objects.begin_errand(creator_id, now=now, until=now + LEASE):
            continue
        row = rows.filter(**{creator: creator_id}).order_by(due, "pk")[:1]
        carried_now = 0
        try:
            carried_now = carry_due(row, due=due, until=until, carry=carry)
        finally:
            if not carried_now:
                Line.objects.end_errand(creator_id)
        carried += carried_now
    return carried
