"""One process of the product, which a test may kill, freeze and start again; and the platform's own books."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from huntaze.laptop.environment import BASE_DIR

STARTS_SECONDS, STOPS_SECONDS = 60, 60


class Part:
    """One process of the product, in a process group of its own. What it says is kept through its lives."""

    def __init__(self, name: str, *command: str, environment: Mapping[str, str], log: Path, ready: str = "") -> None:
        self.name, self.log = name, log
        self._command, self._environment, self._ready = command, environment, ready
        self._process: subprocess.Popen[bytes] | None = None
        log.touch()

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        begins = self.log.stat().st_size
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self._command] if not self._command[0].startswith("/") else self._command,
                cwd=BASE_DIR,
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._begins = begins
        if wait:
            self.wait_ready()

    def wait_ready(self) -> None:
        """Until it has said that it is; fails with what it said instead."""
        deadline = time.monotonic() + STARTS_SECONDS
        while self._ready not in self.said:
            assert self.is_alive, f"{self.name} ended:\n{self.said}"
            assert time.monotonic() < deadline, f"{self.name} is not ready:\n{self.said}"
            time.sleep(0.02)

    @property
    def said(self) -> str:
        """In this life."""
        with self.log.open("rb") as log:
            log.seek(self._begins)
            return log.read().decode(errors="replace")

    def terminate(self) -> int:
        """SIGTERM to the process itself, and wait; returns its exit code."""
        assert self._process
        self._process.terminate()
        return self._process.wait(STOPS_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the whole group."""
        self._signal(signal.SIGKILL)
        if self._process:
            self._process.wait()

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        if self._process:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


class Ledger:
    """What the platform has accepted: its own append-only file, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._at = path, 0
        self._entries: list[dict[str, Any]] = []

    def of(self, *accounts: str) -> list[dict[str, Any]]:
        """Entries of these accounts, oldest first; prices in cents."""
        with self._path.open("rb") as file:
            file.seek(self._at)
            new = file.read().rpartition(b"\n")[0]
        self._at += len(new) + bool(new)
        self._entries += [json.loads(line) for line in new.splitlines() if line]
        wanted = set(accounts)
        return [entry for entry in self._entries if entry["account"] in wanted]
