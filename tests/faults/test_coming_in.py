"""F28 and F29: a provider that repeats, reorders and floods, and clients that ask twice."""

import hashlib
import hmac
import http.client
import json
import random
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest

from crm.models import Conversation, Creator, Message
from crm.models.messages import Direction, Status
from crm.tests.factories import PASSWORD, make_fan, make_user
from onlyfans.models import WebhookEvent
from tests.client import Client
from tests.faults.scene import CANARY, WEBHOOK_SECRET, Scene
from tests.faults.stage import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

EVENTS = 1_700


class Provider:
    """Posts events as the provider does."""

    def __init__(self, scene: Scene, creator: Creator) -> None:
        self._connection = creator.connection
        self._address = urlsplit(scene.stage.web_url).netloc

    def event(self, number: int, *, fan: str) -> bytes:
        payload = {
            "id": number,
            "text": f"<p>{CANARY} in {number}</p>",
            "price": 0,
            "createdAt": f"2026-01-31T09:{number // 60 % 60:02}:{number % 60:02}+00:00",
            "fromUser": {"id": fan, "name": "Somebody", "username": fan},
        }
        return self.enclosed("messages.received", payload)

    def enclosed(self, kind: str, payload: object) -> bytes:
        return json.dumps({"event": kind, "account_id": self._connection.account_id, "payload": payload}).encode()

    def post(self, body: bytes, *, key: str = "", secret: str = WEBHOOK_SECRET, signature: str | None = None) -> int:
        """The status of the answer."""
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {"Content-Type": "application/json", "Signature": signed if signature is None else signature}
        door = http.client.HTTPConnection(self._address, timeout=30)
        try:
            door.request(
                "POST",
                f"/api/onlyfans/webhooks/{self._connection.public_id}",
                body,
                headers | ({"X-OFAPI-Idempotency-Key": key} if key else {}),
            )
            return door.getresponse().status
        except BrokenPipeError:
            # It hung up on a body that it will not read; what it said is there to be read.
            return door.getresponse().status
        finally:
            door.close()


def test_f28_events_out_of_order_repeated_and_forged_come_to_the_same_end(scene: Scene) -> None:
    creator = scene.creator()
    provider = Provider(scene, creator)
    fans = [f"f28_{creator.pk}_{number}" for number in range(10)]
    events = [provider.event(number, fan=fans[number % 10]) for number in range(1, EVENTS + 1)]
    # Every tenth comes twice, once under the same id and once without any.
    posts = [(body, f"evt_{number}") for number, body in enumerate(events)]
    posts += [(body, f"evt_{number}") for number, body in enumerate(events) if number % 10 == 0]
    posts += [(body, "") for body in events[::10]]
    random.Random(28).shuffle(posts)

    def post(letter: tuple[bytes, str]) -> tuple[int, float]:
        began = time.monotonic()
        return provider.post(letter[0], key=letter[1]), time.monotonic() - began

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(post, posts))
    forged = [
        provider.post(events[0], key="evt_forged", signature=""),
        provider.post(events[0], key="evt_forged", signature="0" * 64),
        provider.post(events[0], key="evt_forged", secret="the secret of yesterday"),
    ]
    unread = provider.post(b" " * 5_000_000)

    assert Counter(status for status, _took in answers) == {200: len(posts)}
    assert forged == [401, 401, 401]
    assert unread == 413
    scene.measured("an event's answer while they pour in", [took for _status, took in answers], share=0.95)
    until(lambda: not WebhookEvent.objects.filter(connection=creator.connection, read_at=None).exists(), 60, "all read")
    received = Message.objects.filter(creator=creator, direction=Direction.IN)
    assert received.count() == EVENTS
    for conversation in Conversation.objects.filter(creator=creator):
        assert conversation.unread_count == EVENTS / 10
        latest = received.filter(conversation=conversation).order_by("-send_at").first()
        assert latest
        assert conversation.last_text == latest.text


def test_f29_fifty_clients_with_one_key_write_one_message(scene: Scene) -> None:
    mine, theirs = make_user(), make_user()
    fan = scene.conversations(1, creator=scene.creator(mine))[0].fan
    other = make_fan(scene.creator(theirs), platform_id=fan.platform_id)
    url, words = scene.stage.web_url, scene.words()
    api, stranger = Client(url, mine.username, PASSWORD, timeout=30), Client(url, theirs.username, PASSWORD)
    key = {"Idempotency-Key": "the same key"}

    def post(client: Client, content: str) -> tuple[int, Any]:
        return client.post("/api/onlyfans/messages/send", {"recipientId": fan.platform_id, "content": content}, **key)

    with ThreadPoolExecutor(50) as pool:
        replies = list(pool.map(lambda _number: post(api, words), range(50)))
    accepted = {reply["messageId"] for status, reply in replies if status == 202}

    assert {status for status, _reply in replies} <= {202, 409}
    assert len(accepted) == 1
    scene.accept(*accepted)
    assert post(api, scene.words())[0] == 422
    status, reply = post(stranger, scene.words())
    assert status == 202, reply
    scene.accept(reply["messageId"])
    until(lambda: scene.count(Status.SENT) == 2, 60, "both are sent")
    assert Message.objects.filter(conversation__fan=other).count() == 1
