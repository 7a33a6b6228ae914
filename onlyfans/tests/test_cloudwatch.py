"""The five metrics, against moto's CloudWatch over HTTP, and against the ways in which CloudWatch is not there."""

import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from threading import Thread
from typing import Any

import boto3
import pytest
from moto.cloudwatch.models import cloudwatch_backends
from moto.moto_server.werkzeug_app import create_backend_app
from pytest_django import Settings
from werkzeug.serving import make_server

from crm.clock import database_now
from crm.models import Dispatch
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_message
from huntaze.laptop.environment import free_ports
from onlyfans import cloudwatch, dispatching
from onlyfans.cloudwatch import LEASE, Publisher
from onlyfans.metrics import COUNTED_AFTER
from onlyfans.models import Tally

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NAMESPACE = "Huntaze/OnlyFans"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    (port,) = free_ports(1)
    server = make_server("127.0.0.1", port, create_backend_app("cloudwatch"), threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{port}"
    server.shutdown()
    thread.join()


@pytest.fixture
def cloud(server: str, settings: Settings) -> Any:
    """A client of CloudWatch as any operator has one; the product publishes to the same place."""
    settings.CLOUDWATCH_ENABLED, settings.AWS_ENDPOINT_URL = True, server
    for backends in cloudwatch_backends.values():
        for backend in backends.values():
            backend.reset()
    return boto3.client("cloudwatch", region_name=settings.AWS_REGION, endpoint_url=server)


@pytest.fixture
def noon() -> datetime:
    """The beginning of a minute long enough ago to be published by now."""
    return (database_now() - timedelta(hours=3)).replace(second=0, microsecond=0)


def published(cloud: Any, name: str, noon: datetime, statistic: str = "Sum") -> list[float]:
    """One number a minute from ``noon``, those that were published only."""
    points = cloud.get_metric_statistics(
        Namespace=NAMESPACE,
        MetricName=name,
        StartTime=noon - timedelta(days=1),
        EndTime=noon + timedelta(days=1),
        Period=60,
        Statistics=[statistic],
    )["Datapoints"]
    return [point[statistic] for point in sorted(points, key=lambda point: point["Timestamp"])]


def outcome(status: Status, at: datetime, took: float = 1.0) -> None:
    make_message(make_conversation(), status=status, sending_at=at - timedelta(seconds=took), settled_at=at)


def test_whole_minutes_are_published_with_their_own_time(cloud: Any, noon: datetime) -> None:
    Dispatch.note(queue_depth=7, queue_sampled_at=noon + 3 * MINUTE)
    publisher = Publisher()
    publisher.publish(noon + COUNTED_AFTER)
    for second, status in ((1, Status.SENT), (59, Status.SENT), (61, Status.FAILED), (121, Status.SENT)):
        outcome(status, noon + timedelta(seconds=second), took=second)

    publisher.publish(noon + 2 * MINUTE + COUNTED_AFTER)

    assert published(cloud, "OnlyFansMessagesProcessed", noon) == [2, 0]
    assert published(cloud, "OnlyFansMessagesFailed", noon) == [0, 1]
    assert published(cloud, "OnlyFansMessagesQueued", noon) == [0, 0]
    assert published(cloud, "OnlyFansProcessingTime", noon, "Maximum") == [59, 61]
    assert published(cloud, "OnlyFansQueueDepth", noon, "Maximum") == [7]


def test_several_dispatchers_publish_each_minute_once_and_a_restart_loses_none(cloud: Any, noon: datetime) -> None:
    Publisher().publish(noon + COUNTED_AFTER)
    for minute in range(5):
        outcome(Status.SENT, noon + minute * MINUTE)

    for minute in (1, 1, 2, 5, 5, 3):
        Publisher().publish(noon + minute * MINUTE + COUNTED_AFTER)

    assert published(cloud, "OnlyFansMessagesProcessed", noon) == [1, 1, 1, 1, 1]
    assert Tally.objects.get().published_until == noon + 5 * MINUTE


def test_while_one_publishes_no_other_does(cloud: Any, noon: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    Publisher().publish(noon + COUNTED_AFTER)
    outcome(Status.SENT, noon)
    now, make = noon + MINUTE + COUNTED_AFTER, cloudwatch._data

    def meanwhile(*stretch: datetime) -> Any:
        monkeypatch.setattr(cloudwatch, "_data", make)
        Publisher().publish(now)
        return make(*stretch)

    monkeypatch.setattr(cloudwatch, "_data", meanwhile)
    Publisher().publish(now)

    assert published(cloud, "OnlyFansMessagesProcessed", noon) == [1]


@pytest.mark.parametrize("answers", [False, True], ids=["refused", "black hole"])
def test_an_outage_is_one_line_in_the_log_and_what_was_missed_comes_later(
    cloud: Any, noon: datetime, answers: bool, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    publisher, home = Publisher(), settings.AWS_ENDPOINT_URL
    publisher.publish(noon + COUNTED_AFTER)
    outcome(Status.SENT, noon)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if not answers:
            listener.close()
            (port,) = free_ports(1)
        else:
            port = listener.getsockname()[1]
        settings.AWS_ENDPOINT_URL = f"http://127.0.0.1:{port}"
        publisher.publish(noon + MINUTE + COUNTED_AFTER)
    publisher.publish(noon + MINUTE + COUNTED_AFTER + LEASE / 2)
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    publisher.publish(noon + MINUTE + COUNTED_AFTER + LEASE)
    settings.AWS_ENDPOINT_URL = home

    publisher.publish(noon + 2 * MINUTE + COUNTED_AFTER + LEASE)

    assert caplog.text.count("CloudWatch does not take metrics") == 1
    assert caplog.text.count("CloudWatch takes metrics again") == 1
    assert published(cloud, "OnlyFansMessagesProcessed", noon) == [1, 0]


def test_without_a_region_it_is_said_and_dispatch_goes_on(
    cloud: Any, noon: datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    settings.AWS_REGION = ""
    Tally.current(begins=noon)

    dispatching.watch()

    assert "CloudWatch does not take metrics" in caplog.text
    assert Tally.objects.get().counted_until > noon


def test_off_it_asks_nobody(noon: datetime, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings.CLOUDWATCH_ENABLED is False
    monkeypatch.setattr(cloudwatch, "_client", lambda: pytest.fail("asked"))
    Tally.current(begins=noon)

    Publisher().publish(database_now())
