"""Real servers for tests, one of each per test process: a Valkey that speaks Redis, and an SQS endpoint."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
import pytest
import redis
from django.conf import settings

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


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis at ``settings.REDIS_ENDPOINT``, which it yields; use ``redis_server`` for one that is empty."""
    host, _colon, port = settings.REDIS_ENDPOINT.rpartition(":")
    folder = tmp_path_factory.mktemp("redis")
    arguments = [
        "--bind",
        host,
        "--port",
        port,
        "--dir",
        str(folder),
        "--save",
        "",
        "--maxmemory-policy",
        "noeviction",
    ]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([redis_program(), *arguments], stdout=log, stderr=log)
    try:
        _wait_for_redis(process, host, int(port), folder / "log")
        yield settings.REDIS_ENDPOINT
    finally:
        process.kill()
        process.wait()


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


def _wait_for_redis(process: "subprocess.Popen[bytes]", host: str, port: int, log: Path) -> None:
    deadline = time.monotonic() + REDIS_STARTS_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with redis.Redis(host=host, port=port) as client:
                client.ping()
        except redis.ConnectionError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"Redis did not start:\n{log.read_text()}")
