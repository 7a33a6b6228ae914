"""Wait until all is well, write run.json and say where to go; then keep run.json true.

The supervisor starts it (`python -m huntaze.laptop.announce`) and passes its words on to the terminal.
"""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xmlrpc.client import ServerProxy

import django
from supervisor.xmlrpc import SupervisorTransport

from ratelimit.server import shown

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huntaze.settings")
django.setup()

from huntaze.laptop import health  # noqa: E402 - it reads models, which can be imported only now

POLL_SECONDS = 1.0
STARTING_POLL_SECONDS = 0.2
STILL_WAITING_SECONDS = 15.0
ORPHANS_STOP_SECONDS = 8.0

#: What the supervisor says of its programs, by role.
Processes = Mapping[str, Mapping[str, Any]]
Check = Callable[[Processes], str]


def main() -> None:
    home = Path(os.environ["HUNTAZE_HOME"])
    # A flag, not an exit: leaving in mid-call would make the supervisor complain of us on the terminal.
    leaving: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: leaving.append(number))
    supervisor_pid = os.getppid()
    processes = _wait_until_well(_checks(home), home, leaving)
    if not leaving and not (home / "run.json").exists():
        print(_welcome(home), flush=True)
    while not leaving and os.getppid() == supervisor_pid:
        with contextlib.suppress(OSError):
            processes = _keep_true(home, processes)
        time.sleep(POLL_SECONDS)
    (home / "run.json").unlink(missing_ok=True)
    if not leaving:
        _stop_orphans(processes)


def _keep_true(home: Path, known: Processes) -> Processes:
    """Write run.json when there is none or when a pid has changed."""
    processes = _processes()
    if _pids(processes) != _pids(known) or not (home / "run.json").exists():
        _write(home, processes)
    return processes


def _checks(home: Path) -> dict[str, Check]:
    """One check per part of this run."""
    since = datetime.fromisoformat(os.environ["HUNTAZE_STARTED_AT"])
    checks: dict[str, Check] = {
        "web": lambda _: health.web(),
        "dispatch": lambda _: health.dispatch(since),
        "simulator": lambda _: health.simulator(),
    }
    if os.environ["HUNTAZE_RUNS_WORKER"] == "true":
        checks["redis"] = lambda _: health.redis()
        checks["sqs"] = lambda _: health.sqs()
        checks["worker"] = partial(_check_worker, home / "log" / "worker.log")
    return checks


def _check_worker(log: Path, processes: Processes) -> str:
    worker, begins = processes["worker"], int(os.environ["HUNTAZE_WORKER_LOG_BEGINS"])
    return health.worker(log, begins=begins, seconds_up=worker["now"] - worker["start"] if worker["pid"] else 0)


def _wait_until_well(missing: dict[str, Check], home: Path, leaving: Sequence[int]) -> Processes:
    """Ask every part until each has been well once, and say now and then who is missing."""
    say_at = time.monotonic() + STILL_WAITING_SECONDS
    while True:
        processes = _processes()
        troubles = {role: _not_running(processes.get(role)) or check(processes) for role, check in missing.items()}
        missing = {role: missing[role] for role, trouble in troubles.items() if trouble}
        if leaving or not missing:
            return processes
        if time.monotonic() > say_at:
            say_at = time.monotonic() + STILL_WAITING_SECONDS
            for role in missing:
                print(f"still waiting for {role}: {troubles[role]} (its log: {home}/log/{role}.log)", flush=True)
        time.sleep(STARTING_POLL_SECONDS)


def _not_running(process: Mapping[str, Any] | None) -> str:
    """Trouble when our own program is not up; one that somebody else runs is not our business."""
    if process is None or process["pid"]:
        return ""
    return str(process["spawnerr"] or process["statename"]).lower()


def _processes() -> Processes:
    """The supervisor's programs that are part of this run."""
    transport = SupervisorTransport(None, None, f"unix://{os.environ['HUNTAZE_SUPERVISOR_SOCKET']}")
    supervisor = ServerProxy("http://127.0.0.1", transport=transport).supervisor
    programs: Any = supervisor.getAllProcessInfo()
    return {program["name"]: program for program in programs if _takes_part(program["name"])}


def _takes_part(role: str) -> bool:
    return os.environ.get(f"HUNTAZE_RUNS_{role.upper()}", "true") == "true"


def _pids(processes: Processes) -> dict[str, int]:
    return {role: process["pid"] for role, process in processes.items()}


def _write(home: Path, processes: Processes) -> None:
    """Put run.json in its place in one step: who reads it never sees half of it."""
    draft = home / "run.json.draft"
    draft.write_text(json.dumps(_run(home, processes), indent=2) + "\n")
    draft.replace(home / "run.json")


def _run(home: Path, processes: Processes) -> dict[str, Any]:
    addresses = _addresses()
    return {
        "url": _url(),
        "home": str(home),
        "supervisor": {"pid": os.getppid(), "address": f"unix://{os.environ['HUNTAZE_SUPERVISOR_SOCKET']}"},
        "processes": [
            # No pid: it has died and is about to be started again.
            {"role": role, "pid": pid or None, "address": addresses.get(role)}
            for role, pid in _pids(processes).items()
        ],
        "sqs": {
            "endpoint": os.environ.get("AWS_ENDPOINT_URL"),
            "region": os.environ.get("AWS_REGION"),
            "queue_url": os.environ.get("SQS_RATE_LIMITER_QUEUE_URL"),
            "dlq_url": os.environ.get("SQS_RATE_LIMITER_DLQ_URL"),
        },
        "redis": {"address": shown(os.environ.get("REDIS_ENDPOINT", "")) or None},
        "simulator": {"address": addresses["simulator"], "ledger": str(home / "simulator-ledger.jsonl")},
        "database": _database(home),
    }


def _addresses() -> dict[str, str | None]:
    simulator = urlsplit(os.environ["OFAPI_BASE_URL"])
    return {
        "web": f"http://127.0.0.1:{os.environ['PORT']}",
        "redis": shown(os.environ.get("REDIS_ENDPOINT", "")) or None,
        "sqs": os.environ.get("AWS_ENDPOINT_URL"),
        "simulator": f"{simulator.scheme}://{simulator.netloc}",
    }


def _database(home: Path) -> str:
    """The database's URL, without the password that may be in it."""
    url = os.environ.get("DATABASE_URL") or f"sqlite:///{home / 'huntaze.sqlite3'}"
    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@", 1) if password else url


def _url() -> str:
    return f"http://localhost:{os.environ['PORT']}"


def _welcome(home: Path) -> str:
    return f"""
  Huntaze is running.

    Open     {_url()}
    Sign in  demo / demo-huntaze
    Data     {home}
    Logs     {home / "log"}

  Ctrl-C stops it.
"""


def _stop_orphans(processes: Processes) -> None:
    """The supervisor was killed: end its programs and their children, before somebody starts them twice."""
    groups = [pid for role, pid in _pids(processes).items() if pid and role != "announcer"]
    deadline = time.monotonic() + ORPHANS_STOP_SECONDS
    for group in groups:
        _signal(group, signal.SIGTERM)
    while time.monotonic() < deadline and any(_signal(group, 0) for group in groups):
        time.sleep(STARTING_POLL_SECONDS)
    for group in groups:
        _signal(group, signal.SIGKILL)
    shutil.rmtree(Path(os.environ["HUNTAZE_SUPERVISOR_SOCKET"]).parent, ignore_errors=True)


def _signal(group: int, number: int) -> bool:
    """Signal a program and its children; False when nobody is left of them."""
    try:
        os.killpg(group, number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
