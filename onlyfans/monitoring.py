"""How every component is, for whoever watches: the parts of ``GET /api/monitoring/onlyfans``.

Only the database and Redis are asked; each has its time limit. SQS, workers and dispatch are what they last said about
themselves in the database, and providers what became of the last calls.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError
from django.db.models import Avg, F, Q

from crm.clock import database_now
from crm.models import Dispatch, Message, Worker
from crm.models.messages import Status
from onlyfans import breaker, gate
from onlyfans.models import Connection
from onlyfans.queue import missing_settings
from onlyfans.thresholds import DEAD_LETTERS_MAX
from ratelimit.bucket import GateUnavailable, Limit

log = structlog.get_logger(__name__)

#: A sample of SQS that is older tells of the past.
SAMPLE_GOOD_FOR = timedelta(seconds=30)
#: How long a call to a provider takes is told from the calls of this long.
CALLS_OF = timedelta(minutes=10)
#: A bucket of nobody's, looked at and never charged.
SCRATCH_KEY, SCRATCH_LIMIT = "rl:{monitoring}", Limit(1, 60, 1)


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Component:
    """``latency_ms`` is None where nothing can be measured."""

    state: State
    words: str
    latency_ms: float | None = None


NOT_KNOWN = Component(State.DOWN, "Not known while the database does not answer.")
NOT_USED = Component(State.OFF, "Not used: RATE_LIMITER_ENABLED is off, messages are written to the log.")


def components() -> dict[str, Component]:
    """Every component by its name. Asks no SQS and no provider."""
    began = monotonic()
    try:
        now, seen = database_now(), Dispatch.current()
        found = {"database": Component(State.OK, "It answers.", _milliseconds_since(began))}
        rest = {
            "sqs": _sqs(seen, now),
            "gateway": _gateway(now),
            "worker": _worker(now),
            "dispatch": _dispatch(seen, now),
        }
    except (DatabaseError, InterfaceError) as error:
        log.error("the database did not answer", error=str(error))
        found = {"database": Component(State.DOWN, "It does not answer.")}
        rest = dict.fromkeys(("sqs", "gateway", "worker", "dispatch"), NOT_KNOWN)
    redis = _asked(gate.bucket().ping, "Redis answers.")
    limiter = _asked(lambda: gate.bucket().peek(SCRATCH_KEY, [SCRATCH_LIMIT]), "A bucket can be looked at.")
    return found | {"redis": redis, "sqs": rest.pop("sqs"), "rateLimiter": limiter} | rest


def _asked(question: Callable[[], object], words: str) -> Component:
    """Redis is given half a second (ratelimit/bucket.py)."""
    if not settings.RATE_LIMITER_ENABLED:
        return NOT_USED
    began = monotonic()
    try:
        question()
    except GateUnavailable as error:
        return Component(State.DOWN, f"Nothing is sent: {error}")
    return Component(State.OK, words, _milliseconds_since(began))


def _sqs(seen: Dispatch, now: datetime) -> Component:
    if not settings.RATE_LIMITER_ENABLED:
        return NOT_USED
    if trouble := missing_settings() or seen.queue_trouble:
        return Component(State.DOWN, trouble)
    if seen.queue_sampled_at is None:
        return Component(State.DEGRADED, "Dispatch has not asked SQS yet.")
    age = now - seen.queue_sampled_at
    words = (
        f"{seen.queue_depth} waiting, {seen.queue_in_flight} in flight, {seen.dlq_count} dead,"
        f" {age.total_seconds():.0f} s ago."
    )
    well = age <= SAMPLE_GOOD_FOR and (seen.dlq_count or 0) <= DEAD_LETTERS_MAX
    return Component(State.OK if well else State.DEGRADED, words)


def _gateway(now: datetime) -> Component:
    """One creator's trouble is theirs; with everybody's provider out of reach the component is down."""
    connections = Connection.objects.all()
    many = connections.count()
    if not many:
        return Component(State.OFF, "No account is connected.")
    lost = connections.filter(state=Connection.State.SESSION_LOST).count()
    failing = connections.filter(~Q(state=Connection.State.SESSION_LOST), failures__gte=breaker.OPEN_AFTER).count()
    words = f"{many} connected accounts: {lost} have lost their session, {failing} cannot be reached."
    state = State.DEGRADED if lost or failing else State.OK
    if failing and failing + lost == many:
        state = State.DOWN
    calls = Message.objects.filter(settled_at__gt=now - CALLS_OF, status=Status.SENT, cause_code="")
    took: timedelta | None = calls.aggregate(took=Avg(F("settled_at") - F("sending_at")))["took"]
    return Component(state, words, round(took / timedelta(milliseconds=1), 1) if took else None)


def _worker(now: datetime) -> Component:
    if not settings.RATE_LIMITER_ENABLED:
        return NOT_USED
    alive, listening = Worker.objects.alive(now).count(), Worker.objects.listening(now).count()
    if not listening:
        last = Worker.objects.order_by("-seen_at").first()
        if alive or last is None:
            return Component(State.DOWN, Worker.trouble(now))
        return Component(State.DOWN, f"No worker has been seen for {(now - last.seen_at).total_seconds():.0f} s.")
    words = f"{alive} alive, {listening} of them hear from SQS."
    return Component(State.OK if listening == alive else State.DEGRADED, words)


def _dispatch(seen: Dispatch, now: datetime) -> Component:
    if seen.heartbeat_at is None:
        return Component(State.DOWN, "No dispatch loop has ever run.")
    words = f"Last heartbeat {(now - seen.heartbeat_at).total_seconds():.0f} s ago."
    if seen.is_silent(now):
        return Component(State.DOWN, words)
    if seen.stopped_at:
        return Component(State.DEGRADED, f"All sending is stopped: {seen.stopped_reason}")
    return Component(State.OK, words)


def _milliseconds_since(began: float) -> float:
    return round((monotonic() - began) * 1e3, 1)
