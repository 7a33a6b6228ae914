"""The whole suite on SQLite and on PostgreSQL (`make test`).

Or on one of them, the rest going to pytest: `python -m tests.suite postgresql -k inbox`. Or the pages in Chromium, on
SQLite, in three parts side by side: `python -m tests.suite browser` (`make browser`).

On SQLite the journeys run at the real pace, so they mostly wait: they do it beside everything else, which gives way to
them. The rest runs on both databases at once; what asks no database beside SQLite only, which is done first. The
journeys on PostgreSQL come then, ten times faster.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from tests import chromium
from tests.postgresql import postgresql

BASE_DIR = Path(__file__).resolve().parent.parent
CLOSING_LINE = re.compile(r"\b(passed|failed|error|errors|deselected|no tests ran)\b.* in \d+\.\d+s")
TEN_TIMES_FASTER = {"TEST_PACE": "10/6", "TEST_SIMULATOR_GAP": "0.3"}


@dataclass(frozen=True, slots=True)
class Leg:
    """One run of pytest; ``gives_way`` to what looks at the clock."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    gives_way: bool = False

    def start(self, output: int | IO[str]) -> "subprocess.Popen[str]":
        colour = ["--color=yes"] if sys.stdout.isatty() else []
        command = [sys.executable, "-m", "pytest", *colour, *self.arguments]
        if self.gives_way:
            command = ["nice", "-n", "19", *command]
        print(f"\n── {self.name} ──", flush=True)
        return subprocess.Popen(
            command,
            cwd=BASE_DIR,
            env={**os.environ, **self.environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    status: int
    closing_line: str


def main() -> None:
    chromium.find_or_install()
    started = time.monotonic()
    arguments = sys.argv[1:]
    match arguments:
        case ["browser", *rest]:
            results = pages(rest)
        case ["sqlite" | "postgresql" as name, *rest]:
            results = one_leg(name, rest)
        case _:
            results = both(arguments)
    print(f"\nAll of it in {time.monotonic() - started:.0f} s:")
    for result in results:
        print(f"  {result.name:22} {result.closing_line}")
    sys.exit(any(result.status for result in results))


def one_leg(name: str, arguments: Sequence[str]) -> list[Result]:
    if name == "sqlite":
        return [_run(Leg("SQLite", arguments))]
    with postgresql() as server:
        return [_run(Leg("PostgreSQL", arguments, on_server(server)))]


def both(arguments: Sequence[str]) -> list[Result]:
    plain = [*arguments, "-m", "not journey and not browser and not faults and not contract"]
    journeys = [*arguments, "-m", "journey"]
    with (
        postgresql() as server,
        beside(Leg("SQLite, journeys", journeys)) as paced,
        beside(Leg("PostgreSQL", [*plain, "--asks-database"], on_server(server), gives_way=True)) as other,
    ):
        results = [
            _run(Leg("SQLite", plain, gives_way=True)),
            _run(Leg("PostgreSQL, journeys", journeys, on_server(server) | TEN_TIMES_FASTER)),
        ]
        return [paced.result(), other.result(), *results]


def pages(arguments: Sequence[str]) -> list[Result]:
    folder = BASE_DIR / "tests" / "browser"
    axe, inbox = [folder / "test_accessibility.py"], sorted(folder.glob("test_inbox_*.py"))
    others = sorted(set(folder.glob("test_*.py")).difference(axe, inbox))
    first, *rest = (
        Leg(name, [*arguments, *map(str, files)])
        for name, files in (("axe", axe), ("The inbox", inbox), ("The other pages", others))
    )
    with ExitStack() as stack:
        started = [stack.enter_context(beside(leg)) for leg in rest]
        return [_run(first), *(leg.result() for leg in started)]


@dataclass(frozen=True, slots=True)
class Beside:
    """A leg that runs while others do; what it says is shown when it is asked for its result."""

    leg: Leg
    process: "subprocess.Popen[str]"
    heard: IO[str]

    def result(self) -> Result:
        status = self.process.wait()
        print(f"\n── {self.leg.name}, meanwhile ──", flush=True)
        self.heard.seek(0)
        return Result(self.leg.name, status, _pass_on(self.heard))


@contextmanager
def beside(leg: Leg) -> Iterator[Beside]:
    with tempfile.TemporaryFile("w+", encoding="utf-8") as heard:
        process = leg.start(heard)
        try:
            yield Beside(leg, process, heard)
        finally:
            # As Ctrl-C would: pytest then stops the products that it has started, which a plain kill would leave.
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(60)


def _run(leg: Leg) -> Result:
    with leg.start(subprocess.PIPE) as process:
        assert process.stdout
        closing_line = _pass_on(process.stdout)
    return Result(leg.name, process.returncode, closing_line)


def _pass_on(lines: Iterable[str]) -> str:
    """Show what pytest says as it says it; returns its closing line, or the last one when it never came to that."""
    last = closing_line = ""
    for line in lines:
        sys.stdout.write(line)
        sys.stdout.flush()
        last = line.strip() or last
        if CLOSING_LINE.search(last):
            closing_line = last.strip("= ")
    return closing_line or last


def on_server(server: str) -> dict[str, str]:
    """What makes a leg use this PostgreSQL."""
    return {"TEST_DATABASE_URL": f"{server}/huntaze", "TEST_POSTGRESQL": server}


if __name__ == "__main__":
    main()
