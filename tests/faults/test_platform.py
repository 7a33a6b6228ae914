"""F17 to F21: a platform that is slow, overloaded, unreadable, or does not know us any more."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from crm.clock import database_now
from crm.models import Creator
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_user
from tests.client import Client
from tests.faults.proxy import Canned
from tests.faults.scene import Scene, account_of, calls_for
from tests.faults.stage import TIMES, until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

DEADLINE_SECONDS = float(TIMES["GATEWAY_DEADLINE_SECONDS"])
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize("form", ["seconds", "date", "absent"])
def test_f17_too_many_requests_holds_that_account_as_long_as_it_says_and_no_other(scene: Scene, form: str) -> None:
    user = make_user()
    slow, other = scene.creator(user), scene.creator()
    api = Client(scene.stage.web_url, user.username, PASSWORD)
    throttled, free = scene.conversations(1, creator=slow)[0], scene.conversations(3, creator=other)
    proxy, head = scene.stage.to_platform, b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d\r\n"
    now = datetime.now(UTC)
    dates = (format_datetime(moment, usegmt=True).encode() for moment in (now, now + timedelta(seconds=3)))
    match form:
        case "seconds":
            answer = head % 2 + b"Retry-After: 3\r\n\r\n{}"
        case "date":
            answer = head % 2 + b"Date: %b\r\nRetry-After: %b\r\n\r\n{}" % tuple(dates)
        case "absent":
            answer = head % 36 + b'\r\n{"error": "Allow 3 seconds, please"}'
    proxy.answer(Canned([answer]), to=account_of(slow))

    message = scene.say(throttled)
    until(lambda: len(calls_for(scene, slow)) == 1, 60, "it is refused")
    proxy.mend()
    for conversation in free:
        scene.say(conversation)

    def told_to_wait() -> Any:
        # The platform has heard the call before we know that it was refused.
        told = api.get(f"/api/onlyfans/messages/{message.public_id}")
        return told if told["waiting"] and told["waiting"]["code"] == "throttled" else None

    told = until(told_to_wait, 20, "it says why it waits")
    until(lambda: len(scene.on_the_platform()) >= 3, 3 + 15, "the others go")
    scene.until(message, Status.SENT)
    refused, accepted = calls_for(scene, slow)
    assert accepted - refused >= 3
    assert min(calls_for(scene, other)) < accepted, "the others waited, too"
    assert datetime.fromisoformat(told["estimatedSendTime"]) >= now + timedelta(seconds=3)
    assert message.attempts == 0


def test_f18_a_storm_of_errors_opens_the_breaker_and_is_never_answered_with_blind_repeats(scene: Scene) -> None:
    creator = scene.creator()
    conversations = scene.conversations(8, creator=creator)
    scene.stage.misbehave("error_before", status=502, times=None, on="any")

    for conversation in conversations:
        scene.say(conversation)
    until(lambda: probes(scene), 60, "the breaker is open")
    tried, probed = len(calls_for(scene, creator)), probes(scene)
    lasts(5)
    assert len(calls_for(scene, creator)) == tried <= 3
    assert probes(scene) - probed <= 6
    scene.ends = {Status.NEEDS_PERSON: tried}
    until(lambda: scene.count(Status.NEEDS_PERSON, Status.UNKNOWN) == tried, 60, "they are looked up")
    scene.stage.misbehave(None)

    until(lambda: scene.count(Status.SENT) == 8 - tried, 60, "the others go out")
    assert len(calls_for(scene, creator)) == 8


@pytest.mark.parametrize("trouble", ["refused", "deaf"])
def test_f18_f19_a_platform_out_of_reach_is_probed_once_a_second_at_most_and_no_message_fails(
    scene: Scene, trouble: str
) -> None:
    creator, proxy = scene.creator(), scene.stage.to_platform
    conversations = scene.conversations(5, creator=creator)
    (proxy.cut if trouble == "refused" else proxy.deafen)()

    for conversation in conversations:
        scene.say(conversation)
    until(lambda: scene.messages.filter(cause_code="unreachable").exists(), 60, "somebody tried")
    until(lambda: probes(scene), 60, "the breaker is open")
    probed = probes(scene)
    lasts(5)
    assert probes(scene) - probed <= 6
    assert not scene.count(Status.FAILED, Status.UNKNOWN)
    proxy.mend()

    until(lambda: scene.count(Status.SENT) == 5, 60, "all go out")
    creator.connection.refresh_from_db()
    assert creator.connection.failures == 0


def test_f19_an_answer_that_is_none_ends_at_the_deadline_and_is_unknown(scene: Scene) -> None:
    answers = {
        "one byte a second": Canned([b"H", b"T", b"T", b"P", *[b"/"] * 30], pause=1),
        "a body of one byte a second": Canned([OK + b"Content-Length: 99\r\n\r\n", *[b" "] * 30], pause=1),
        "50 MB": Canned([OK + b"Content-Length: 52428800\r\n\r\n", *[b" " * 1_048_576] * 50]),
        "a body cut short": Canned([OK + b'Content-Length: 999\r\n\r\n{"data": {']),
        "a page": Canned([b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<h1>Hello</h1>\n"]),
        "elsewhere": Canned(
            [b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/latest/\r\nContent-Length: 0\r\n\r\n"]
        ),
    }
    creators = {name: scene.creator() for name in answers}
    scene.ends = {Status.NEEDS_PERSON: len(answers)}
    for name, answer in answers.items():
        scene.stage.to_platform.answer(answer, to=b"POST /api/" + account_of(creators[name]))

    for creator in creators.values():
        scene.say(*scene.conversations(1, creator=creator))

    until(lambda: scene.count(Status.UNKNOWN, Status.NEEDS_PERSON) == len(answers), 60, "each is given up")
    for name, creator in creators.items():
        assert len(calls_for(scene, creator)) == 1, f"{name}: tried again"
    scene.stage.to_platform.mend()
    assert not scene.on_the_platform()


def test_f19_a_platform_that_never_answers_costs_the_deadline_and_no_more(scene: Scene) -> None:
    silent, other = scene.creator(), scene.creator()
    scene.ends = {Status.NEEDS_PERSON: 1}
    scene.stage.misbehave("latency", seconds=30, account=silent.connection.account_id)

    message = scene.say(*scene.conversations(1, creator=silent))
    scene.until(message, Status.UNKNOWN, 60)

    assert message.sending_at
    assert message.reconcile_at
    took = message.reconcile_at - message.sending_at
    assert took < timedelta(seconds=DEADLINE_SECONDS + 3)
    scene.until(scene.say(*scene.conversations(1, creator=other)), Status.SENT)


def test_f20_accepted_and_then_hung_up_on_is_found_in_the_chat_and_not_sent_again(scene: Scene) -> None:
    conversations = scene.conversations(3)
    scene.stage.misbehave("drop", times=3)

    messages = [scene.say(conversation) for conversation in conversations]

    for message in messages:
        scene.until(message, Status.SENT)
        assert message.cause_code == "reconciled"
        assert len(scene.on_the_platform(message)) == 1


def test_f21_a_lost_session_pauses_the_creator_once_and_a_person_lets_it_go_on(scene: Scene) -> None:
    lost, other = scene.creator(), scene.creator()
    waiting = [scene.say(conversation) for conversation in scene.conversations(10, creator=lost)]
    until(lambda: len(scene.on_the_platform()) >= 2, 60, "it is under way")

    scene.stage.misbehave("session_lost", times=None, account=lost.connection.account_id)
    until(lambda: paused(lost), 60, "it is paused")
    tries = len(calls_for(scene, lost))
    scene.until(scene.say(*scene.conversations(1, creator=other)), Status.SENT)
    assert "session has expired" in lost.line.paused_reason
    assert not scene.count(Status.FAILED, Status.UNKNOWN)
    assert len(calls_for(scene, lost)) == tries
    scene.stage.misbehave(None)
    lost.connection.reconnected(now=database_now())

    for message in waiting:
        scene.until(message, Status.SENT)


def paused(creator: Creator) -> bool:
    creator.line.refresh_from_db()
    return creator.line.paused_at is not None


def probes(scene: Scene) -> int:
    """How often a worker has asked whether the platform is back."""
    return scene.stage.worker.said.count('"event": "probed"')


def lasts(seconds: float) -> None:
    ends_at = time.monotonic() + seconds
    until(lambda: time.monotonic() > ends_at, 2 * seconds, "it has lasted")
