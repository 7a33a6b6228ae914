"""From the line to the queue: which messages go to SQS now.

Any number of dispatchers may do this at once: a line is served by the one that is first to say so, and a message goes
over by a compare-and-set. What SQS does not take is back in the queue.
"""

from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import DatabaseError
from django.db.models import Min, QuerySet
from django.db.models.functions import Coalesce

from crm.clock import LONG_AGO, database_now
from crm.correlation import correlated
from crm.models import Dispatch, HoldCause, Line, Message
from crm.models.messages import Status
from crm.prepared import Given, Prepared, PreparedUpdate
from onlyfans import breaker, gate
from onlyfans.delivery import (
    NOT_CONNECTED_HOLD,
    connection_of,
    gate_is_down,
    is_by_hand,
    is_connected,
    is_near,
    sets_out_at,
)
from onlyfans.faultpoints import reached
from onlyfans.queue import Carrier, QueueUnavailable
from onlyfans.sweeping import recall_strays
from ratelimit.bucket import GateUnavailable, State

log = structlog.get_logger(__name__)

LINES_AT_ONCE = 100
HAND_OVER_LEASE_MAX = timedelta(minutes=10)
PROBE_LATER = timedelta(seconds=5)
LOOK_AGAIN = timedelta(seconds=1)
#: How often dispatch looks whether an account whose messages go by hand is connected otherwise now.
BY_HAND_HOLD = timedelta(seconds=5)
BROKEN_HOLD = timedelta(seconds=30)
#: A call that is out for longer is a platform that hangs: no other of its line begins until it is back.
SLOW_CALL = timedelta(seconds=2)


# What is asked and written each time that a line is served.
_DUE: Prepared[Line] = Prepared(
    lambda: Line.objects.due(Given("now")).select_related("creator__connection")[:LINES_AT_ONCE]
)
_IN_FLIGHT: Prepared[Message] = Prepared(
    lambda: Message.objects.in_flight().filter(creator_id=Given("creator_id")).only("status", "sending_at")
)


def _as_read(column: str) -> QuerySet[Line]:
    """The line, if nobody has written this moment since it was read."""
    return Line.objects.filter(pk=Given("pk")).alias(read=Coalesce(column, LONG_AGO)).filter(read=Given("read"))


_ARM = PreparedUpdate(
    lambda: (Line.objects.filter(pk=Given("pk"), version=Given("version")), {"wake_at": Given("wake_at")})
)
_SERVE = PreparedUpdate(lambda: (_as_read("served_at"), {"served_at": Given("now")}))
_HOLD = PreparedUpdate(lambda: (_as_read("hold_until"), {"hold_until": Given("until"), "hold_cause": Given("cause")}))


def hand_over(carry: Carrier) -> int:
    """Serve every line that is due, once each, longest-waiting first; the answer is how many messages went.

    Raises QueueUnavailable after putting back what could not be handed over.
    """
    now = database_now()
    lines = _DUE(now=now)
    # The loop comes by four times a second at least; mostly nothing is due.
    if not lines or Dispatch.is_stopped():
        return 0
    may_go = _look(lines)
    return sum(_serve_alone(line, may_go.get(line.pk), carry) for line in lines if _begin_to_serve(line))


def _look(lines: list[Line]) -> dict[int, State]:
    """What may go on each line, asked in one round trip. Without an answer they are held."""
    connected = [line for line in lines if is_connected(line.creator)]
    try:
        return gate.peek_many(connected)
    except GateUnavailable as error:
        for line in connected:
            gate_is_down(line.creator_id, error)
        return {}


def _serve_alone(line: Line, may_go: State | None, carry: Carrier) -> int:
    """Whatever is wrong with one creator, say an unreadable pace, must not stop the others."""
    try:
        return _serve(line, may_go, carry)
    except (QueueUnavailable, DatabaseError):
        raise
    except Exception:
        log.exception("this line cannot be served", creator=line.creator_id)
        Line.objects.hold(line.creator_id, until=database_now() + BROKEN_HOLD, cause=HoldCause.BROKEN)
        return 0


def _serve(line: Line, may_go: State | None, carry: Carrier) -> int:
    """Hand over as many of the line's front messages as may go now."""
    if not is_connected(line.creator):
        Line.objects.hold(line.creator_id, until=database_now() + NOT_CONNECTED_HOLD, cause=HoldCause.NOT_CONNECTED)
        return 0
    if is_by_hand(line.creator):
        Line.objects.hold(line.creator_id, until=database_now() + BY_HAND_HOLD, cause=HoldCause.BY_HAND)
        return 0
    if breaker.is_open(connection_of(line.creator)) and _enough_are_probed(line):
        Line.objects.hold(line.creator_id, until=database_now() + PROBE_LATER, cause=HoldCause.UNREACHABLE)
        return 0
    if may_go is None:
        # The gate is down and the line is held; or its pace cannot be read, which is said here, for it alone.
        gate.limits_of(line.creator)
        return 0
    now = database_now()
    tokens = may_go.free or int(is_near(may_go.next_in))
    room = _room(line, tokens, now)
    if room <= 0:
        _wait_for_room(line, now, next_in=0.0 if tokens else may_go.next_in)
        return 0
    # One row more than can go shows whether the line stays due, which is what it is in mid-campaign.
    front = Message.objects.to_hand_over(line.creator_id, now, 2 * room)
    claimed = _claim(line, front, room, now)
    if not claimed or len(claimed) == len(front):
        _rearm(line, now, found=len(claimed))
    reached("claimed")
    for message in claimed:
        try:
            _carry(message, carry)
            reached("published")
        except QueueUnavailable:
            for waiting in claimed[claimed.index(message) :]:
                waiting.back_to_queue(hand_overs=waiting.hand_overs - 1)
            Line.objects.hold(line.creator_id, until=now, cause=HoldCause.NONE)
            raise
    return len(claimed)


