"""One row of what a bench says: what was seen, the goal, and whether it is met."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """Without a goal it explains another one. ``by_the_clock``: a busy machine may miss it."""

    case: str
    figure: str
    goal: str = ""
    is_met: bool = True
    by_the_clock: bool = False

    def __str__(self) -> str:
        verdict = f"{self.goal}: {'met' if self.is_met else 'MISSED'}" if self.goal else ""
        return f"{self.case:<58} | {self.figure:<62} | {verdict}"
