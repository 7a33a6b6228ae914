"""A token bucket in Redis. It knows strings and rates, nothing else.

The law of each limit: grants in any interval t <= burst + t * rate. GCRA in integer microseconds on the server's clock,
all limits of a key in one atomic call; ``take.lua`` is the algorithm, ``server.py`` the way to Redis.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from math import ceil
from operator import attrgetter
from typing import NamedTuple

from ratelimit.server import GateUnavailable, Reply, Server, server_at

__all__ = ["Ask", "Bucket", "Denied", "GateUnavailable", "Limit", "Lost", "Never", "State", "Taken"]

MICROSECONDS = 1_000_000
#: The platform's longest wait that is kept here (take.lua).
HOLD_MAX_SECONDS = 86_400.0
#: What three bytes hold, and four of milliseconds: 49 days.
COUNT_MAX, PERIOD_MAX_MS = 2**24 - 1, 2**32 - 1
#: A whole bucket's time in microseconds; with now (below 2**51) it stays an integer that a double holds exactly.
FULL_MAX_US = 2**52

SCRIPT = files("ratelimit").joinpath("take.lua").read_text()

_TAKE, _PEEK, _HOLD, _HOLD_UNTIL, _REFUND, _REBUILD = (letter.encode() for letter in "tphurb")
_HEAD, _ANSWER = struct.Struct("<cBQQ"), struct.Struct("<bqqqq")
_LAW = attrgetter("packed")
_ALLOWED, _DENIED, _NEVER, _LOST = 1, 0, -1, -2


@dataclass(frozen=True, slots=True)
class Limit:
    """``limit`` grants per ``period`` seconds, at most ``burst`` at once. Raises ValueError out of range.

    The period is what a limit is recognised by when its numbers change; it is kept in whole milliseconds, rounded up.
    """

    limit: int
    period: float
    burst: int
    #: As take.lua reads it: period in milliseconds (4 bytes), grants per period (3), burst (3).
    packed: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (1 <= self.limit <= COUNT_MAX and 1 <= self.burst <= COUNT_MAX and 0 < self.period_ms <= PERIOD_MAX_MS):
            raise ValueError(f"A limit has 1 to {COUNT_MAX} per period and a burst of at least 1: {self}")
        if self.interval_us * self.burst > FULL_MAX_US:
            raise ValueError(f"A limit must be full again within {FULL_MAX_US // MICROSECONDS} s: {self}")
        packed = b"".join(
            number.to_bytes(size, "little") for number, size in ((self.period_ms, 4), (self.limit, 3), (self.burst, 3))
        )
        object.__setattr__(self, "packed", packed)

    @property
    def period_ms(self) -> int:
        """Rounded up; a thousandth of a millisecond is what a float like 60.3 is off by."""
        return ceil(self.period * 1000 - 0.001)

    @property
    def interval_us(self) -> int:
        """Microseconds between two grants; rounded up, so the law is never exceeded."""
        return -(-self.period_ms * 1000 // self.limit)

    @property
    def full_in(self) -> float:
        """Seconds after which an empty bucket is full: how long a grant is remembered."""
        return self.interval_us * self.burst / MICROSECONDS


class State(NamedTuple):
    """What a bucket says of itself. Times in seconds from now."""

    free: int
    next_in: float
    full_in: float


class Taken(NamedTuple):
    """Granted. ``granted_at_us`` (Redis time) is the receipt that ``refund`` wants."""

    granted_at_us: int
    cost: int
    state: State


class Denied(NamedTuple):
    """Come back in ``retry_in`` seconds. ``limit`` is the one that blocks; None when the platform said wait."""

    retry_in: float
    limit: Limit | None


@dataclass(frozen=True, slots=True)
class Never:
    """The cost is above the burst of ``limit``: no waiting helps."""

    limit: Limit


@dataclass(frozen=True, slots=True)
class Lost:
    """The key knows less than the caller's ledger. Rebuild it before taking."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question to one bucket.

    ``not_full_for``: seconds from now for which the caller's ledger knows that the bucket is not full. A key that is
    missing, that does not know one of the limits, or that is fuller by more than a second is then Lost; 0 believes it.
    """

    key: str
    limits: Sequence[Limit]
    cost: int = 1
    not_full_for: float = 0.0


class Bucket:
    """Token buckets on one Redis. Safe to share among threads, and across a fork. Everything raises GateUnavailable."""

    script = SCRIPT

    def __init__(self, server: Server) -> None:
        self._server = server

    @classmethod
    def at(cls, endpoint: str) -> "Bucket":
        """The buckets at an address (``server.server_at`` has its forms). Raises ValueError when it is none."""
        return cls(server_at(endpoint, cls.script))

    def take(
        self, key: str, limits: Sequence[Limit], *, cost: int = 1, not_full_for: float = 0.0
    ) -> Taken | Denied | Never | Lost:
        """Charge every limit or none."""
        return _taken(self._server.run(key, _packed(_TAKE, limits, cost, _microseconds(not_full_for))), limits, cost)

    def take_many(self, asks: Sequence[Ask]) -> list[Taken | Denied | Never | Lost]:
        """Each as ``take`` would, in one round trip. Without an answer nobody knows which were charged."""
        replies = self._server.run_many(
            [(ask.key, _packed(_TAKE, ask.limits, ask.cost, _microseconds(ask.not_full_for))) for ask in asks]
        )
        return [_taken(reply, ask.limits, ask.cost) for ask, reply in zip(asks, replies, strict=True)]

    def peek(self, key: str, limits: Sequence[Limit], *, not_full_for: float = 0.0) -> State | Lost:
        """How many may go now and when the next one may; charges nothing."""
        return _state_or_lost(self._server.run(key, _packed(_PEEK, limits, 1, _microseconds(not_full_for))))

    def peek_many(self, asks: Sequence[Ask]) -> list[State | Lost]:
        """Each as ``peek`` would, in one round trip."""
        replies = self._server.run_many(
            [(ask.key, _packed(_PEEK, ask.limits, 1, _microseconds(ask.not_full_for))) for ask in asks]
        )
        return [_state_or_lost(reply) for reply in replies]

    def hold(self, key: str, limits: Sequence[Limit], *, seconds: float, not_full_for: float = 0.0) -> State | Lost:
        """Grant nothing for ``seconds``, a day at the most: the platform said wait. A longer hold stays."""
        microseconds = _microseconds(min(seconds, HOLD_MAX_SECONDS))
        return _state_or_lost(self._server.run(key, _packed(_HOLD, limits, microseconds, _microseconds(not_full_for))))

    def hold_until(self, key: str, limits: Sequence[Limit], *, at_us: int, not_full_for: float = 0.0) -> State | Lost:
        """Grant nothing before ``at_us``, a moment of Redis's clock such as a receipt's plus what the platform said."""
        return _state_or_lost(self._server.run(key, _packed(_HOLD_UNTIL, limits, at_us, _microseconds(not_full_for))))

    def refund(self, key: str, limits: Sequence[Limit], receipt: Taken) -> State | Lost:
        """Give a token back that was certainly not used, once.

        What has flowed back since the grant is not given twice: refund = max(0, cost * interval - time since).
        """
        return _state_or_lost(self._server.run(key, _packed(_REFUND, limits, receipt.cost, receipt.granted_at_us)))

    def rebuild(self, key: str, limits: Sequence[Limit], ages: Iterable[float]) -> State:
        """Replay grants of ``ages`` seconds ago, oldest first; where the key knows of more, that stays."""
        grants = [max(0, round(age * MICROSECONDS)) for age in ages]
        replay = struct.pack(f"<{len(grants)}Q", *grants)
        state = _state_or_lost(self._server.run(key, _packed(_REBUILD, limits, 0, 0) + replay))
        assert isinstance(state, State)
        return state

    def reset(self, key: str) -> None:
        """Forget the bucket: it is full."""
        self._server.command("DEL", key)

    def ping(self) -> None:
        """Raises GateUnavailable when Redis does not answer."""
        self._server.command("PING")


def _microseconds(seconds: float) -> int:
    return ceil(seconds * MICROSECONDS) if seconds > 0 else 0


def _packed(op: bytes, limits: Sequence[Limit], amount: int, mark: int) -> bytes:
    """As take.lua reads it. Raises ValueError for what it could not answer."""
    if not 0 < len(limits) < 256 or amount < (op == _TAKE) or mark < 0:
        raise ValueError(f"At least one limit, a cost of at least 1, no moment before 1970: {limits}, {amount}, {mark}")
    return _HEAD.pack(op, len(limits), amount, mark) + b"".join(map(_LAW, limits))


def _taken(reply: Reply, limits: Sequence[Limit], cost: int) -> Taken | Denied | Never | Lost:
    status, moment, second, third, free = _ANSWER.unpack(reply)
    if status == _ALLOWED:
        return Taken(moment, cost, State(free, second / MICROSECONDS, third / MICROSECONDS))
    if status == _LOST:
        return Lost()
    limit = limits[second - 1] if second else None
    if status == _DENIED:
        return Denied(moment / MICROSECONDS, limit)
    assert limit
    return Never(limit)


def _state_or_lost(reply: Reply) -> State | Lost:
    status, _now, next_in_us, full_in_us, free = _ANSWER.unpack(reply)
    return Lost() if status == _LOST else State(free, next_in_us / MICROSECONDS, full_in_us / MICROSECONDS)
