"""What happens at a fault point: whatever a test has laid into the folder of orders, once.

This is all that a process under test imports of the tests.
"""

import os
import signal
import time
from enum import StrEnum
from pathlib import Path


class Act(StrEnum):
    KILL = "kill"  # this process alone, as when the kernel runs out of memory
    KILL_GROUP = "kill group"  # with its parent and siblings
    FREEZE = "freeze"  # until somebody sends SIGCONT
    RUN_OUT_OF_MEMORY = "run out of memory"  # as a process with a memory limit does
    RAISE = "raise"


class Orders:
    """A folder of files: the file's name begins with the point, its text is the act."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)

    def lay(self, point: str, act: Act, *, times: int = 1) -> None:
        for _time in range(times):
            draft = self.folder / "draft"
            draft.write_text(act)
            draft.rename(self.folder / f"{point}.{time.time_ns()}")

    def take(self, point: str) -> Act | None:
        """One order for this point; of several processes that come at once each takes another one."""
        for order in sorted(self.folder.glob(f"{point}.*")):
            taken = self.folder / f"taken.{order.name}.{os.getpid()}"
            try:
                order.rename(taken)
            except FileNotFoundError:
                continue
            return Act(taken.read_text())
        return None

    def taken(self, point: str) -> list[int]:
        """The processes that have followed an order at this point."""
        return [int(order.suffix[1:]) for order in self.folder.glob(f"taken.{point}.*")]

    def clear(self) -> None:
        for order in self.folder.iterdir():
            order.unlink(missing_ok=True)


def reached(point: str) -> None:
    """ON_FAULT_POINT: follow an order for this point."""
    match Orders(Path(os.environ["FAULTS_FOLDER"])).take(point):
        case Act.KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        case Act.KILL_GROUP:
            os.killpg(os.getpgrp(), signal.SIGKILL)
        case Act.FREEZE:
            os.kill(os.getpid(), signal.SIGSTOP)
        case Act.RUN_OUT_OF_MEMORY:
            raise MemoryError
        case Act.RAISE:
            raise RuntimeError("as ordered")
