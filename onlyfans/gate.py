"""The creator's token bucket, as the courier uses it: the creator's law, and what to do when Redis forgot."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError

from crm.clock import database_now
from crm.models import Creator, Line, Message
from ratelimit.bucket import Ask, Bucket, Denied, GateUnavailable, Limit, Lost, State, Taken

log = structlog.get_logger(__name__)

OPEN = State(free=1, next_in=0.0, full_in=0.0)
#: “The bucket is not full”, said by somebody who does not know for how long.
A_MOMENT = 1e-6


@cache
def _bucket(endpoint: str) -> Bucket:
    return Bucket.at(endpoint)


def bucket() -> Bucket:
    """The buckets of this installation."""
    return _bucket(settings.REDIS_ENDPOINT)


def take(line: Line) -> Taken | Denied:
    """Take one token for one message. Raises GateUnavailable: then nothing may be sent."""
    if not settings.RATE_LIMITER_ENABLED:
        return Taken(granted_at_us=0, cost=1, state=OPEN)
    key, limits = _key(line.creator), limits_of(line.creator)
    result = bucket().take(key, limits, not_full_for=_not_full_for(line, database_now()))
    if isinstance(result, Lost):
        _rebuild(line.creator, limits, database_now())
        result = bucket().take(key, limits)
    # One token is never above a burst, and a bucket is lost only to those who know better.
    assert isinstance(result, Taken | Denied)
    return result


def peek(line: Line) -> State:
    """How many messages may go now, and when the next one may. Raises GateUnavailable."""
    return peek_many([line])[line.pk]


def peek_many(lines: Iterable[Line], now: datetime | None = None) -> dict[int, State]:
    """The same for many lines, in one round trip, by their primary keys. Raises GateUnavailable.

    A line whose creator's pace cannot be read is left out. ``now`` is the database's, of a caller who has it.
    """
    if not settings.RATE_LIMITER_ENABLED:
        return {line.pk: OPEN for line in lines}
    now, asked, asks = now or database_now(), list[Line](), list[Ask]()
    for line in lines:
        try:
            ask = Ask(_key(line.creator), limits_of(line.creator), not_full_for=_not_full_for(line, now))
        except ValidationError:
            continue
        asked.append(line)
        asks.append(ask)
    answers = bucket().peek_many(asks) if asks else []
    return {
        line.pk: _rebuild(line.creator, tuple(ask.limits), now) if isinstance(state, Lost) else state
        for line, ask, state in zip(asked, asks, answers, strict=True)
    }


def opens_in(line: Line, now: datetime) -> float | None:
    """Seconds until the next message of the line may go, as the bucket is now; None when Redis does not answer."""
    try:
        state = peek_many([line], now).get(line.pk)
    except GateUnavailable as error:
        log.warning("the bucket cannot be looked into", creator=line.creator_id, error=str(error))
        return None
    return state.next_in if state else 0.0


def refund(creator: Creator, receipt: Taken) -> State | Lost:
    """Give back the token of a call that certainly never began. Raises GateUnavailable."""
    if not settings.RATE_LIMITER_ENABLED:
        return OPEN
    return bucket().refund(_key(creator), limits_of(creator), receipt)


def hold(line: Line, *, seconds: float) -> None:
    """The platform asked to wait. Raises GateUnavailable."""
    if not settings.RATE_LIMITER_ENABLED:
        return
    key, limits = _key(line.creator), limits_of(line.creator)
    # A token was taken for the call that the platform answered so: the bucket is known not to be full.
    if isinstance(bucket().hold(key, limits, seconds=seconds, not_full_for=A_MOMENT), Lost):
        _rebuild(line.creator, limits, database_now())
        bucket().hold(key, limits, seconds=seconds)


def known_of(creator: Creator, state: State, now: datetime) -> dict[str, Any]:
    """What the line remembers of its bucket, to notice when Redis does not: values of its fields."""
    return {"bucket_full_at": now + timedelta(seconds=state.full_in), "bucket_law": creator.law}


def limits_of(creator: Creator) -> tuple[Limit, ...]:
    return tuple(Limit(part.limit, part.period, part.burst) for part in creator.allowances)


def _key(creator: Creator) -> str:
    """The braces are a cluster hash tag: whatever belongs to one creator lives in one slot."""
    return f"rl:{{{creator.public_id}}}"


def _not_full_for(line: Line, now: datetime) -> float:
    """For how many seconds the ledger knows that the bucket is not full.

    Under another law than it was written for nobody knows: a limit that was added starts from the ledger's sends.
    """
    known = (line.bucket_full_at - now).total_seconds() if line.bucket_full_at else 0.0
    return known if known > 0 or line.bucket_law == line.creator.law else A_MOMENT


def _rebuild(creator: Creator, limits: tuple[Limit, ...], now: datetime) -> State:
    """Replay the calls that the ledger remembers: lost state never gives a whole day's burst back."""
    memory = timedelta(seconds=max(limit.period + limit.full_in for limit in limits))
    calls = (
        Message.objects.filter(creator=creator, sending_at__gt=now - memory)
        .order_by("sending_at")
        .values_list("sending_at", flat=True)
    )
    ages = [(now - began).total_seconds() for began in calls if began is not None]
    log.info("bucket rebuilt from the ledger", creator=creator.pk, calls=len(ages))
    return bucket().rebuild(_key(creator), limits, ages)
