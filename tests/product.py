"""The whole product as its own processes, for tests that drive it from outside as a person or a program would."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from xmlrpc.client import ServerProxy

from supervisor.xmlrpc import SupervisorTransport

from huntaze.laptop.environment import ADDRESSES, BASE_DIR, PAST_THE_STAND_IN, free_ports

STARTS_SECONDS = 60
STOPS_SECONDS = 15
# What tests/settings.py set for this process; the product is to choose its own.
OURS = (
    *ADDRESSES,
    *PAST_THE_STAND_IN,
    "OFAPI_BASE_URL",
    "SECRET_KEY",
    "JWT_SIGNING_KEY",
    "HUNTAZE_KEYRING",
    "DJANGO_SETTINGS_MODULE",
    "DEBUG",
)

T = TypeVar("T")


@dataclass
class Product:
    """A running Huntaze. ``environment`` is what it was started with, beside this process's own."""

    home: Path
    port: int
    environment: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self, *, within: float = STARTS_SECONDS) -> None:
        """Start it as `make run` does, and wait until it says that all is well (run.json is there)."""
        self.home.mkdir(parents=True, exist_ok=True)
        with (self.home / "terminal").open("ab") as terminal:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "huntaze.laptop"],
                cwd=BASE_DIR,
                env=self._environment(),
                stdout=terminal,
                stderr=terminal,
                start_new_session=True,
            )
        self.wait_until(lambda: self._is_up(), within, "all is well")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop and wait; returns its exit code. Kills what does not stop in time, and fails."""
        assert self.process
        self.process.send_signal(number)
        try:
            return self.process.wait(STOPS_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    @property
    def run(self) -> dict[str, Any]:
        """run.json as it is now."""
        run: dict[str, Any] = json.loads((self.home / "run.json").read_text())
        return run

    @property
    def terminal(self) -> str:
        """What the person at the terminal has read so far."""
        return (self.home / "terminal").read_text()

    def log(self, role: str) -> str:
        return (self.home / "log" / f"{role}.log").read_text()

    def pid(self, role: str) -> int | None:
        """The pid of a part now; None while it is down."""
        info = self._supervisor.getProcessInfo(self._name(role))
        return info["pid"] or None

    def kill(self, role: str, number: int = signal.SIGKILL, *, whole_group: bool = True) -> int:
        """Kill a part, with its children unless told otherwise; the supervisor starts it again. Returns the old pid."""
        pid = self.pid(role)
        assert pid, f"{role} is not running"
        (os.killpg if whole_group else os.kill)(pid, number)
        return pid

    def switch_off(self, role: str) -> None:
        """Stop a part until ``switch_on``."""
        self._supervisor.stopProcess(self._name(role))

    def switch_on(self, role: str) -> None:
        """Start a part again; returns once it has stayed up."""
        self._supervisor.startProcess(self._name(role))

    def ledger(self) -> list[dict[str, Any]]:
        """What the platform has accepted, oldest first."""
        path = Path(self.run["simulator"]["ledger"])
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line]

    def manage(self, *arguments: str) -> str:
        """Run manage.py as in a second terminal; returns what it prints. Raises CalledProcessError when it fails."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command,
            cwd=BASE_DIR,
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if done.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def wait_until(self, condition: Callable[[], T], seconds: float, what: str = "it is so") -> T:
        """Ask until the answer is true, and return it. Fails with the terminal's words after ``seconds``."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if answer := condition():
                return answer
            time.sleep(0.05)
        raise AssertionError(f"Waited {seconds} s in vain until {what}. The terminal says:\n{self.terminal}")

    def _is_up(self) -> bool:
        assert self.process
        assert self.process.poll() is None, f"It ended:\n{self.terminal}"
        return (self.home / "run.json").exists()

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in OURS}
        return inherited | {"HUNTAZE_HOME": str(self.home), "PORT": str(self.port)} | dict(self.environment)

    @property
    def _supervisor(self) -> Any:
        return ServerProxy(
            "http://127.0.0.1", SupervisorTransport(None, None, self.run["supervisor"]["address"])
        ).supervisor

    def _name(self, role: str) -> str:
        return next(
            f"{info['group']}:{info['name']}" for info in self._supervisor.getAllProcessInfo() if info["name"] == role
        )


def new_product(home: Path, **environment: str) -> Product:
    """A product that is not started yet, on a free port. It reads no chats by itself: a fault is for who armed it."""
    (port,) = free_ports(1)
    return Product(home=home, port=port, environment={"SYNC_MINUTES": "0"} | environment)
