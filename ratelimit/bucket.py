"""A token bucket in Redis. It knows strings and rates, nothing else.

The law of each limit: grants in any interval t <= burst + t * rate. GCRA in integer microseconds on the server's clock,
all limits of a key in one atomic call; ``take.lua`` is the algorithm.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from math import ceil
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError
from redis.retry import Retry

MICROSECONDS = 1_000_000
# A frozen or unreachable Redis must cost a worker less than a second, and must never be asked twice: the first call
# may have been executed.
TIMEOUT_SECONDS = 0.5

_SCRIPT = files("ratelimit").joinpath("take.lua").read_text()

_ALLOWED, _DENIED, _NEVER, _LOST = 1, 0, -1, -2


class GateUnavailable(Exception):
    """Redis gave no answer. Nobody knows whether a token was taken; whoever sends must not send."""


@dataclass(frozen=True, slots=True)
class Limit:
    """``limit`` grants per ``period`` seconds, at most ``burst`` at once. Raises ValueError out of range."""

    limit: int
    period: float
    burst: int

    def __post_init__(self) -> None:
        if self.limit < 1 or self.burst < 1 or self.period <= 0:
            raise ValueError(f"A limit needs at least 1 per period and a burst of at least 1: {self}")

    @property
    def interval_us(self) -> int:
        """Microseconds between two grants; rounded up, so the law is never exceeded."""
        return ceil(self.period * MICROSECONDS / self.limit)


@dataclass(frozen=True, slots=True)
class State:
    """What a bucket says of itself. Times in seconds from now."""

    free: int
    next_in: float
    full_in: float


@dataclass(frozen=True, slots=True)
class Taken:
    """Granted. ``granted_at_us`` (Redis time) is the receipt that ``refund`` wants."""

    granted_at_us: int
    cost: int
    state: State


@dataclass(frozen=True, slots=True)
class Denied:
    """Come back in ``retry_in`` seconds. ``limit`` is the one that blocks; None when the platform said wait."""

    retry_in: float
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Never:
    """The cost is above the burst of ``limit``: no waiting helps."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Lost:
    """The key must exist and does not: the state was lost. Rebuild it before taking."""


class Bucket:
    """Token buckets on one Redis. Safe to share among threads, and across a fork."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._sha = ""

    @classmethod
    def at(cls, endpoint: str) -> "Bucket":
        """The buckets on the Redis at ``host:port``."""
        host, _colon, port = endpoint.rpartition(":")
        client = redis.Redis(
            host=host,
            port=int(port),
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        return cls(client)

    def take(
        self, key: str, limits: Sequence[Limit], *, cost: int = 1, must_exist: bool = False
    ) -> Taken | Denied | Never | Lost:
        """Charge every limit or none. ``must_exist``: a missing key is lost state, not a full bucket.

        Raises GateUnavailable.
        """
        reply = self._run("take", key, limits, cost, int(must_exist))
        match reply[0]:
            case status if status == _ALLOWED:
                return Taken(granted_at_us=reply[3], cost=cost, state=_state(reply))
            case status if status == _NEVER:
                return Never(limits[reply[2] - 1])
            case status if status == _LOST:
                return Lost()
        return Denied(retry_in=reply[1] / MICROSECONDS, limit=limits[reply[2] - 1] if reply[2] else None)

    def peek(self, key: str, limits: Sequence[Limit], *, must_exist: bool = False) -> State | Lost:
        """How many may go now and when the next one may; charges nothing. Raises GateUnavailable."""
        reply = self._run("peek", key, limits, 1, int(must_exist))
        return Lost() if reply[0] == _LOST else _state(reply)

    def hold(self, key: str, limits: Sequence[Limit], *, seconds: float, must_exist: bool = False) -> State | Lost:
        """Grant nothing for ``seconds``: the platform said wait. A longer hold stays. Raises GateUnavailable."""
        reply = self._run("hold", key, limits, ceil(seconds * MICROSECONDS), int(must_exist))
        return Lost() if reply[0] == _LOST else _state(reply)

    def refund(self, key: str, limits: Sequence[Limit], receipt: Taken) -> State | Lost:
        """Give a token back that was certainly not used, once. Raises GateUnavailable."""
        reply = self._run("refund", key, limits, receipt.cost, receipt.granted_at_us)
        return Lost() if reply[0] == _LOST else _state(reply)

    def rebuild(self, key: str, limits: Sequence[Limit], ages: Iterable[float]) -> State:
        """Replay grants of ``ages`` seconds ago, oldest first, unless the key is back. Raises GateUnavailable."""
        grants = [max(0, int(age * MICROSECONDS)) for age in ages]
        return _state(self._run("rebuild", key, limits, len(grants), 0, *grants))

    def reset(self, key: str) -> None:
        """Forget the bucket: it is full. Raises GateUnavailable."""
        try:
            self._client.delete(key)
        except RedisError as error:
            raise GateUnavailable(str(error)) from error

    def ping(self) -> None:
        """Raises GateUnavailable when Redis does not answer."""
        try:
            self._client.ping()
        except RedisError as error:
            raise GateUnavailable(str(error)) from error

    def _run(self, op: str, key: str, limits: Sequence[Limit], first: int, second: int, *more: int) -> list[int]:
        numbers = [number for limit in limits for number in (limit.interval_us, limit.burst)]
        arguments: list[str | int] = [key, op, first, second, len(limits), *numbers, *more]
        try:
            try:
                reply = self._client.evalsha(self._sha, 1, *arguments)
            except NoScriptError:
                # After a restart, a failover or SCRIPT FLUSH. It was certainly not executed, so once more is safe.
                self._sha = self._client.script_load(_SCRIPT)
                reply = self._client.evalsha(self._sha, 1, *arguments)
        except RedisError as error:
            raise GateUnavailable(str(error)) from error
        return cast("list[int]", reply)


def _state(reply: list[int]) -> State:
    return State(free=reply[6], next_in=reply[4] / MICROSECONDS, full_in=reply[5] / MICROSECONDS)
