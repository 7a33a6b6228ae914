"""Misbehaviour on demand."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any, Self


class Kind(StrEnum):
    LATENCY = "latency"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    THROTTLE = "throttle"
    DROP_BEFORE = "drop_before"
    DROP = "drop"
    SLOW_BODY = "slow_body"
    SESSION_LOST = "session_lost"


class On(StrEnum):
    SEND = "send"
    READ = "read"
    UPLOAD = "upload"
    ANY = "any"


@dataclass(slots=True)
class Fault:
    """One armed fault. ``times`` counts down; None stays until cleared."""

    kind: Kind
    on: On
    times: int | None = 1
    account: str | None = None
    seconds: float | None = None
    status: int | None = None

    @classmethod
    def from_json(cls, wish: Mapping[str, Any]) -> Self:
        """Raises ValueError for a kind, a place or a name nobody knows."""
        unknown = set(wish) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"Unknown: {', '.join(sorted(unknown))}.")
        kind = Kind(wish.get("kind", ""))
        on = On(wish.get("on") or (On.ANY if kind is Kind.SESSION_LOST else On.SEND))
        return cls(**dict(wish) | {"kind": kind, "on": on})

    def concerns(self, on: On, account: str) -> bool:
        return self.on in (on, On.ANY) and self.account in (None, account) and self.times != 0


class Faults:
    """The armed faults, first armed first met."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        self._armed.append(fault)

    def clear(self) -> None:
        self._armed.clear()

    def meet(self, on: On, account: str) -> Fault | None:
        """The fault that this request meets, used up by one."""
        for fault in self._armed:
            if fault.concerns(on, account):
                if fault.times is not None:
                    fault.times -= 1
                return fault
        return None

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self._armed if fault.times != 0]
