"""SQS as the courier uses it, against the real stand-in, and against the ways in which SQS is not there."""

import base64
import json
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from kombu.transport.SQS import Channel
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Attachment
from crm.tests.factories import make_message
from huntaze.laptop.environment import free_ports
from onlyfans import queue, tasks
from onlyfans.queue import Figures, QueueUnavailable, carry_due, figures, missing_settings, publish
from tests.servers import Queues

#: Without deadlines it would wait for minutes; connecting and reading have 2 and 3 s, the rest is a busy machine.
GIVES_UP_SECONDS = 60


@pytest.fixture
def sqs_at(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Moves SQS to another address, until the test is over."""

    def move(url: str) -> None:
        settings.AWS_ENDPOINT_URL = url
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        # Both we and kombu keep a client, which knows the address it was made with.
        queue._client.cache_clear()
        monkeypatch.setattr(Channel, "_predefined_queue_clients", {})

    yield move
    queue._client.cache_clear()


@pytest.fixture
def refused(sqs_at: Callable[[str], None]) -> None:
    """Nobody listens where SQS should be."""
    (port,) = free_ports(1)
    sqs_at(f"http://127.0.0.1:{port}")


@pytest.fixture
def black_hole(sqs_at: Callable[[str], None]) -> Iterator[None]:
    """Where SQS should be, connections are taken and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sqs_at(f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield


class TestPublish:
    def test_the_queue_holds_the_id_and_the_name_of_the_task(self, sqs: Queues) -> None:
        public_id = uuid4()

        publish(tasks.deliver_message, public_id)

        (received,) = sqs.client.receive_message(QueueUrl=sqs.queue_url)["Messages"]
        assert str(public_id) in _decoded(received["Body"])
        assert "onlyfans.tasks.deliver_message" in _decoded(received["Body"])

    def test_ten_are_ten(self, sqs: Queues) -> None:
        for _number in range(10):
            publish(tasks.deliver_message, uuid4())

        assert figures().depth == 10

    @pytest.mark.timeout(GIVES_UP_SECONDS)
    @pytest.mark.parametrize("trouble", ["refused", "black_hole"])
    def test_gives_up_by_itself(self, trouble: str, request: pytest.FixtureRequest) -> None:
        request.getfixturevalue(trouble)

        with pytest.raises(QueueUnavailable, match="SQS: "):
            publish(tasks.deliver_message, uuid4())

    def test_takes_messages_again_after_it_was_down(
        self, sqs: Queues, sqs_at: Callable[[str], None], settings: Settings
    ) -> None:
        home, (port,) = settings.AWS_ENDPOINT_URL, free_ports(1)
        sqs_at(f"http://127.0.0.1:{port}")
        with pytest.raises(QueueUnavailable):
            publish(tasks.deliver_message, uuid4())

        sqs_at(home)
        publish(tasks.deliver_message, uuid4())

        assert figures().depth == 1

    def test_the_queue_is_gone(self, sqs: Queues) -> None:
        sqs.client.delete_queue(QueueUrl=sqs.queue_url)

        with pytest.raises(QueueUnavailable, match="SQS: "):
            publish(tasks.deliver_message, uuid4())

    @pytest.mark.parametrize("name", ["AWS_REGION", "SQS_RATE_LIMITER_QUEUE_URL"])
    def test_a_missing_setting_is_named_and_nobody_is_asked(self, name: str, settings: Settings) -> None:
        setattr(settings, name, "")

        with pytest.raises(QueueUnavailable, match=name):
            publish(tasks.deliver_message, uuid4())


class TestFigures:
    def test_an_empty_queue_has_nothing_in_it(self, sqs: Queues) -> None:
        assert figures() == Figures(depth=0, in_flight=0, dlq=0)

    def test_counts_what_waits_what_a_worker_has_and_what_was_given_up(self, sqs: Queues) -> None:
        for _number in range(3):
            publish(tasks.deliver_message, uuid4())
        sqs.client.receive_message(QueueUrl=sqs.queue_url)
        sqs.client.send_message(QueueUrl=sqs.dlq_url, MessageBody="given up")

        assert figures() == Figures(depth=2, in_flight=1, dlq=1)

    def test_without_a_dead_letter_queue_nothing_was_given_up(self, sqs: Queues, settings: Settings) -> None:
        sqs.client.send_message(QueueUrl=sqs.dlq_url, MessageBody="given up")
        settings.SQS_RATE_LIMITER_DLQ_URL = ""

        assert figures().dlq == 0

    @pytest.mark.timeout(GIVES_UP_SECONDS)
    @pytest.mark.parametrize("trouble", ["refused", "black_hole"])
    def test_out_of_reach_is_said_not_faked(self, trouble: str, request: pytest.FixtureRequest) -> None:
        request.getfixturevalue(trouble)

        with pytest.raises(QueueUnavailable, match="SQS: "):
            figures()

    def test_a_missing_setting_is_named(self, settings: Settings) -> None:
        settings.AWS_REGION = ""

        with pytest.raises(QueueUnavailable, match="AWS_REGION"):
            figures()


class TestMissingSettings:
    def test_nothing_is_missing(self) -> None:
        assert missing_settings() == ""

    def test_names_everything_that_is(self, settings: Settings) -> None:
        settings.AWS_REGION = settings.SQS_RATE_LIMITER_QUEUE_URL = ""

        assert missing_settings() == "Not configured: AWS_REGION, SQS_RATE_LIMITER_QUEUE_URL."


@pytest.mark.django_db
class TestCarryDue:
    """Rows that are due by a field of theirs, here the media to upload."""

    @staticmethod
    def make_attachment() -> Attachment:
        message = make_message()
        return Attachment.objects.create(
            creator=message.creator,
            message=message,
            position=0,
            url="https://a.example/1.jpg",
            upload_at=database_now(),
        )

    def test_each_row_is_carried_once_and_due_again_later(self) -> None:
        row, later = self.make_attachment(), database_now() + timedelta(minutes=1)
        twice_read = [row, Attachment.objects.get()]
        carried: list[Any] = []

        count = carry_due(twice_read, due="upload_at", until=lambda _row: later, carry=carried.append)

        assert (count, carried) == (1, [row.public_id])
        assert Attachment.objects.get().upload_at == later

    def test_what_the_queue_does_not_take_is_due_as_before(self) -> None:
        row = self.make_attachment()

        def refuse(_public_id: Any) -> None:
            raise QueueUnavailable("refused")

        with pytest.raises(QueueUnavailable):
            carry_due([row], due="upload_at", until=lambda _row: database_now() + timedelta(minutes=1), carry=refuse)

        assert Attachment.objects.get().upload_at == row.upload_at


def _decoded(body: str) -> str:
    """The envelope without its base64, however often kombu wrapped it."""
    envelope = json.loads(base64.b64decode(body))
    return json.dumps(envelope | {"body": base64.b64decode(envelope["body"]).decode()})
