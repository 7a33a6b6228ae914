"""A suite is worth what it notices: with a safeguard taken out of the product, the tests that watch it must go red.

`python -m tests.faults.mutants` runs them so; it fails when one of them stays green.
"""

import os
import re
import subprocess
import sys

from huntaze.laptop.environment import BASE_DIR

NOTICED_BY = {
    "no sweeper": [
        "test_workers.py::test_f1_a_killed_worker_group_loses_nothing_and_doubles_nothing[leased]",
    ],
    "no compare-and-set": [
        "test_queue.py::test_f7_what_sqs_delivers_five_times_backwards_and_the_next_day_again_is_sent_once",
        "test_workers.py::test_f1_a_worker_that_slept_through_its_lease_sends_nothing_a_second_time[leased]",
    ],
}


def main() -> None:
    unnoticed = [mutant for mutant, tests in NOTICED_BY.items() if not _is_noticed(mutant, tests)]
    sys.exit(f"Not every test noticed: {', '.join(unnoticed)}." if unnoticed else 0)


def _is_noticed(mutant: str, tests: list[str]) -> bool:
    """Every one of the tests fails; one that could not even begin has noticed nothing."""
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", *(f"tests/faults/{test}" for test in tests)]
    done = subprocess.run(
        command,
        cwd=BASE_DIR,
        env={**os.environ, "FAULTS_MUTANT": mutant},
        capture_output=True,
        text=True,
        check=False,
    )
    closing_line = done.stdout.strip().rpartition("\n")[2]
    noticed = re.match(rf"{len(tests)} failed in ", closing_line) is not None
    print(f"mutant “{mutant}”: {closing_line}", flush=True)
    if not noticed:
        print(done.stdout, done.stderr)
    return noticed


if __name__ == "__main__":
    main()
