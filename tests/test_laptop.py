"""`make run`: everything starts, is found, is started again when it dies, and is gone when it is stopped."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import redis

from tests.product import Product, new_product

# The launcher minds no database but its own; the tour has it start on both.
pytestmark = [pytest.mark.journey, pytest.mark.sqlite_only, pytest.mark.timeout(180)]

ROLES = {"announcer", "web", "dispatch", "imports", "worker", "redis", "sqs", "simulator"}


# A worker finishes its long poll before it goes.
SOON_STOPPED = {"SQS_WAIT_TIME_SECONDS": "1"}


def everything_below(pid: int) -> list[psutil.Process]:
    children: list[psutil.Process] = psutil.Process(pid).children(recursive=True)
    return children


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_run_json_says_where_every_part_is(product: Product) -> None:
    run = product.run

    assert {process["role"] for process in run["processes"]} == ROLES
    assert all(psutil.pid_exists(process["pid"]) for process in run["processes"])
    assert urllib.request.urlopen(f"{run['url']}/login").status == 200
    host, _colon, port = run["redis"]["address"].rpartition(":")
    assert redis.Redis(host=host, port=int(port)).config_get("appendonly") == {"appendonly": "yes"}
    assert Path(run["simulator"]["ledger"]) == product.home / "simulator-ledger.jsonl"
    assert urllib.request.urlopen(f"{run['simulator']['address']}/_simulator/health").status == 200


def test_the_queue_is_found_by_any_aws_client(product: Product) -> None:
    sqs = product.run["sqs"]
    client: Any = boto3.client("sqs", endpoint_url=sqs["endpoint"], region_name=sqs["region"])

    attributes = client.get_queue_attributes(QueueUrl=sqs["queue_url"], AttributeNames=["All"])["Attributes"]

    assert attributes["QueueArn"].endswith(":huntaze-rate-limiter-queue")
    assert json.loads(attributes["RedrivePolicy"])["maxReceiveCount"] == 5


def test_the_terminal_says_where_to_go_and_how_to_sign_in(product: Product) -> None:
    assert f"http://localhost:{product.port}" in product.terminal
    assert "demo / demo-huntaze" in product.terminal


def test_secrets_are_for_their_owner_only(product: Product) -> None:
    assert (product.home / "laptop.env").stat().st_mode & 0o077 == 0


def test_manage_py_in_a_second_terminal_meets_the_same_parts(product: Product) -> None:
    said = product.manage("shell", "-c", "from django.conf import settings; print(settings.REDIS_ENDPOINT)")

    assert product.run["redis"]["address"] in said


def test_a_second_start_from_the_same_home_is_refused_with_a_sentence(product: Product) -> None:
    twin = start_and_wait(new_product(product.home))

    assert twin.returncode == 1
    assert re.fullmatch(r"Huntaze already runs from .+\n", twin.stderr)
    assert product.run["url"].endswith(str(product.port))


def test_a_port_that_is_taken_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        refused = start_and_wait(new_product(tmp_path, PORT=str(port)))

    assert refused.returncode == 1
    assert re.fullmatch(rf"Port {port} is taken .+\n", refused.stderr)


def test_what_died_is_started_again_and_run_json_knows(product: Product) -> None:
    roles = sorted(ROLES - {"announcer"})
    # What dies earlier than that waits a second or more before it is started again.
    product.wait_until(lambda: min(seconds_up(product, role) for role in roles) > 6, 15, "all have been up a while")
    family = everything_below(product.run["supervisor"]["pid"])

    old = {role: product.kill(role, whole_group=False) for role in roles}

    product.wait_until(lambda: changed_pids(product, old) == set(roles), 15, "run.json knows the new pids")
    product.wait_until(lambda: back(product) >= set(roles), 20, "all stay up")
    assert all(f"{role} died (signal 9), restarting" in product.terminal for role in roles)
    product.wait_until(lambda: queue_answers(product), 15, "the queue is there again")
    # Children whose parent was killed go by themselves, each once it notices.
    others = [process for process in family if process.pid != product.pid("announcer")]
    product.wait_until(lambda: not alive(others), 30, f"all that was below is gone: {others}")
    assert alive(family)


def test_a_stop_leaves_nobody_behind_and_the_next_start_finds_the_data(make_product: Callable[..., Product]) -> None:
    product = make_product(**SOON_STOPPED)
    product.start()
    supervisor = product.run["supervisor"]
    family = everything_below(supervisor["pid"])
    product.manage("shell", "-c", "from crm.models import Creator; Creator.objects.update(name='Kept')")

    began = time.monotonic()
    status = product.stop()

    assert status == 0
    assert time.monotonic() - began < 30
    assert len(family) > len(ROLES)
    assert not alive(family)
    assert not (product.home / "run.json").exists()
    assert not Path(supervisor["address"].removeprefix("unix://")).parent.exists()

    product.start()
    said = product.manage("shell", "-c", "from crm.models import Creator; print(Creator.objects.get().name)")
    assert "Kept" in said
    # As when the terminal is closed.
    assert product.stop(signal.SIGHUP) == 0


def test_when_the_supervisor_itself_is_killed_the_rest_goes_too(make_product: Callable[..., Product]) -> None:
    product = make_product(**SOON_STOPPED)
    product.start()
    family = everything_below(product.run["supervisor"]["pid"])

    os.kill(product.run["supervisor"]["pid"], signal.SIGKILL)

    product.wait_until(lambda: not alive(family), 20, "nobody is left")


def start_and_wait(product: Product) -> "subprocess.CompletedProcess[str]":
    """Start a product that is not to come up."""
    return subprocess.run(
        [sys.executable, "-m", "huntaze.laptop"],
        env=os.environ | {"HUNTAZE_HOME": str(product.home), "PORT": str(product.port)} | dict(product.environment),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def changed_pids(product: Product, old: dict[str, int]) -> set[str]:
    """The roles that run.json gives another pid than before."""
    return {
        part["role"] for part in product.run["processes"] if part["pid"] not in (None, old.get(part["role"]))
    } & set(old)


def back(product: Product) -> set[str]:
    """The roles of which the terminal says that they are back."""
    return set(re.findall(r"^(\w+) is back, pid \d+$", product.terminal, re.MULTILINE))


def seconds_up(product: Product, role: str) -> float:
    pid = product.pid(role)
    return time.time() - psutil.Process(pid).create_time() if pid else 0


def queue_answers(product: Product) -> bool:
    sqs = product.run["sqs"]
    client: Any = boto3.client("sqs", endpoint_url=sqs["endpoint"], region_name=sqs["region"])
    try:
        client.get_queue_attributes(QueueUrl=sqs["queue_url"], AttributeNames=["QueueArn"])
    except Exception:
        return False
    return True
