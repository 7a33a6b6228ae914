"""The delivery of one message, from its line to the platform.

    queued ──hand_over──▶ handed_over ──deliver──▶ sending ──▶ sent ──▶ delivered ──▶ read
     │ ▲                     │   │                    │          ▲
     │ │  no token, stopped, │   │   throttled,       │          ├── found in the chat, confirmed by the platform,
     │ ╰─────────────────────╯◀──┼── session lost, ───┤          │   seen by a person
     │    lease ran out          │   never left       │          │
     │                           │                    ├──▶ unknown ──▶ needs_person   the chat does not tell
     │     5 workers died over it│                    │       it left, and nobody knows; the worker died
     │     or its media ─────────┴──▶ failed ◀────────╯
     │     was refused                  the platform will never take it
     ╰──▶ cancelled, by a person, also from handed_over

    failed ──a person──▶ queued        unknown, needs_person ──a person who says that it was not sent──▶ queued

``MOVES`` in crm/models/messages.py is this drawing as a table, and every arrow is a compare-and-set (``Message.move``):
whoever comes second changes nothing and goes home. The commit that writes ``sending`` is the last act before the
request, so a worker that dies leaves either a message that certainly did not go or one whose outcome is unknown.
Nothing here ever sends an unknown one again.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Count, Exists, Min, OuterRef, Q

from crm.clock import database_now
from crm.correlation import correlated
from crm.models import Campaign, Creator, Dispatch, HoldCause, Line, Message, PauseCause
from crm.models.messages import OUTCOME_OPEN, Status
from onlyfans import breaker, gate
from onlyfans.faultpoints import reached
from onlyfans.gateway import (
    Gateway,
    NoGateway,
    Outcome,
    Parcel,
    Rejected,
    Sent,
    SessionLost,
    Throttled,
    Unknown,
    Unreachable,
    gateway_for,
)
from onlyfans.models import Connection, Provider
from onlyfans.queue import Carrier, QueueUnavailable
from ratelimit.bucket import Denied, GateUnavailable, Lost, State, Taken

log = structlog.get_logger(__name__)

LINES_AT_ONCE = 100
HAND_OVER_LEASE_MAX = timedelta(minutes=10)
#: A worker holds a message this long without being heard of; in ``sending``, this much beyond the call's deadline.
WORKER_LEASE = timedelta(seconds=30)
SENDING_SLACK = timedelta(seconds=5)
PROBE_LATER = timedelta(seconds=5)
GATE_DOWN_HOLD = timedelta(seconds=1)
LOOK_AGAIN = timedelta(seconds=1)
NOT_CONNECTED_HOLD = timedelta(seconds=5)
#: How often dispatch looks whether an account whose messages go by hand is connected otherwise now.
BY_HAND_HOLD = timedelta(seconds=5)
BROKEN_HOLD = timedelta(seconds=30)
#: A call that is out for longer is a platform that hangs: no other of its line begins until it is back.
SLOW_CALL = timedelta(seconds=2)
#: Starts whose worker died, before the message itself is taken for the cause.
ATTEMPTS_MAX = 5
RECONCILE_FIRST = timedelta(seconds=3)
#: The safety margin of the default pace is 0.3 s a minute (crm/pace.py); a token must not use it up.
TOKEN_GOOD_FOR_SECONDS = 0.25


# --- Dispatch: from the line to the queue


def hand_over(carry: Carrier) -> int:
    """Serve every line that is due, once each, longest-waiting first; the answer is how many messages went.

    Raises QueueUnavailable after putting back what could not be handed over.
    """
    lines = list(Line.objects.due(database_now()).select_related("creator__connection")[:LINES_AT_ONCE])
    # Asked only when there is something to do: the loop comes by four times a second.
    if not lines or Dispatch.is_stopped():
        return 0
    may_go = _look(lines)
    return sum(_serve_alone(line, may_go.get(line.pk), carry) for line in lines if _begin_to_serve(line))


def _look(lines: list[Line]) -> dict[int, State]:
    """What may go on each line, asked in one round trip. Without an answer they are held."""
    connected = [line for line in lines if _is_connected(line.creator)]
    try:
        return gate.peek_many(connected)
    except GateUnavailable as error:
        for line in connected:
            _gate_is_down(line.creator_id, error)
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
    if not _is_connected(line.creator):
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
    room = _room(line, may_go.free, now)
    if room <= 0:
        _wait_for_room(line, now, next_in=0.0 if may_go.free else may_go.next_in)
        return 0
    # One row more than can go shows whether the line stays due, which is what it is in mid-campaign.
    front = list(Message.objects.front(line.creator_id, now)[: 2 * room])
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


def _room(line: Line, free: int, now: datetime) -> int:
    """How many more of this line may go: as many as there are tokens, but never so many that they fill the workers."""
    in_flight = Message.objects.in_flight().filter(creator_id=line.creator_id)
    handed_over, sending = Q(status=Status.HANDED_OVER), Q(status=Status.SENDING)
    seen = in_flight.aggregate(
        handed_over=Count("pk", filter=handed_over),
        sending=Count("pk", filter=sending),
        longest=Min("sending_at", filter=sending),
    )
    if seen["longest"] and seen["longest"] < now - SLOW_CALL:
        return 0
    per_line = max(1, settings.CELERY_WORKER_CONCURRENCY - 1)
    return min(free, per_line - seen["sending"]) - seen["handed_over"]


def _enough_are_probed(line: Line) -> bool:
    """Others whose breaker is open have their share of the workers: those that are well need the rest."""
    probed = Message.objects.in_flight().filter(creator__connection__failures__gte=breaker.OPEN_AFTER)
    return probed.exclude(creator_id=line.creator_id).count() >= max(1, settings.CELERY_WORKER_CONCURRENCY // 2)


def _begin_to_serve(line: Line) -> bool:
    """Of two dispatchers that read the same line one goes on. A later look passes too: ``_claim`` minds that."""
    now = database_now()
    return bool(Line.objects.filter(pk=line.pk, served_at=line.served_at).update(served_at=now))


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
    in_line = Message.objects.in_line(line.creator_id, now).order_by("due_at")
    wake_at = in_line.values_list("due_at", flat=True).first()
    if wake_at is not None and wake_at <= now and not found:
        # Due, yet not to be handed over: an earlier message of the conversation holds it. Its settling wakes the line.
        wake_at = now + LOOK_AGAIN
    Line.objects.filter(pk=line.pk, version=line.version).update(wake_at=wake_at)


def _wait_for_room(line: Line, now: datetime, *, next_in: float) -> None:
    """Look again with the next token, or once what is in flight has moved on or was given up."""
    if next_in:
        _hold_as_read(line, until=now + timedelta(seconds=next_in), cause=_pace_or_throttled(line))
        return
    if recall_strays(creator_id=line.creator_id):
        return
    in_flight = Message.objects.in_flight().filter(creator_id=line.creator_id)
    lease: datetime | None = in_flight.aggregate(until=Min("lease_until"))["until"]
    _hold_as_read(line, until=max(lease or now, now + LOOK_AGAIN), cause=HoldCause.HANDED_OVER)


def _hold_as_read(line: Line, *, until: datetime, cause: HoldCause) -> None:
    """Hold the line unless a worker has written a better time since it was read: what a worker knows stays."""
    as_read = Line.objects.filter(pk=line.pk, hold_until=line.hold_until)
    as_read.update(hold_until=until, hold_cause=cause)


def _pace_or_throttled(line: Line) -> HoldCause:
    return HoldCause.THROTTLED if line.hold_cause == HoldCause.THROTTLED else HoldCause.PACE


def _gate_is_down(creator_id: int, error: GateUnavailable) -> None:
    """The policy, in one place: without an answer from Redis nothing is sent."""
    Line.objects.hold(creator_id, until=database_now() + GATE_DOWN_HOLD, cause=HoldCause.GATE_DOWN)
    log.warning("rate limiter out of reach, nothing is sent", creator=creator_id, error=str(error))


# --- Worker: from the queue to the platform


def deliver(public_id: UUID) -> None:
    """Send one message that was handed over. A second copy of the same id does nothing."""
    reached("received")
    message = (
        Message.objects.select_related("conversation__fan", "creator__connection", "creator__line")
        .filter(public_id=public_id)
        .first()
    )
    if message is None or not message.take_lease(until=database_now() + WORKER_LEASE):
        log.info("nothing to deliver", message=str(public_id))
        return
    reached("leased")
    connection = connection_of(message.creator)
    if is_by_hand(message.creator):
        # Since it was handed over the account has come into a person's hands.
        message.back_to_queue()
        return
    try:
        gateway = gateway_for(connection)
    except NoGateway as error:
        _no_way(message, error)
        return
    if breaker.is_open(connection) and not _is_answered(message, connection, gateway):
        return
    parcel = _parcel(message)
    deadline = timedelta(seconds=settings.GATEWAY_DEADLINE_SECONDS)
    token = begin(message, lasts=deadline + SENDING_SLACK)
    if token is None:
        return
    reached("sending")
    outcome = gateway.send(parcel)
    reached("answered")
    settle(message, connection, outcome, token)
    reached("settled")


def _no_way(message: Message, error: NoGateway) -> None:
    """The line waits and looks again: a keyring put right, or an account reconnected, lets it go on by itself."""
    message.back_to_queue(cause_code="not_connected", cause=str(error))
    until = database_now() + NOT_CONNECTED_HOLD
    Line.objects.hold(message.creator_id, until=until, cause=HoldCause.NOT_CONNECTED)
    log.error("no way to the account", creator=message.creator_id, error=str(error))


def _is_answered(message: Message, connection: Connection | None, gateway: Gateway) -> bool:
    """The breaker is open: ask what sends nothing, before a message is put at risk."""
    if Dispatch.is_stopped() or message.creator.line.paused_at:
        message.back_to_queue()
        return False
    trouble = gateway.ping()
    log.info("probed", creator=message.creator_id, answer=type(trouble).__name__ if trouble else "well")
    match trouble:
        case Unreachable(words) | Unknown(words):
            message.back_to_queue(cause_code="unreachable", cause=words)
            until = database_now() + breaker.PROBE_AGAIN
            Line.objects.hold(message.creator_id, until=until, cause=HoldCause.UNREACHABLE)
        case SessionLost(code, words):
            message.back_to_queue(cause_code=code, cause=words)
            session_lost(message.creator, connection, words)
        case Throttled(after, words):
            _throttled(message, after, words)
        case _:
            return True
    return False


def connection_of(creator: Creator) -> Connection | None:
    return getattr(creator, "connection", None)


def is_by_hand(creator: Creator) -> bool:
    """A person sends this creator's messages, see onlyfans/assisting.py."""
    connection = connection_of(creator)
    return settings.RATE_LIMITER_ENABLED and connection is not None and connection.provider == Provider.ASSISTED


