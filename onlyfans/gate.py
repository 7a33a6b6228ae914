"""The creator's token bucket, as the courier uses it: the creator's law, and what to do when Redis forgot."""

from datetime import timedelta
from functools import cache

from django.conf import settings

from crm.clock import database_now
from crm.models import Creator, Line, Message
from ratelimit.bucket import Bucket, Denied, Limit, Lost, State, Taken

OPEN = State(free=1, next_in=0.0, full_in=0.0)


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
    result = bucket().take(key, limits, must_exist=_must_exist(line))
    if isinstance(result, Lost):
        _rebuild(line.creator, limits)
        result = bucket().take(key, limits)
    # One token is never above a burst, and a bucket that is asked without ``must_exist`` is never lost.
    assert isinstance(result, Taken | Denied)
    return result


def peek(line: Line) -> State:
    """How many messages may go now, and when the next one may. Raises GateUnavailable."""
    if not settings.RATE_LIMITER_ENABLED:
        return OPEN
    limits = limits_of(line.creator)
    state = bucket().peek(_key(line.creator), limits, must_exist=_must_exist(line))
    return _rebuild(line.creator, limits) if isinstance(state, Lost) else state


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
    if isinstance(bucket().hold(key, limits, seconds=seconds, must_exist=True), Lost):
        _rebuild(line.creator, limits)
        bucket().hold(key, limits, seconds=seconds)


def limits_of(creator: Creator) -> tuple[Limit, ...]:
    return tuple(Limit(part.limit, part.period, part.burst) for part in creator.allowances)


def _key(creator: Creator) -> str:
    """The braces are a cluster hash tag: whatever belongs to one creator lives in one slot."""
    return f"rl:{{{creator.public_id}}}"


def _must_exist(line: Line) -> bool:
    """The bucket cannot be full yet, so a missing key is lost state."""
    return line.bucket_full_at is not None and line.bucket_full_at > database_now()


def _rebuild(creator: Creator, limits: tuple[Limit, ...]) -> State:
    """Replay the calls that the ledger remembers: lost state never gives a whole day's burst back."""
    now = database_now()
    memory = timedelta(seconds=max(limit.period * (1 + limit.burst / limit.limit) for limit in limits))
    calls = (
        Message.objects.filter(creator=creator, sending_at__gt=now - memory)
        .order_by("sending_at")
        .values_list("sending_at", flat=True)
    )
    ages = [(now - began).total_seconds() for began in calls if began is not None]
    return bucket().rebuild(_key(creator), limits, ages)
