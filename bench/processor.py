"""How long processes have been at work, to a microsecond: what else the machine does is not in it."""

from collections.abc import Sequence
from pathlib import Path

import psutil


class Processor:
    """These processes and those that they have started until now. Exact for those that rest while they are asked."""

    def __init__(self, pids: Sequence[int]) -> None:
        parents = [psutil.Process(pid) for pid in pids]
        self._tasks = [
            Path(f"/proc/{each.pid}/task") for parent in parents for each in (parent, *parent.children(recursive=True))
        ]

    def milliseconds(self) -> float:
        threads = (thread for tasks in self._tasks for thread in tasks.glob("*/schedstat"))
        return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e6
