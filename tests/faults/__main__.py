"""All fault tests (`make faults`): on SQLite in two halves side by side, some again on PostgreSQL, then the mutants.

They mostly wait for processes, so three stages fit on two cores.
"""

import subprocess
import sys
import time

from tests.postgresql import postgresql
from tests.suite import Leg, Result, beside, on_server

FOLDER = "tests/faults"
FIRST_HALF = ("test_workers.py", "test_platform.py", "test_coming_in.py", "test_database.py")
SECOND_HALF = ("test_queue.py", "test_gate.py", "test_stops.py")
#: What speaks of locks, leases and isolation is said again where they are another database's.
AGAIN = "f1_ or f9_ or f10_ or f26_ or f29_ or dropped"


def main() -> None:
    started = time.monotonic()
    with (
        postgresql() as server,
        beside(Leg("SQLite, workers, platform, coming in", _files(FIRST_HALF))) as first,
        beside(Leg("SQLite, queue, gate, stops", _files(SECOND_HALF))) as second,
        beside(Leg("PostgreSQL", [FOLDER, "-k", AGAIN], on_server(server))) as again,
    ):
        results = [leg.result() for leg in (first, second, again)]
    print("\n── Mutants ──", flush=True)
    mutants = subprocess.run([sys.executable, "-m", "tests.faults.mutants"], check=False)
    results.append(Result("Mutants", mutants.returncode, "not noticed" if mutants.returncode else "noticed"))
    print(f"\nAll of it in {time.monotonic() - started:.0f} s:")
    for result in results:
        print(f"  {result.name:38} {result.closing_line}")
    sys.exit(any(result.status for result in results))


def _files(names: tuple[str, ...]) -> list[str]:
    return [f"{FOLDER}/{name}" for name in names]


if __name__ == "__main__":
    main()
