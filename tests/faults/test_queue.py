"""F4 to F10: a queue that refuses, is silent, repeats itself, forgets, or is full of poison."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from crm.models import Dispatch
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_user
from tests.client import Client
from tests.faults.points import Act
from tests.faults.proxy import Canned, Proxy
from tests.faults.scene import Scene, calls_for
from tests.faults.stage import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

OUTAGE_SECONDS = 10.0


def refuses(status: int) -> Canned:
    body = b"<ErrorResponse><Error><Code>AsOrdered</Code></Error></ErrorResponse>"
    head = b"HTTP/1.1 %d As ordered\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n" % (status, len(body))
    return Canned([head + b"Connection: close\r\n\r\n" + body])


@pytest.mark.parametrize("outage", [Proxy.cut, Proxy.silence, Proxy.swallow_answers])
def test_f4_f5_through_an_outage_of_sqs_everything_is_accepted_and_goes_out_after_it(
    scene: Scene, outage: Callable[[Proxy], None]
) -> None:
    user = make_user()
    fans = [conversation.fan for conversation in scene.conversations(8, creator=scene.creator(user))]
    api = Client(scene.stage.web_url, user.username, PASSWORD)
    worker, ends_at = scene.stage.worker.pid, time.monotonic() + OUTAGE_SECONDS
    took: list[float] = []

    outage(scene.stage.to_sqs)
    while (began := time.monotonic()) < ends_at:
        wish = {"recipientId": fans[len(took) % len(fans)].platform_id, "content": scene.words()}
        status, reply = api.post("/api/onlyfans/messages/send", wish)
        assert status == 202, reply
        scene.accept(reply["messageId"])
        took.append(time.monotonic() - began)
        time.sleep(0.2)
    scene.stage.to_sqs.mend()

    until(lambda: scene.count(Status.SENT) == len(took), 30, "all of it goes out")
    assert scene.stage.worker.is_alive
    assert scene.stage.worker.pid == worker
    scene.measured(f"a request while SQS is out of reach ({outage.__name__})", took, share=0.95)
    assert not scene.stage.tripwire.heard, "a request asked for SQS"


def test_f6_a_worker_lives_through_503_and_403_and_does_not_spin(scene: Scene) -> None:
    conversations = scene.conversations(3)
    worker, proxy = scene.stage.worker.pid, scene.stage.to_sqs
    watcher = Client(scene.stage.web_url, make_user(is_staff=True).username, PASSWORD)

    proxy.answer(refuses(503), to=b"ReceiveMessage")
    until(lambda: proxy.refused(b"ReceiveMessage"), 60, "one poll is refused")
    proxy.mend()
    scene.until(scene.say(conversations[0]), Status.SENT)
    for status in (503, 403):
        proxy.answer(refuses(status))
        began = time.monotonic()
        message = scene.say(conversations[1 if status == 503 else 2])
        until(lambda: Dispatch.current().queue_trouble, 60, "people are told")
        until(lambda since=began: time.monotonic() > since + OUTAGE_SECONDS, 60, "it lasts")  # type: ignore[misc]
        polls = len(proxy.heard_since(began, b"ReceiveMessage"))
        assert polls / (time.monotonic() - began) < 2, f"{polls} polls while SQS answers {status}"
        assert watcher.call("GET", "/api/monitoring/onlyfans")[0] == 503, "whoever watches it is told"
        proxy.mend()
        scene.until(message, Status.SENT)

    assert scene.stage.worker.is_alive
    assert scene.stage.worker.pid == worker


def test_f7_what_sqs_delivers_five_times_backwards_and_the_next_day_again_is_sent_once(scene: Scene) -> None:
    conversations = [each for _creator in range(10) for each in scene.conversations(1)]
    letters = letters_of(scene, conversations)

    for letter in [*reversed(letters)] * 5:
        scene.stage.client.send_message(QueueUrl=scene.stage.queue_url, MessageBody=letter)
    scene.stage.worker.start()
    until(lambda: scene.count(Status.SENT) == 10, 60, "all are sent")
    until(lambda: not scene.stage.depth(scene.stage.queue_url), 60, "the copies are gone")
    rows = list(scene.messages.order_by("pk").values())

    for letter in letters:
        scene.stage.client.send_message(QueueUrl=scene.stage.queue_url, MessageBody=letter)
    until(lambda: not scene.stage.depth(scene.stage.queue_url), 60, "the late copies are gone")
    assert list(scene.messages.order_by("pk").values()) == rows, "a late copy changed something"
    assert sum(len(calls_for(scene, creator)) for creator in scene.creators) == 10, "a copy cost a call"
    assert len(scene.on_the_platform()) == 10


def test_f8_poison_ends_among_the_dead_letters_and_holds_nobody_up(scene: Scene) -> None:
    scene.stage.set_queue(visibility=2, receives_max=5)
    before, *conversations = scene.conversations(6)
    (letter,) = letters_of(scene, [before])
    poison = [
        "no JSON",
        changed(letter, task="nobody.knows.this"),
        changed(letter, public_id="no id"),
        changed(letter, public_id="x" * 580_000),
    ]
    scene.dead_letters = len(poison)

    for body in poison:
        scene.stage.client.send_message(QueueUrl=scene.stage.queue_url, MessageBody=body)
    scene.stage.worker.start()
    for conversation in conversations:
        scene.say(conversation)

    until(lambda: scene.count(Status.SENT) == 6, 60, "the others go as if nothing were")
    until(lambda: scene.stage.depth(scene.stage.dlq_url) == len(poison), 60, "the poison is dead")
    assert scene.stage.worker.is_alive
    # What died of a mistake that was put right meanwhile goes back, and does what it should: here nothing any more.
    scene.stage.client.send_message(QueueUrl=scene.stage.dlq_url, MessageBody=letter)
    assert "5 moved" in scene.stage.manage("redrive_dlq")
    until(lambda: not scene.stage.depth(scene.stage.queue_url), 60, "the queue is empty again")


def test_f8_a_message_over_which_workers_die_is_given_up(scene: Scene) -> None:
    first, other = scene.conversations(2)
    scene.stage.orders.lay("leased", Act.KILL, times=3)
    scene.ends = {Status.FAILED: 1}

    message = scene.until(scene.say(first), Status.FAILED, 60)

    assert (message.cause_code, message.attempts) == ("poison", 3)
    scene.until(scene.say(other), Status.SENT)


def test_f9_a_purged_queue_and_a_dispatch_killed_at_its_worst_moments_lose_nothing(scene: Scene) -> None:
    for _creator in range(50):
        for conversation in scene.conversations(10):
            scene.say(conversation)
    until(lambda: scene.count(Status.SENT) > 50, 60, "it is under way")

    for point in ("claimed", "published"):
        scene.stage.orders.lay(point, Act.KILL_GROUP)
        until(lambda: not scene.stage.dispatch.is_alive, 60, "dispatch dies")
        scene.stage.take_all(scene.stage.queue_url)
        scene.stage.dispatch.start()

    until(lambda: scene.count(Status.SENT) == 500, 90, "all are delivered")


def test_f10_two_dispatchers_and_two_workers_do_everything_once(scene: Scene) -> None:
    scene.stage.second_dispatch.start()
    scene.stage.second_worker.start()
    before = scene.stage.sqs_requests().get("SendMessage", 0)

    for conversations in zip(*(scene.conversations(10) for _creator in range(20)), strict=True):
        for conversation in conversations:
            scene.say(conversation)

    until(lambda: scene.count(Status.SENT) == 200, 60, "all are delivered")
    letters = scene.stage.sqs_requests()["SendMessage"] - before
    scene.stage.measured.append(f"two dispatchers put {letters} letters into SQS for 200 messages")


# --- Letters: what dispatch puts into SQS


def letters_of(scene: Scene, conversations: list[Any]) -> list[str]:
    """Queue a message in each; the answer is what dispatch put into SQS for them. The worker is dead afterwards."""
    scene.stage.worker.kill()
    messages = [scene.say(conversation) for conversation in conversations]
    letters: dict[str, str] = {}

    def all_are_there() -> bool:
        for letter in scene.stage.take_all(scene.stage.queue_url):
            letters[_opened(letter)[1][1]["public_id"]] = letter
        return letters.keys() == {str(message.public_id) for message in messages}

    until(all_are_there, 60, "dispatch has published them")
    return list(letters.values())


def changed(letter: str, *, task: str = "", public_id: str = "") -> str:
    """The same letter for another task, or about another message."""
    envelope, content = _opened(letter)
    envelope["headers"]["task"] = task or envelope["headers"]["task"]
    content[1]["public_id"] = public_id or content[1]["public_id"]
    envelope["body"] = base64.b64encode(json.dumps(content).encode()).decode()
    return base64.b64encode(json.dumps(envelope).encode()).decode()


def _opened(letter: str) -> tuple[dict[str, Any], list[Any]]:
    envelope = json.loads(base64.b64decode(letter))
    return envelope, json.loads(base64.b64decode(envelope["body"]))