def _is_connected(creator: Creator) -> bool:
    """Without the rate limiter everything goes to the log, which needs no connection."""
    connection = connection_of(creator)
    return not settings.RATE_LIMITER_ENABLED or (
        connection is not None and connection.state == Connection.State.CONNECTED
    )


def _take_token(message: Message) -> Taken | None:
    """A token, or the message waits again and its whole line with it."""
    try:
        answer = gate.take(message.creator.line)
    except GateUnavailable as error:
        message.back_to_queue()
        _gate_is_down(message.creator_id, error)
        return None
    if isinstance(answer, Denied):
        until = database_now() + timedelta(seconds=answer.retry_in)
        message.back_to_queue()
        cause = HoldCause.PACE if answer.limit else HoldCause.THROTTLED
        Line.objects.hold(message.creator_id, until=until, cause=cause)
        return None
    return answer


def begin(message: Message, *, lasts: timedelta) -> Taken | None:
    """Take a token and write ``sending``, if both may be now; else the message, whose lease is ours, waits again.

    Whoever sends it has ``lasts`` to say what became of it.
    """
    token = _take_token(message)
    taken = monotonic()
    return token if token and _begin(message, token, taken=taken, lasts=lasts) else None


def _begin(message: Message, token: Taken, *, taken: float, lasts: timedelta) -> bool:
    """Write the token's time and ``sending`` in one commit, if nothing forbids it at this moment.

    ``taken`` is when the token was, by this process's own clock. A commit that had to wait for a lock must not send
    with a token of long ago: the calls of a minute would bunch up at the platform.
    """
    now = database_now()
    allowed = (
        Q(lease_until__gt=now)
        & Q(Exists(Line.objects.filter(creator_id=OuterRef("creator_id"), paused_at__isnull=True)))
        & ~Q(Exists(Dispatch.objects.filter(stopped_at__isnull=False)))
        & ~Q(Exists(Campaign.objects.held(now).filter(pk=OuterRef("campaign_id"))))
    )
    with transaction.atomic():
        begun = message.move(Status.SENDING, provided=allowed, sending_at=now, lease_until=now + lasts)
        Line.objects.filter(creator_id=message.creator_id).update(
            hold_until=now + timedelta(seconds=token.state.next_in),
            hold_cause=HoldCause.PACE,
            **gate.known_of(message.creator, token.state, now),
        )
        if begun and monotonic() - taken > TOKEN_GOOD_FOR_SECONDS:
            transaction.set_rollback(True)
            begun = False
    if not begun:
        # The call never began: the token is good for the next one, the message waits as before or was cancelled.
        _refund(message, token)
        # A move that was rolled back has changed the object only; the row is under this worker's lease, or somebody's.
        message.status = Status.HANDED_OVER
        message.back_to_queue()
        Line.objects.hold(message.creator_id, until=database_now(), cause=HoldCause.NONE)
    return begun