def _carry(message: Message, carry: Carrier) -> None:
    with correlated(message.correlation_id):
        carry(message.public_id)
        log.info(
            "handed over", message=str(message.public_id), creator=message.creator_id, hand_over=message.hand_overs
        )


def _room(line: Line, tokens: int, now: datetime) -> int:
    """How many more of this line may go: as many as there are tokens, but never so many that they fill the workers."""
    in_flight = _IN_FLIGHT(creator_id=line.creator_id)
    began = [message.sending_at for message in in_flight if message.status == Status.SENDING]
    if any(at and at < now - SLOW_CALL for at in began):
        return 0
    per_line = max(1, settings.CELERY_WORKER_CONCURRENCY - 1)
    return min(tokens, per_line - len(began)) - (len(in_flight) - len(began))


def _enough_are_probed(line: Line) -> bool:
    """Others whose breaker is open have their share of the workers: those that are well need the rest."""
    probed = Message.objects.in_flight().filter(creator__connection__failures__gte=breaker.OPEN_AFTER)
    return probed.exclude(creator_id=line.creator_id).count() >= max(1, settings.CELERY_WORKER_CONCURRENCY // 2)


def _begin_to_serve(line: Line) -> bool:
    """Of two dispatchers that read the same line one goes on. A later look passes too: ``_claim`` minds that."""
    now = database_now()
    return bool(_SERVE(pk=line.pk, read=line.served_at or LONG_AGO, now=now))


def _claim(line: Line, front: list[Message], room: int, now: datetime) -> list[Message]:
    """Move front messages to ``handed_over`` while there is room; one of each conversation, so order within it holds.

    A conversation whose first message another dispatcher was faster to claim is not tried again: its second message
    would overtake the first.
    """
    claimed: list[Message] = []
    tried: set[int] = set()
    for message in front:
        if message.conversation_id in tried:
            continue
        tried.add(message.conversation_id)
        if message.hand_over(until=now + _hand_over_lease(message)):
            claimed.append(message)
        if len(claimed) == room:
            # The worker writes the next token's time as soon as it has taken one; until then nobody else goes.
            until = max(message.lease_until for message in claimed if message.lease_until)
            _hold_as_read(line, until=until, cause=HoldCause.HANDED_OVER)
            break
    return claimed


def _hand_over_lease(message: Message) -> timedelta:
    """30 s the first time, doubling: a broker that is slow must not be flooded with copies."""
    first = timedelta(seconds=settings.HAND_OVER_LEASE_SECONDS)
    return min(first * 2 ** min(message.hand_overs, 10), HAND_OVER_LEASE_MAX)


def _rearm(line: Line, now: datetime, *, found: int) -> None:
    """Say when to look at this line again, unless an insert has woken it since it was read."""
    wake_at = Message.objects.next_due_at(line.creator_id, now)
    if wake_at is not None and wake_at <= now and not found:
        # Due, yet not to be handed over: an earlier message of the conversation holds it. Its settling wakes the line.
        wake_at = now + LOOK_AGAIN
    _ARM(pk=line.pk, version=line.version, wake_at=wake_at)


def _wait_for_room(line: Line, now: datetime, *, next_in: float) -> None:
    """Look again with the next token, or once what is in flight has moved on or was given up."""
    if next_in:
        _hold_as_read(line, until=sets_out_at(now, next_in), cause=_pace_or_throttled(line))
        return
    if recall_strays(creator_id=line.creator_id):
        return
    in_flight = Message.objects.in_flight().filter(creator_id=line.creator_id)
    lease: datetime | None = in_flight.aggregate(until=Min("lease_until"))["until"]
    _hold_as_read(line, until=max(lease or now, now + LOOK_AGAIN), cause=HoldCause.HANDED_OVER)


def _hold_as_read(line: Line, *, until: datetime, cause: HoldCause) -> None:
    """Hold the line unless a worker has written a better time since it was read: what a worker knows stays."""
    _HOLD(pk=line.pk, read=line.hold_until or LONG_AGO, until=until, cause=cause.value)


def _pace_or_throttled(line: Line) -> HoldCause:
    return HoldCause.THROTTLED if line.hold_cause == HoldCause.THROTTLED else HoldCause.PACE
