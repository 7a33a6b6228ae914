"""The product on a stage: real processes, with proxies before SQS, Redis and the platform.

The web process finds SQS at a tripwire: whatever breaks, no request may ask for it.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
import redis

from crm.models import Dispatch
from huntaze.laptop.environment import BASE_DIR, free_ports, redis_server, stand_in_aws
from huntaze.laptop.queues import DEAD_LETTER_QUEUE, QUEUE, STAND_IN_ACCOUNT
from tests.faults.parts import Ledger, Part
from tests.faults.points import Orders
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REGION = "us-east-1"
#: Must never be seen in a log.
API_KEY = "canary-key-of-the-provider"
#: A busy machine may let a letter become visible several times before somebody works on it, which is no fault.
VISIBILITY_SECONDS, RECEIVES_MAX = 5, 20
# Shorter than in production and in the same order: poll < deadline < hand-over lease < visibility.
TIMES = {
    "SQS_WAIT_TIME_SECONDS": "1",
    "GATEWAY_DEADLINE_SECONDS": "3",
    "HAND_OVER_LEASE_SECONDS": "4",
    "SWEEP_SECONDS": "1",
    # A reading of the account would be one letter more in the queue.
    "SYNC_MINUTES": "0",
    "RECONCILE_ABSENT_AFTER_SECONDS": "3",
    "RECONCILE_ABSENT_AGAIN_SECONDS": "1",
}
# What callers of the API may do is not what is under test.
#: All that a scene asks comes from one address and in a few seconds. Guesses at one account are counted.
NO_LIMITS = dict.fromkeys(("WRITES", "BULK", "IMPORTS", "ANONYMOUS", "SIGN_IN_ADDRESS"), "")
NOT_THEIRS = ("DJANGO_ALLOW_ASYNC_UNSAFE", "PYTEST_CURRENT_TEST")
WORKER = (
    *("-m", "celery", "-A", "huntaze", "worker", "--pool=prefork", "-Q", QUEUE, "--loglevel", "INFO"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
WEB = (
    *("-m", "gunicorn", "huntaze.wsgi", "--worker-class", "gthread", "--workers", "2", "--threads", "4"),
    *("--preload", "--no-control-socket"),
)

T = TypeVar("T")


class Stage:
    """Everything, once for a whole run. ``database_url`` names the tests' own database."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self.folder = folder
        redis_port, sqs_port, self._platform_port, self._web_port = free_ports(4)
        self.to_redis, self.to_sqs, self.to_platform = Proxy(redis_port), Proxy(sqs_port), Proxy(self._platform_port)
        self.tripwire = Proxy(sqs_port)
        self.orders = Orders(folder / "orders")
        self.ledger = Ledger(folder / "ledger.jsonl")
        #: What was measured on the way, for whoever reads the run's last lines.
        self.measured: list[str] = []
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in NOT_THEIRS},
            **TIMES,
            **{f"THROTTLE_{name}": rate for name, rate in NO_LIMITS.items()},
            "THROTTLE_SIGN_IN_ACCOUNT": "10/min",
            **stand_in_aws(REGION, self.to_sqs.port),
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "DEBUG": "0",
            "HTTPS_ONLY": "false",
            "HUNTAZE_HOME": str(folder),
            "DATABASE_URL": database_url,
            "REDIS_ENDPOINT": f"127.0.0.1:{self.to_redis.port}",
            "OFAPI_BASE_URL": f"http://127.0.0.1:{self.to_platform.port}/api",
            "SIMULATOR_API_KEY": API_KEY,
            "FAULTS_FOLDER": str(self.orders.folder),
            "WORKER_CONCURRENCY": "3",
            "no_proxy": "127.0.0.1",
        }
        self.redis = self._part(
            *("redis", redis_server(), "--bind", "127.0.0.1", "--port", str(redis_port), "--dir", str(folder)),
            *("--save", "", "--maxmemory-policy", "noeviction"),
            ready="eady to accept connections",
        )
        self.sqs = self._part("sqs", "-m", "huntaze.laptop.sqs", "--port", str(sqs_port))
        self.platform = self._part(
            *("platform", "manage.py", "simulate_platform", "--port", str(self._platform_port), "--gap", "0"),
            *("--reply-probability", "0", "--ledger", str(folder / "ledger.jsonl")),
            ready="simulator listens",
        )
        self.dispatch, self.second_dispatch = self._dispatcher("dispatch"), self._dispatcher("second dispatch")
        self.worker, self.second_worker = self._worker("worker"), self._worker("second worker")
        self.imports = self._part("imports", "manage.py", "run_imports")
        self.web = self._part(
            *("web", *WEB, "--bind", f"127.0.0.1:{self._web_port}"),
            ready="Booting worker",
            environment=stand_in_aws(REGION, self.tripwire.port),
        )
        self.client: SQSClient = boto3.client(
            "sqs",
            region_name=REGION,
            endpoint_url=f"http://127.0.0.1:{sqs_port}",
            aws_access_key_id="stand-in",
            aws_secret_access_key="stand-in",
        )
        self.queue_url, self.dlq_url = (
            f"http://127.0.0.1:{sqs_port}/{STAND_IN_ACCOUNT}/{name}" for name in (QUEUE, DEAD_LETTER_QUEUE)
        )
        self.redis_client = redis.Redis(port=redis_port)
        self._visibility = 0

    def _part(self, name: str, *command: str, ready: str = "", environment: Mapping[str, str] | None = None) -> Part:
        return Part(
            name,
            *command,
            environment={**self._environment, **(environment or {})},
            log=self.folder / f"{name}.log",
            ready=ready,
        )

    def _dispatcher(self, name: str) -> Part:
        return self._part(name, "manage.py", "dispatch")

    def _worker(self, name: str) -> Part:
        return self._part(name, *WORKER, ready=" ready.")

    # --- Before, between and after the tests

    @property
    def usual(self) -> tuple[Part, ...]:
        """The parts that run while nothing is wrong."""
        return (self.redis, self.sqs, self.platform, self.dispatch, self.worker)

    @property
    def product(self) -> tuple[Part, ...]:
        """The parts that are ours, whether they run or not; the others stand in for somebody."""
        return (self.dispatch, self.second_dispatch, self.worker, self.second_worker, self.imports, self.web)

    @property
    def web_url(self) -> str:
        """The pages and the API; started when first asked for, because few tests need it."""
        if not self.web.is_alive:
            self.web.start()
        return f"http://127.0.0.1:{self._web_port}"

    def set_up(self) -> None:
        """All that usually runs is up and well, and nothing of an earlier test is left."""
        self.orders.clear()
        for proxy in (self.to_redis, self.to_sqs, self.to_platform, self.tripwire):
            proxy.mend()
        self.second_dispatch.kill()
        self.imports.kill()
        if self.second_worker.is_alive or not self.worker.is_alive:
            self.second_worker.kill()
            # SQS may still give a letter to the open poll of a worker that is gone (docs/broker.md).
            time.sleep(float(TIMES["SQS_WAIT_TIME_SECONDS"]))
        started = [part for part in self.usual if not part.is_alive]
        if self.sqs in started:
            self._visibility = 0
        for part in started:
            part.start(wait=False)
        for part in self.usual:
            part.thaw()
        for part in started:
            part.wait_ready()
        until(self._sqs_answers, 20, "SQS answers")
        self.set_queue(visibility=VISIBILITY_SECONDS, receives_max=RECEIVES_MAX)
        for url in (self.queue_url, self.dlq_url):
            self.take_all(url)
        self.redis_client.config_set("maxmemory", "0")
        self.misbehave(None)
        Dispatch.resume_sending()

    def manage(self, *arguments: str) -> str:
        """Run manage.py as in a second terminal; returns what it prints. Raises CalledProcessError when it fails."""
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(
            command, cwd=BASE_DIR, env=self._environment, capture_output=True, text=True, check=True, timeout=60
        )
        return done.stdout

    def close(self) -> None:
        for part in (*self.usual, *self.product):
            part.kill()
        for proxy in (self.to_redis, self.to_sqs, self.to_platform, self.tripwire):
            proxy.close()

    # --- SQS

    def set_queue(self, *, visibility: int, receives_max: int) -> None:
        dlq = self.client.get_queue_attributes(QueueUrl=self.dlq_url, AttributeNames=["QueueArn"])["Attributes"]
        redrive = {"deadLetterTargetArn": dlq["QueueArn"], "maxReceiveCount": receives_max}
        self.client.set_queue_attributes(
            QueueUrl=self.queue_url,
            Attributes={"VisibilityTimeout": str(visibility), "RedrivePolicy": json.dumps(redrive)},
        )
        if visibility != self._visibility:
            self._visibility = visibility
            # A poll that is open keeps the visibility that it began with, and may take a letter with it to the grave.
            time.sleep(float(TIMES["SQS_WAIT_TIME_SECONDS"]))

    def depth(self, url: str) -> int:
        """Messages of this queue, those that somebody has included."""
        reply = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(reply["ApproximateNumberOfMessages"]) + int(reply["ApproximateNumberOfMessagesNotVisible"])

    def take_all(self, url: str) -> list[str]:
        """Take what is visible off a queue; the answer is the bodies."""
        bodies = []
        while messages := self.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(message["Body"])
                self.client.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return bodies

    def sqs_requests(self) -> dict[str, int]:
        """How often each action was asked for since SQS began."""
        counts: dict[str, int] = _ask("GET", self.client.meta.endpoint_url + "/_requests")
        return counts

    def _sqs_answers(self) -> bool:
        try:
            self.sqs_requests()
        except OSError:
            return False
        return True

    # --- The platform

    def misbehave(self, kind: str | None, **wish: Any) -> None:
        """Arm a fault of the simulated platform; None: it behaves again."""
        url = f"http://127.0.0.1:{self._platform_port}/_simulator/faults"
        if kind is None:
            _ask("DELETE", url)
        else:
            _ask("POST", url, {"kind": kind} | wish)


def until(condition: Callable[[], T], seconds: float, what: str) -> T:
    """Ask until the answer is true, and return it. Fails after ``seconds``, which a busy machine may need."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"Waited {seconds:g} s in vain until {what}."
        time.sleep(0.05)
    return answer


def _ask(method: str, url: str, document: object = None) -> Any:
    request = urllib.request.Request(
        url,
        method=method,
        data=None if document is None else json.dumps(document).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=5) as reply:
        return json.loads(reply.read() or b"null")