def _parcel(message: Message) -> Parcel:
    return Parcel(
        chat_id=message.conversation.fan.platform_id,
        text=message.text,
        price_cents=message.price_cents,
        media_ids=[attachment.provider_media_id for attachment in message.attachments.all()],
    )


# --- The six answers, and the one fate of each


def settle(message: Message, connection: Connection | None, outcome: Outcome, token: Taken) -> None:
    """Write what became of the call, then let the breaker know."""
    log.info("answered", message=str(message.public_id), creator=message.creator_id, outcome=type(outcome).__name__)
    match outcome:
        case Sent():
            _sent(message, outcome)
        case Rejected(code, words):
            _keep(message, lambda: message.settle(Status.FAILED, cause_code=code, cause=words, reconcile_at=None))
        case Throttled(after, words):
            _throttled(message, after, words)
        case SessionLost(code, words):
            _again(message, code, words)
            session_lost(message.creator, connection, words)
        case Unreachable(words):
            # Without a time of sending: a bucket rebuilt from the ledger must not count a call that never was.
            _refund(message, token)
            _again(message, "unreachable", words, sending_at=None)
        case Unknown(words):
            _unknown(message, "unknown_outcome", words)
    if wait := breaker.note(connection, outcome):
        # The token of a call that never left is back, so its time no longer holds the line.
        hold = Line.objects.hold if isinstance(outcome, Unreachable) else Line.objects.hold_on
        hold(message.creator_id, until=database_now() + wait, cause=HoldCause.UNREACHABLE)


