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
from time import monotonic, sleep
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists

from crm.causes import ANOTHER_ID, CONNECTION_LOST
from crm.clock import database_now
from crm.models import Attachment, Campaign, Creator, Dispatch, HoldCause, Line, Message, PauseCause
from crm.models.messages import OUTCOME_OPEN, Status
from crm.prepared import Given, Prepared, PreparedUpdate
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
from ratelimit.bucket import Denied, GateUnavailable, Lost, Taken

log = structlog.get_logger(__name__)

#: A worker holds a message this long without being heard of; in ``sending``, this much beyond the call's deadline.
WORKER_LEASE = timedelta(seconds=30)
SENDING_SLACK = timedelta(seconds=5)
GATE_DOWN_HOLD = timedelta(seconds=1)
NOT_CONNECTED_HOLD = timedelta(seconds=5)
RECONCILE_FIRST = timedelta(seconds=3)
#: The safety margin of the default pace is 0.3 s a minute (crm/pace.py); a token must not use it up.
TOKEN_GOOD_FOR_SECONDS = 0.25
#: A message sets out this much before its token is there. The way through SQS to a worker takes about as long; a worker
#: that is faster waits for the rest.
SETS_OUT_EARLY = timedelta(milliseconds=40)


# --- Worker: from the queue to the platform


def deliver(public_id: UUID) -> None:
    """Send one message that was handed over. A second copy of the same id does nothing."""
    reached("received")
    message = _lease(public_id)
    if message is None:
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


def _lease(public_id: UUID) -> Message | None:
    """The message, now this worker's; None when it is somebody else's by now, or nobody's."""
    found = _OF_PUBLIC_ID(public_id=public_id)
    return found[0] if found and found[0].take_lease(until=database_now() + WORKER_LEASE) else None


_OF_PUBLIC_ID: Prepared[Message] = Prepared(
    lambda: Message.objects.select_related("conversation__fan", "creator__connection", "creator__line").filter(
        public_id=Given("public_id")
    )
)


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


def is_connected(creator: Creator) -> bool:
    """Without the rate limiter everything goes to the log, which needs no connection."""
    connection = connection_of(creator)
    return not settings.RATE_LIMITER_ENABLED or (
        connection is not None and connection.state == Connection.State.CONNECTED
    )


def _take_token(message: Message) -> Taken | None:
    """A token, or the message waits again and its whole line with it."""
    line = message.creator.line
    try:
        answer = gate.take(line)
        if isinstance(answer, Denied) and is_near(answer.retry_in):
            sleep(answer.retry_in)
            answer = gate.take(line)
    except GateUnavailable as error:
        message.back_to_queue()
        gate_is_down(message.creator_id, error)
        return None
    if isinstance(answer, Denied):
        until = sets_out_at(database_now(), answer.retry_in)
        message.back_to_queue()
        cause = HoldCause.PACE if answer.limit else HoldCause.THROTTLED
        Line.objects.hold(message.creator_id, until=until, cause=cause)
        return None
    return answer


def is_near(seconds: float) -> bool:
    """The next token comes in so few ``seconds`` that its message may set out."""
    return timedelta(seconds=seconds) <= SETS_OUT_EARLY


def sets_out_at(now: datetime, next_in: float) -> datetime:
    """When the message sets out that gets the token which comes in ``next_in`` seconds."""
    return now + max(timedelta(seconds=next_in) - SETS_OUT_EARLY, timedelta())


def gate_is_down(creator_id: int, error: GateUnavailable) -> None:
    """The policy, in one place: without an answer from Redis nothing is sent."""
    Line.objects.hold(creator_id, until=database_now() + GATE_DOWN_HOLD, cause=HoldCause.GATE_DOWN)
    log.warning("rate limiter out of reach, nothing is sent", creator=creator_id, error=str(error))


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
    with transaction.atomic():
        # Locks the line: from here on nobody pauses this creator.
        _TOKEN_TAKEN(
            creator_id=message.creator_id,
            next_at=sets_out_at(now, token.state.next_in),
            **gate.known_of(message.creator, token.state, now),
        )
        allowed = bool(_MAY_BEGIN(creator_id=message.creator_id, campaign_id=message.campaign_id, now=now))
        begun = allowed and message.move(
            Status.SENDING, provided={"lease_until__gt": now}, sending_at=now, lease_until=now + lasts
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


_TOKEN_TAKEN = PreparedUpdate(
    lambda: (
        Line.objects.filter(creator_id=Given("creator_id")),
        {
            "hold_until": Given("next_at"),
            "hold_cause": HoldCause.PACE,
            "bucket_full_at": Given("bucket_full_at"),
            "bucket_law": Given("bucket_law"),
        },
    )
)

#: The creator's line, if neither it, nor all sending, nor the message's campaign is stopped at this moment.
_MAY_BEGIN: Prepared[Line] = Prepared(
    lambda: (
        Line.objects.filter(creator_id=Given("creator_id"), paused_at__isnull=True)
        .exclude(Exists(Dispatch.objects.filter(stopped_at__isnull=False)))
        .exclude(Exists(Campaign.objects.held(Given("now")).filter(pk=Given("campaign_id"))))
        .only("pk")
    )
)


_MEDIA: Prepared[Attachment] = Prepared(lambda: Attachment.objects.filter(message_id=Given("message_id")))


def _parcel(message: Message) -> Parcel:
    return Parcel(
        chat_id=message.conversation.fan.platform_id,
        text=message.text,
        price_cents=message.price_cents,
        media_ids=[attachment.provider_media_id for attachment in _MEDIA(message_id=message.pk)],
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
            _unknown(message, "platform_id_known", ANOTHER_ID % {"id": outcome.platform_id})


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
    line.pause(reason=CONNECTION_LOST % {"why": words}, now=database_now(), cause=PauseCause.SESSION_LOST)
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
