"""The stand-in for the platform: its ledger must be an oracle one can trust."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.conf import settings as django_settings
from django.urls import path
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from crm.models import Conversation, Message, Transaction
from crm.models.messages import Status
from crm.tests.factories import make_creator
from onlyfans.gateway import Chat, Parcel, Rejected, Sent, Throttled, Uploaded
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.inbox import read_event
from onlyfans.models import Connection, WebhookEvent
from onlyfans.simulator.ledger import Ledger
from onlyfans.tests.conftest import RunningSimulator
from onlyfans.webhooks import receive_webhook

urlpatterns = [path("api/onlyfans/webhooks/<uuid:connection_id>", receive_webhook)]

LISTENS = re.compile(r"http://127\.0\.0\.1:\d+/api")


def until(holds: Callable[[], Any], *, seconds: float = 5) -> Any:
    """What ``holds`` says once it says something true."""
    deadline = time.monotonic() + seconds
    while not (answer := holds()):
        assert time.monotonic() < deadline, "It never came true."
        time.sleep(0.02)
    return answer


def send(gateway: OfapiGateway, text: str = "Hello!") -> str:
    outcome = gateway.send(Parcel(chat_id="42", text=text, price_cents=0))
    assert isinstance(outcome, Sent)
    return outcome.platform_id


# --- The ledger


def test_a_ledger_read_again_knows_every_chat_and_gives_no_id_twice(tmp_path: Path) -> None:
    first = Ledger(tmp_path / "ledger.jsonl")
    media_id = first.take_media(account="a", file_url="https://x.test/1")
    accepted = first.accept(account="a", chat="42", text="one\ntwo 😘\u2028", price=500, media=[media_id])
    heard = first.hear(account="a", chat="42", text="hi", name="Sam", username="sam")
    first.close()

    again = Ledger(tmp_path / "ledger.jsonl")

    assert again.chats["a"]["42"] == [accepted, heard]
    assert [entry.message_id for entry in again.accepted] == [accepted.message_id]
    assert again.media["a"] == {media_id}
    newest = again.accept(account="a", chat="42", text="three", price=0, media=[])
    assert int(newest.message_id) > int(heard.message_id) > int(accepted.message_id)


def test_a_line_torn_by_a_kill_is_no_message_and_spoils_none(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    first = Ledger(file)
    first.accept(account="a", chat="42", text="whole", price=0, media=[])
    first.close()
    with file.open("a") as torn:
        torn.write('{"time": "2026-')

    again = Ledger(file)
    again.accept(account="a", chat="42", text="after", price=0, media=[])
    again.close()

    assert [entry.text for entry in Ledger(file).accepted] == ["whole", "after"]


def test_the_ledgers_lines_are_as_documented(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    entry = ledger.accept(account="a", chat="42", text="hi", price=1999, media=["ofapi_media_1"])

    [line] = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", line.pop("time"))
    assert line == {
        "account": "a",
        "chat": "42",
        "text": "hi",
        "price": 1999,
        "media": ["ofapi_media_1"],
        "message_id": entry.message_id,
    }


# --- The platform's own rules


def test_too_fast_is_refused_and_not_in_the_ledger(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    simulator.set(gap=60)
    send(gateway)

    assert isinstance(gateway.send(Parcel("43", "Hello!", 0)), Throttled)
    assert len(simulator.ledger(account)) == 1


def test_media_is_good_for_one_message_when_told_so(simulator: RunningSimulator, gateway: OfapiGateway) -> None:
    simulator.set(media_once=True)
    uploaded = gateway.upload("https://x.test/1.jpg")
    assert isinstance(uploaded, Uploaded)
    parcel = Parcel("42", "Look", 500, media_ids=[uploaded.media_id])

    assert isinstance(gateway.send(parcel), Sent)
    assert isinstance(gateway.send(parcel), Rejected)


def test_the_list_of_chats_has_the_latest_first(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    for chat in ("1", "2", "1"):
        gateway.send(Parcel(chat, f"to {chat}", 0))

    chats = get(f"{simulator.url}/{account}/chats?limit=100")

    assert [chat["fan"]["id"] for chat in chats["data"]] == [1, 2]
    assert chats["_pagination"] == {"next_page": None}


def test_a_fault_meets_as_many_requests_of_one_account_as_it_is_for(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    other = OfapiGateway(account_id=f"{account}_2", api_key=simulator.api_key)
    simulator.fault("throttle", account=account, times=2, seconds=4)

    send(other)
    for _call in range(2):
        outcome = gateway.send(Parcel("42", "Hello!", 0))
        assert isinstance(outcome, Throttled)
        assert outcome.after == 4
    send(gateway)


@pytest.mark.parametrize(
    "wish", [{"kind": "nonsense"}, {}, {"kind": "drop", "on": "nothing"}, {"kind": "drop", "x": 1}]
)
def test_a_fault_nobody_knows_is_refused(simulator: RunningSimulator, wish: dict[str, Any]) -> None:
    request = Request(f"{simulator.control_url}/faults", json.dumps(wish).encode(), method="POST")

    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=5)

    assert refused.value.code == 400


# --- The fans


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
def test_a_fan_answers_through_a_signed_webhook_and_is_in_the_inbox(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str, live_server: LiveServer
) -> None:
    connection = Connection(creator=make_creator(), account_id=account)
    connection.webhook_secret = "s3cret"
    connection.save()
    door = f"{live_server.url}/api/onlyfans/webhooks/{connection.public_id}"
    simulator.webhook(account, url=door, secret="s3cret")
    simulator.set(reply_probability=1)

    send(gateway, "How are you?")
    event = until(lambda: WebhookEvent.objects.first())
    read_event(event)

    assert re.fullmatch(r"evt_[0-9a-f]{40}", event.event_key)
    message = Message.objects.get(status=Status.RECEIVED)
    assert message.conversation.fan.platform_id == "42"
    assert Conversation.objects.get().unread_count == 1
    chat = gateway.read_chat("42", since=message.send_at)
    assert isinstance(chat, Chat)
    assert (chat.messages[0].platform_id, chat.messages[0].text) == (message.platform_id, message.text)


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
def test_a_deed_and_a_message_of_ours_are_told_through_the_same_door(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str, live_server: LiveServer
) -> None:
    connection = Connection(creator=make_creator(), account_id=account)
    connection.webhook_secret = "s3cret"
    connection.save()
    door = f"{live_server.url}/api/onlyfans/webhooks/{connection.public_id}"
    simulator.webhook(account, url=door, secret="s3cret")
    simulator.set(tell_sent=True)

    simulator.do(account, "tip", chat="42", cents=500)
    sent_id = send(gateway, "Thank you!")
    until(lambda: WebhookEvent.objects.count() == 3)
    for event in WebhookEvent.objects.order_by("?"):
        read_event(event)

    assert Transaction.objects.get().amount_cents == 500
    assert Message.objects.get().platform_id == sent_id


@pytest.mark.django_db(transaction=True)
@pytest.mark.urls(__name__)
def test_a_door_that_was_shut_is_tried_again(
    simulator: RunningSimulator, account: str, live_server: LiveServer
) -> None:
    connection = Connection.objects.create(creator=make_creator(), account_id=account)
    simulator.webhook(account, url=f"{live_server.url}/api/onlyfans/webhooks/{connection.public_id}", secret="s3cret")
    simulator.set(backoff=0.2)

    simulator.fan_writes(account, "42", "Anybody there?")
    connection.webhook_secret = "s3cret"
    connection.save()

    event = until(lambda: WebhookEvent.objects.first())
    assert event.payload["text"] == "<p>Anybody there?</p>"


def test_nobody_answers_when_answering_is_off(simulator: RunningSimulator, gateway: OfapiGateway) -> None:
    sent_id = send(gateway)

    messages = get(f"{simulator.url}/{gateway.account_id}/chats/42/messages")["data"]

    assert [str(message["id"]) for message in messages] == [sent_id]


def get(url: str) -> Any:
    request = Request(url, headers={"Authorization": f"Bearer {RunningSimulator.api_key}"})
    with urlopen(request, timeout=5) as response:
        return json.load(response)


# --- The command


class Process:
    """``manage.py simulate_platform`` as a process of its own."""

    def __init__(self, ledger: Path) -> None:
        self.ledger = ledger
        self.log = ledger.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        self.log.write_bytes(b"")
        command = [
            sys.executable,
            "manage.py",
            "simulate_platform",
            "--port",
            "0",
            "--ledger",
            str(self.ledger),
        ]
        environment = os.environ | {"SIMULATOR_API_KEY": "from-the-environment"}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--gap", "0"],
                cwd=django_settings.BASE_DIR,
                env=environment,
                stdout=log,
                stderr=log,
            )
        found: re.Match[str] = until(lambda: LISTENS.search(self.log.read_text()), seconds=30)
        return found[0]

    def stop(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        return self._process.wait(2 if how != signal.SIGKILL else 5)

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait(5)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path / "ledger.jsonl")
    yield process
    process.end()


def test_the_command_survives_a_kill_and_stops_when_told_to(process: Process, settings: Settings) -> None:
    gateway = OfapiGateway(account_id="acct_1", api_key="from-the-environment")

    settings.OFAPI_BASE_URL = process.start()
    first = send(gateway, "before the kill")
    process.stop(signal.SIGKILL)
    settings.OFAPI_BASE_URL = process.start()
    second = send(gateway, "after the kill")
    request = f"{settings.OFAPI_BASE_URL.removesuffix('/api')}/_simulator/faults"
    urlopen(Request(request, b'{"kind": "latency", "seconds": 30}', method="POST"), timeout=5).close()
    settings.GATEWAY_DEADLINE_SECONDS = 0.2
    gateway.send(Parcel("42", "in mid-air", 0))

    assert process.stop(signal.SIGTERM) == 0

    lines = [json.loads(line) for line in process.ledger.read_text().splitlines()]
    assert [(line["text"], line["message_id"]) for line in lines] == [
        ("before the kill", first),
        ("after the kill", second),
    ]
    assert "the kill" not in process.log.read_text()
