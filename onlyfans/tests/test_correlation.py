"""One id in every log line about a message: of the request, of dispatch, of the worker; and what no line may hold."""

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as product_settings
from django.test import Client
from structlog.contextvars import clear_contextvars

from crm.clock import database_now
from crm.correlation import correlated, current_correlation_id
from crm.models import Conversation, Message
from crm.models.messages import Status
from crm.tests.factories import make_membership, make_user
from onlyfans import events, tasks
from onlyfans.dispatching import DispatchLoop
from onlyfans.models import WebhookEvent
from tests.servers import Queues

ID = "one-id-for-all-of-it"
TEXT = "Words for one fan's eyes"


def deliveries_in(sqs: Queues) -> list[dict[str, Any]]:
    """The arguments of each message to deliver that is in the queue, as a worker gets them."""
    found = []
    for message in sqs.client.receive_message(QueueUrl=sqs.queue_url, MaxNumberOfMessages=10).get("Messages", []):
        envelope = json.loads(base64.b64decode(message["Body"]))
        _positional, named, _embedded = json.loads(base64.b64decode(envelope["body"]))
        if envelope["headers"]["task"] == "onlyfans.tasks.deliver_message":
            found.append(named)
    return found


def lines_with(id_: str, caplog: pytest.LogCaptureFixture) -> list[str]:
    events = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [event["event"] for event in events if event.get("correlation_id") == id_]


@pytest.mark.django_db
class TestOneId:
    def test_goes_from_the_request_over_sqs_to_the_platforms_answer(
        self, client: Client, conversation: Conversation, sqs: Queues, caplog: pytest.LogCaptureFixture, simulator: Any
    ) -> None:
        user = make_user()
        make_membership(user, conversation.creator)
        client.force_login(user)

        answer = client.post(
            f"/api/crm/conversations/{conversation.public_id}/messages",
            {"text": TEXT},
            content_type="application/json",
            headers={"X-Request-ID": ID},
        )
        web = lines_with(ID, caplog)
        DispatchLoop().turn()
        dispatch = lines_with(ID, caplog)[len(web) :]
        clear_contextvars()
        (arguments,) = deliveries_in(sqs)
        tasks.deliver_message.run(**arguments)
        worker = lines_with(ID, caplog)[len(web) + len(dispatch) :]

        assert answer.headers["X-Request-ID"] == ID
        assert Message.objects.get().status == Status.SENT
        assert Message.objects.get().correlation_id == ID
        assert (web, dispatch, worker[-2:]) == (["queued"], ["handed over"], ["provider called", "answered"])
        assert TEXT not in caplog.text
        assert TEXT not in str([record.msg for record in caplog.records])
        assert simulator.api_key not in str([record.msg for record in caplog.records])

    def test_of_two_messages_each_keeps_its_own(self, conversation: Conversation, sqs: Queues) -> None:
        first, second = (conversation.queue(text="Hello!", author=None) for _number in range(2))
        Message.objects.filter(pk=first.pk).update(correlation_id="request-of-the-first")
        Message.objects.filter(pk=second.pk).update(correlation_id="request-of-the-second")

        DispatchLoop().turn()

        (arguments,) = deliveries_in(sqs)
        assert arguments == {"public_id": str(first.public_id), "correlation_id": "request-of-the-first"}

    def test_what_an_older_dispatch_has_put_on_the_queue_is_still_sent(self, conversation: Conversation) -> None:
        message = conversation.queue(text="Hello!", author=None)
        message.hand_over(until=message.due_at)

        tasks.deliver_message.run(public_id=str(message.public_id))

        message.refresh_from_db()
        assert message.status == Status.SENT

    def test_an_event_keeps_the_id_of_the_request_that_brought_it(self, conversation: Conversation) -> None:
        with correlated(ID):
            WebhookEvent.objects.create(
                connection=conversation.creator.connection,
                event_key="1",
                kind="messages.received",
                payload={},
                due_at=database_now(),
            )
        carried: list[str] = []

        events.hand_over(lambda _public_id: carried.append(current_correlation_id()))

        assert carried == [ID]


def test_in_production_each_line_is_one_json_object_whatever_is_logged() -> None:
    """In a process of its own: the tests' own log is for people to read."""
    program = """
import logging, django, structlog
django.setup()
log = structlog.get_logger("huntaze")
with structlog.contextvars.bound_contextvars(correlation_id="of-the-request"):
    log.info("queued", message="1", forged="x\\n{'event': 'forged'}\\r\\x1b[2J")
logging.getLogger("somebody.else").warning("plain %s", "line\\nwith a break")
try:
    1 / 0
except ZeroDivisionError:
    log.exception("broken")
"""
    environment = os.environ | {
        "DEBUG": "0",
        "DJANGO_SETTINGS_MODULE": "huntaze.settings",
        "SECRET_KEY": product_settings.SECRET_KEY,
    }

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=60
    )

    queued, plain, broken = [json.loads(line) for line in done.stderr.splitlines()]
    assert queued["correlation_id"] == "of-the-request"
    assert {"event", "level", "logger", "timestamp"} <= queued.keys() & plain.keys() & broken.keys()
    assert plain["event"] == "plain line\nwith a break"
    assert "ZeroDivisionError" in broken["exception"]