def _keep(message: Message, write: Callable[[], bool]) -> None:
    """Write an answer that leaves nothing open, also when the lease ran out while the platform thought.

    The sweep has called it unknown then, perhaps the chat was read in vain since: the answer knows better. But once a
    person has decided, or the call is not this one any more, it comes too late.
    """
    if write():
        return
    call = message.sending_at
    message.refresh_from_db()
    if message.status not in OUTCOME_OPEN or message.sending_at != call or not write():
        log.warning("the answer came too late", message=str(message.public_id), now=message.status)


def _again(message: Message, code: str, words: str, **changes: Any) -> None:
    _keep(message, lambda: message.back_to_queue(cause_code=code, cause=words, reconcile_at=None, **changes))


def _sent(message: Message, outcome: Sent) -> None:
    written: dict[str, Any] = {
        "platform_id": outcome.platform_id,
        "sent_at": database_now(),
        "cause_code": outcome.note_code,
        "cause": outcome.note,
        "reconcile_at": None,
    }
    try:
        with transaction.atomic():
            _keep(message, lambda: message.settle(Status.SENT, **written))
    except IntegrityError:
        message.refresh_from_db()
        if message.status == Status.SENDING:
            words = f"The platform answered with the id of another message, {outcome.platform_id}."
            _unknown(message, "platform_id_known", words)


