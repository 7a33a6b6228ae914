"""Prepare this machine, then become the supervisor of everything (`python -m huntaze.laptop`)."""

import fcntl
import os
import shutil
import signal
import sys
from pathlib import Path

import environ

from huntaze.laptop.environment import BASE_DIR, choose, is_free, keep, new_socket
from huntaze.laptop.prepare import prepare_database


def main() -> None:
    """Choose, migrate, seed, then exec the supervisor. Exits with one sentence when it cannot start."""
    os.chdir(BASE_DIR)
    # The home holds people's messages and the secrets: nobody else on this machine reads it.
    os.umask(0o077)
    environ.Env.read_env(BASE_DIR / ".env")
    home = _home()
    # The counters of the web processes begin with them.
    shutil.rmtree(home / "metrics", ignore_errors=True)
    for folder in (home, home / "log", home / "redis", home / "metrics"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _be_the_only_one(home)
    port = _port()
    (home / "run.json").unlink(missing_ok=True)

    choice = choose(os.environ, home=home, port=port)
    keep(choice.kept, home / "laptop.env")
    choice.apply()

    print("Preparing the database …", flush=True)
    os.environ["HUNTAZE_STARTED_AT"] = prepare_database().isoformat()
    print("Starting everything …", flush=True)
    os.environ["HUNTAZE_SUPERVISOR_SOCKET"] = str(new_socket())
    os.execv(sys.executable, [sys.executable, str(BASE_DIR / "huntaze" / "laptop" / "supervise.py")])


def _home() -> Path:
    home = Path(os.environ.get("HUNTAZE_HOME") or BASE_DIR / "var").resolve()
    # These mean something in supervisord.conf, where the path is put.
    if unfit := set(str(home)) & set('%"\\;'):
        sys.exit(f"The path {home} has a character that HUNTAZE_HOME must not have: {' '.join(sorted(unfit))}")
    return home


def _be_the_only_one(home: Path) -> None:
    """Hold a lock on the home for as long as this process lives, through exec; its children do not get it."""
    lock = os.open(home / "laptop.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"Huntaze already runs from {home}: stop it, or give this one its own HUNTAZE_HOME and PORT.")
    os.set_inheritable(lock, True)


def _port() -> int:
    text = os.environ.get("PORT") or "8000"
    if not (text.isdecimal() and 1 <= int(text) <= 65_535):
        sys.exit(f"PORT must be a number from 1 to 65535, not “{text}”.")
    if not is_free(int(text)):
        sys.exit(f"Port {text} is taken by another program: choose another one, as in `make run PORT=8001`.")
    return int(text)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
