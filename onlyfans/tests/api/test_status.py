from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import Settings

from crm.api.shapes import iso
from crm.clock import database_now
from crm.models import Dispatch, Worker
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message, make_user
from onlyfans import dispatching
from tests.servers import Queues

pytestmark = pytest.mark.django_db

STATUS = "/api/onlyfans/messages/status"


def test_shows_the_queues_own_figures(client: Client, sqs: Queues, redis_server: object) -> None:
    client.force_login(make_user())
    sqs.client.send_message(QueueUrl=sqs.queue_url, MessageBody="one")
    sqs.client.send_message(QueueUrl=sqs.dlq_url, MessageBody="dead")
    dispatching.sample()

    body = client.get(STATUS).json()

    assert (body["queueDepth"], body["messagesInFlight"], body["dlqCount"]) == (1, 0, 1)
    assert body["sampledAt"]


def test_says_that_sqs_is_out_of_reach_instead_of_showing_old_figures(
    client: Client, sqs: Queues, redis_server: object, settings: Settings
) -> None:
    client.force_login(make_user())
    dispatching.sample()
    settings.SQS_RATE_LIMITER_QUEUE_URL = ""
    dispatching.sample()

    body = client.get(STATUS).json()

    assert body["queueDepth"] is None
    assert "sqs" in {trouble["component"] for trouble in body["troubles"]}
    assert "SQS_RATE_LIMITER_QUEUE_URL" not in str(body), "how it is configured is for operators"


def test_names_redis_and_the_kill_switch_and_a_silent_dispatch(client: Client, sqs: Queues, settings: Settings) -> None:
    client.force_login(make_user())
    settings.REDIS_ENDPOINT = "127.0.0.1:1"
    dispatching.sample()
    Dispatch.stop_sending(reason="fire", now=database_now())

    troubles = {trouble["component"]: trouble["words"] for trouble in client.get(STATUS).json()["troubles"]}

    assert set(troubles) == {"stopped", "dispatch", "rateLimiter", "worker"}
    assert troubles["stopped"] == "fire"


def test_a_message_that_no_worker_takes_says_so_everywhere(client: Client, sqs: Queues, redis_server: object) -> None:
    user = make_user()
    message = make_conversation(make_creator(user)).queue(text="Hello!", author=user)
    Dispatch.note(heartbeat_at=database_now())
    client.force_login(user)
    address, page = (
        f"/api/onlyfans/messages/{message.public_id}",
        f"/messages/onlyfans/{message.conversation.public_id}",
    )

    dispatching.sample()
    message.hand_over(until=database_now())

    assert [trouble["component"] for trouble in client.get(STATUS).json()["troubles"]] == ["worker"]
    assert client.get(address).json()["waiting"]["code"] == "worker_silent"
    assert "No worker is running" in client.get(page).text

    Worker.beat("one", now=database_now(), polled_at=None)
    dispatching.sample()

    assert client.get(STATUS).json()["troubles"] == []
    assert client.get(address).json()["waiting"]["code"] == "now"


def test_shows_each_of_the_users_creators_and_nobody_elses(client: Client) -> None:
    user = make_user()
    creator = make_creator(user, name="Ava")
    make_creator(make_user(), name="Somebody else")
    make_conversation(creator).queue(text="Hello!", author=user)
    creator.line.pause(reason="holiday", now=database_now())
    client.force_login(user)

    (line,) = client.get(STATUS).json()["creators"]

    assert line["name"] == "Ava"
    assert line["waiting"] == 1
    assert line["secondsBetweenMessages"] == 6.03
    assert (line["paused"], line["pausedReason"]) == (True, "holiday")


def test_counts_what_waits_and_what_became_of_the_messages_of_the_last_day(client: Client) -> None:
    user, now = make_user(), database_now()
    mine, others = make_conversation(make_creator(user)), make_conversation(make_creator())
    yesterday = now - timedelta(hours=25)
    for conversation in (mine, others):
        conversation.queue(text="Hello!", author=None)
        make_message(conversation, status=Status.SENDING, lease_until=now, sending_at=now)
        make_message(conversation, status=Status.READ, sent_at=now, settled_at=now)
        make_message(conversation, status=Status.SENT, sent_at=yesterday, settled_at=yesterday)
        make_message(conversation, status=Status.FAILED, settled_at=now)
        make_message(conversation, status=Status.FAILED, settled_at=yesterday)
        make_message(conversation, status=Status.UNKNOWN, sending_at=now)
        make_message(conversation, status=Status.NEEDS_PERSON, sending_at=yesterday)
    client.force_login(user)

    body = client.get(STATUS).json()

    assert body["metrics"] == {"queued": 1, "inFlight": 1, "processed24h": 1, "failed24h": 2}
    assert body["lastProcessedAt"] == iso(now)


def test_a_request_asks_no_broker(client: Client, settings: Settings) -> None:
    settings.REDIS_ENDPOINT = "127.0.0.1:1"
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    client.force_login(make_user())

    assert client.get(STATUS).status_code == 200


def test_a_creator_with_an_unreadable_pace_breaks_no_page(client: Client) -> None:
    user = make_user()
    message = make_conversation(make_creator(user, pace="nonsense")).queue(text="Hello!", author=user)
    Dispatch.note(heartbeat_at=database_now())
    client.force_login(user)

    (line,) = client.get(STATUS).json()["creators"]

    assert line["secondsBetweenMessages"] is None
    assert client.get(f"/api/onlyfans/messages/{message.public_id}").json()["waiting"]["code"] == "broken"
    assert client.get(f"/messages/onlyfans/{message.conversation.public_id}").status_code == 200