def _throttled(message: Message, after: float, words: str) -> None:
    """The platform is the one who knows: the line waits as long as it asked. No attempt is lost."""
    try:
        gate.hold(message.creator.line, seconds=after)
    except GateUnavailable as error:
        log.warning("hold not kept in the bucket, the line keeps it", creator=message.creator_id, error=str(error))
    _again(message, "throttled", words)
    until = database_now() + timedelta(seconds=after)
    Line.objects.hold(message.creator_id, until=until, cause=HoldCause.THROTTLED)


def session_lost(creator: Creator, connection: Connection | None, words: str, *, at: datetime | None = None) -> None:
    """Nothing goes out until the account is back; nothing fails meanwhile. ``at``: since when; None is now."""
    if connection:
        connection.lost(at=at or database_now())
    line, _created = Line.objects.get_or_create(creator=creator)
    line.pause(
        reason=f"The connection to the account is lost: {words}", now=database_now(), cause=PauseCause.SESSION_LOST
    )
    log.warning("session lost, creator paused", creator=creator.pk)


def _refund(message: Message, token: Taken) -> None:
    try:
        state = gate.refund(message.creator, token)
    except GateUnavailable as error:
        log.warning("token lost", creator=message.creator_id, error=str(error))
        return
    if isinstance(state, Lost):
        # Redis forgot the bucket meanwhile: what the line says about it stands, and the next take rebuilds it.
        return
    # The bucket is full earlier now; a key that is missing after this moment is not lost state.
    known = gate.known_of(message.creator, state, database_now())
    Line.objects.filter(creator_id=message.creator_id).update(**known)


def _unknown(message: Message, code: str, words: str) -> None:
    message.settle(
        Status.UNKNOWN, cause_code=code, cause=words, reconcile_at=database_now() + RECONCILE_FIRST, reconciliations=0
    )


# --- The sweep: what nobody has been heard of


def recall_strays(creator_id: int | None = None) -> int:
    """Settle messages whose lease ran out, of one creator or of all; the answer is how many."""
    strays = Message.objects.lease_lost(database_now())
    if creator_id is not None:
        strays = strays.filter(creator_id=creator_id)
    return sum(_recall(message) for message in strays[:500])


def _recall(message: Message) -> bool:
    ran_out = Q(lease_until__lt=database_now())
    given_up = {"provided": ran_out, "lease": None, "lease_until": None}
    if message.status == Status.SENDING:
        words = "The worker stopped while the message was being sent."
        if is_by_hand(message.creator):
            words = "Whoever took it to send it by hand did not say whether they did."
        moved = message.move(
            Status.UNKNOWN,
            **given_up,
            cause_code="worker_lost",
            cause=words,
            reconcile_at=database_now(),
            reconciliations=0,
        )
    elif message.lease is None:
        # SQS is slow or has lost it: nobody died, and the next hand-over waits longer.
        moved = message.move(Status.QUEUED, **given_up)
    elif message.attempts + 1 >= ATTEMPTS_MAX:
        words = f"{ATTEMPTS_MAX} workers died over this message."
        moved = message.move(Status.FAILED, **given_up, attempts=message.attempts + 1, cause_code="poison", cause=words)
    else:
        moved = message.move(Status.QUEUED, **given_up, attempts=message.attempts + 1, hand_overs=0)
    if moved:
        with correlated(message.correlation_id):
            log.warning("lease ran out", message=str(message.public_id), creator=message.creator_id, now=message.status)
    return moved


def recompute_lines() -> None:
    """Wake every line that has waiting messages and is not armed for them: the sweep forgives a lost wake."""
    now = database_now()
    due = Message.objects.waiting().filter(waits_for_media=False, creator=OuterRef("creator"))
    sleeping = Line.objects.filter(Exists(due)).filter(
        Q(wake_at__isnull=True) | Q(wake_at__gt=due.order_by("due_at").values("due_at")[:1])
    )
    for creator_id in sleeping.values_list("creator_id", flat=True):
        Line.objects.wake(creator_id, at=now)
