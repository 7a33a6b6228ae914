"""Real servers for tests, one of each per test process: a Valkey that speaks Redis, and an SQS endpoint."""

import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
import redis
from django.conf import settings

from huntaze.laptop.environment import free_ports
from huntaze.laptop.environment import redis_server as redis_program
from huntaze.laptop.sqs import create_queues, endpoint

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REDIS_STARTS_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Queues:
    """The SQS stand-in with both queues, empty."""

    client: "SQSClient"
    queue_url: str
    dlq_url: str


class RedisProcess:
    """A Redis at ``endpoint``, to start, freeze and kill at will. ``options`` are those of its command line."""

    def __init__(self, endpoint: str, folder: Path, *options: str) -> None:
        self.endpoint, self._log = endpoint, folder / "log"
        host, _colon, port = endpoint.rpartition(":")
        own = ["--bind", host, "--port", port, "--dir", str(folder), "--save", "", "--maxmemory-policy", "noeviction"]
        self._command = [redis_program(), *options, *own]
        self.client = redis.Redis(host=host, port=int(port), decode_responses=True)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "RedisProcess":
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        deadline = time.monotonic() + REDIS_STARTS_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.client.ping()
            except redis.ConnectionError:
                time.sleep(0.02)
            else:
                return self
        raise RuntimeError(f"Redis did not start:\n{self._log.read_text()}")

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    def kill(self) -> None:
        """Whatever state it is in. Does nothing to one that is not running."""
        self.client.close()
        if self._process:
            self._process.kill()
            self._process.wait()


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis at ``settings.REDIS_ENDPOINT``, which it yields; use ``redis_server`` for one that is empty."""
    process = RedisProcess(settings.REDIS_ENDPOINT, tmp_path_factory.mktemp("redis"))
    try:
        yield process.start().endpoint
    finally:
        process.kill()


@pytest.fixture
def make_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., RedisProcess]]:
    """Starts more of them, each on a port of its own."""
    made: list[RedisProcess] = []

    def make(*options: str) -> RedisProcess:
        port, bus = free_ports(2)
        if "--cluster-enabled" in options:
            # Else it is the port 10,000 higher, which a connection to somewhere else may have by chance.
            options = (*options, "--cluster-port", str(bus))
        made.append(RedisProcess(f"127.0.0.1:{port}", tmp_path_factory.mktemp("redis"), *options))
        return made[-1].start()

    yield make
    for process in made:
        process.kill()


@pytest.fixture
def redis_server(redis_process: str) -> Iterator["redis.Redis"]:
    """A client of a real, empty Redis at ``settings.REDIS_ENDPOINT``."""
    host, _colon, port = redis_process.rpartition(":")
    with redis.Redis(host=host, port=int(port), decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def sqs_process() -> Iterator["SQSClient"]:
    """The SQS stand-in at ``settings.AWS_ENDPOINT_URL``; use ``sqs`` for one whose queues are empty."""
    address = urlsplit(settings.AWS_ENDPOINT_URL)
    assert address.hostname
    assert address.port
    server = endpoint(address.hostname, address.port, settings.AWS_REGION)
    thread = Thread(target=server.serve_forever, name="sqs", daemon=True)
    thread.start()
    yield boto3.client("sqs", region_name=settings.AWS_REGION, endpoint_url=settings.AWS_ENDPOINT_URL)
    server.shutdown()
    thread.join()


@pytest.fixture
def sqs(sqs_process: "SQSClient") -> Queues:
    """Both queues of the SQS stand-in, empty, at the addresses that settings name."""
    create_queues(settings.AWS_REGION)
    return Queues(sqs_process, settings.SQS_RATE_LIMITER_QUEUE_URL, settings.SQS_RATE_LIMITER_DLQ_URL)
