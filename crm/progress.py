"""How far a campaign is, from its tally: a handful of numbers, however many recipients there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from crm.models.campaigns import EXCLUDED, WAITING
from crm.models.messages import IN_FLIGHT, ON_THE_PLATFORM, OUTCOME_OPEN, Status

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

#: What people tell apart, in the order in which a message goes through it; each with its states.
PARTS: Mapping[str, "tuple[StrPromise, Sequence[str]]"] = {
    "sent": (_("Sent"), ON_THE_PLATFORM),
    "failed": (_("Failed"), (Status.FAILED,)),
    "open": (_("Outcome unknown"), OUTCOME_OPEN),
    "going": (_("On its way"), IN_FLIGHT),
    "waiting": (_("Waiting"), (WAITING, Status.QUEUED)),
    "cancelled": (_("Cancelled"), (Status.CANCELLED,)),
}


@dataclass(frozen=True, slots=True)
class Part:
    """``begins`` and ``share`` are thousandths of those who were to get it."""

    key: str
    label: "StrPromise"
    number: int
    begins: float
    share: float


@dataclass(frozen=True, slots=True)
class Progress:
    """``reached`` are the recipients who are not left out; the parts add up to them."""

    reached: int
    excluded: int
    parts: Sequence[Part]

    @classmethod
    def of(cls, tally: Mapping[str, int]) -> "Progress":
        """From numbers by state, as of ``Tally.objects.of``."""
        numbers = {key: sum(tally.get(state, 0) for state in states) for key, (_label, states) in PARTS.items()}
        reached, before, parts = sum(numbers.values()), 0, []
        for key, number in numbers.items():
            part = Part(key, PARTS[key][0], number, _thousandths(before, reached), _thousandths(number, reached))
            parts.append(part)
            before += number
        return cls(reached, tally.get(EXCLUDED, 0), parts)

    @property
    def audience(self) -> int:
        """Everybody it was launched for, those left out included."""
        return self.reached + self.excluded

    @property
    def shown(self) -> Sequence[Part]:
        return [part for part in self.parts if part.number]

    @property
    def sent(self) -> int:
        return self.number("sent")

    @property
    def percent(self) -> int:
        """Of those to be reached, who have it; 100 only when all have."""
        return self.sent * 100 // self.reached if self.reached else 0

    def number(self, key: str) -> int:
        return next(part.number for part in self.parts if part.key == key)


def _thousandths(number: int, total: int) -> float:
    return round(number * 1000 / total, 2) if total else 0.0
