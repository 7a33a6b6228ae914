"""supervisord with a voice: it says who died and why, passes on the announcer's words, and tidies up at the end."""

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

from supervisor import events
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.supervisord import Supervisor

# Nothing of Huntaze is imported: this process is here all the time and does next to nothing.
CONFIGURATION = Path(__file__).resolve().parent.parent.parent / "supervisord.conf"


class Options(ServerOptions):
    """supervisord's options, which also reap children and collect signals."""

    def __init__(self) -> None:
        super().__init__()
        #: Wait status by pid, of every child that ended.
        self.ends: dict[int, int] = {}

    def waitpid(self) -> tuple[int | None, int | None]:
        pid, status = super().waitpid()
        if pid:
            self.ends[pid] = status
        return pid, status

    def get_signal(self) -> int | None:
        """A closed terminal means stop; supervisord would start everything anew, with nobody to see it."""
        received: int | None = super().get_signal()
        return signal.SIGTERM if received == signal.SIGHUP else received


class LaptopSupervisor(Supervisor):
    """Starts and restarts the programs of supervisord.conf, and says so on the terminal."""

    def runforever(self) -> None:
        self.died: set[str] = set()
        events.subscribe(events.ProcessStateExitedEvent, self._tell_death)
        events.subscribe(events.ProcessStateBackoffEvent, self._tell_death)
        events.subscribe(events.ProcessStateRunningEvent, self._tell_return)
        events.subscribe(events.ProcessLogStdoutEvent, lambda event: tell(event.data.decode(errors="replace")))
        # The loop would wait a second before it starts anything.
        for group in sorted(self.process_groups.values()):
            group.transition()
        super().runforever()

    def _tell_death(self, event: events.ProcessStateEvent) -> None:
        role = event.process.config.name
        self.died.add(role)
        tell(f"{role} died ({_end(self.options.ends.pop(event.process.pid, None))}), restarting\n")

    def _tell_return(self, event: events.ProcessStateEvent) -> None:
        role = event.process.config.name
        if role in self.died:
            self.died.discard(role)
            tell(f"{role} is back, pid {event.process.pid}\n")


def main() -> None:
    options = Options()
    options.realize(["--nodaemon", "--configuration", str(CONFIGURATION)])
    options.first, options.test = True, False
    try:
        LaptopSupervisor(options).main()
    except asyncore.ExitNow:
        tell("Huntaze has stopped.\n")
    finally:
        Path(os.environ["HUNTAZE_HOME"], "run.json").unlink(missing_ok=True)
        shutil.rmtree(Path(os.environ["HUNTAZE_SUPERVISOR_SOCKET"]).parent, ignore_errors=True)


def tell(text: str) -> None:
    """Write to the terminal; a terminal that is gone stops nothing."""
    with contextlib.suppress(OSError):
        sys.stdout.write(text)
        sys.stdout.flush()


def _end(status: int | None) -> str:
    if status is None:
        return "could not be started"
    return f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"exit code {os.WEXITSTATUS(status)}"


if __name__ == "__main__":
    main()
