"""All phases and operations (`make contract`), in three parts side by side, each with its own server and database.

Client and server of one part take turns, so that alone it would keep one core busy. In each part the questions are the
same every time; none learns anything from another.
"""

import os
import sys
import time

from tests.suite import Leg, beside

FOLDER = "tests/contract"
#: Every boundary of every parameter and field is most of the work: it is halved by address.
HALF = "path-regex ^/api/crm/[a-f]"
PARTS = {
    "coverage, one half": f"--phases examples,coverage --include-{HALF}",
    "coverage, other half": f"--phases examples,coverage --exclude-{HALF}",
    "fuzzing, stateful": "--phases fuzzing,stateful",
}


def main() -> None:
    started = time.monotonic()
    wished = os.environ.get("CONTRACT_OPTIONS", "")
    first, second, third = (
        beside(Leg(name, ["-q", "-m", "contract", FOLDER], {"CONTRACT_OPTIONS": f"{options} {wished}"}))
        for name, options in PARTS.items()
    )
    with first as one, second as two, third as three:
        results = [part.result() for part in (one, two, three)]
    print(f"\nAll of it in {time.monotonic() - started:.0f} s:")
    for result in results:
        print(f"  {result.name:24} {result.closing_line}")
    sys.exit(any(result.status for result in results))


if __name__ == "__main__":
    main()
