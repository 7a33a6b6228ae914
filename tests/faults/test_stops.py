"""F26 and F27: pauses, stops and cancellations in mid-campaign; a server that slept, and one that was restored."""

import random
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import pytest

from crm import campaigning
from crm.clock import database_now
from crm.models import Campaign, Creator, Dispatch, Fan, Message, StateForbids
from crm.models.campaigns import CampaignStatus
from crm.models.messages import CANCELLABLE, Status
from tests.faults.scene import Scene
from tests.faults.stage import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

AUDIENCE, COMMANDS = 5000, 100


def test_f26_a_campaign_that_is_paused_resumed_and_cancelled_at_random_reaches_nobody_twice(scene: Scene) -> None:
    seed = time.time_ns()
    print(f"seed: {seed}")
    dice, creator = random.Random(seed), scene.creator(pace="100/1")
    campaign = launched(scene, creator)
    until(scene.on_the_platform, 60, "it is under way")

    for _command in range(COMMANDS):
        match dice.choice(["pause", "resume", "pause all", "resume all", "stop", "go on", "cancel one"]):
            case "pause" if campaign.status == CampaignStatus.RUNNING:
                campaigning.pause(campaign)
            case "resume" if campaign.status == CampaignStatus.PAUSED:
                campaigning.resume(campaign)
            case "pause all":
                creator.line.pause(reason="at random", now=database_now())
            case "resume all":
                creator.line.resume(now=database_now())
            case "stop":
                Dispatch.stop_sending(reason="at random", now=database_now())
            case "go on":
                Dispatch.resume_sending()
            case "cancel one":
                cancel_one(scene)
        time.sleep(dice.uniform(0, 0.1))
    campaigning.cancel(campaign)
    cancelled_at = database_now()
    until(lambda: not scene.count(*CANCELLABLE, Status.SENDING), 60, "what had begun has ended")

    assert not scene.messages.filter(sending_at__gt=cancelled_at + timedelta(seconds=1)).exists()
    scene.accepted |= set(scene.messages.values_list("public_id", flat=True))
    scene.ends = {Status.CANCELLED: scene.count(Status.CANCELLED)}


def test_no_call_begins_a_second_after_a_stop_whatever_was_stopped(scene: Scene) -> None:
    creator = scene.creator(pace="100/1")
    campaign = launched(scene, creator)
    stops: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: Dispatch.stop_sending(reason="fire", now=database_now()), Dispatch.resume_sending),
        (
            lambda: creator.line.pause(reason="a pause", now=database_now()),
            lambda: creator.line.resume(now=database_now()),
        ),
        (lambda: campaigning.pause(campaign), lambda: campaigning.resume(campaign)),
    ]

    def more_are_there(*, than: int) -> bool:
        return len(scene.on_the_platform()) > than

    def is_past(moment: datetime) -> bool:
        return database_now() > moment

    for stop, go_on in stops:
        before = len(scene.on_the_platform())
        until(partial(more_are_there, than=before), 60, "it is under way")
        stop()
        last_call_at = database_now() + timedelta(seconds=1)
        until(partial(is_past, last_call_at + timedelta(seconds=1)), 60, "time passes")

        assert not scene.messages.filter(sending_at__gt=last_call_at).exists()
        go_on()

    campaigning.cancel(campaign)
    until(lambda: not scene.count(*CANCELLABLE, Status.SENDING), 60, "what had begun has ended")
    scene.accepted |= set(scene.messages.values_list("public_id", flat=True))
    scene.ends = {Status.CANCELLED: scene.count(Status.CANCELLED)}


@pytest.mark.parametrize("silence", [timedelta(minutes=5), timedelta(hours=6)])
def test_f27_a_server_that_slept_a_little_sends_what_came_due_and_one_that_slept_long_asks(
    scene: Scene, silence: timedelta
) -> None:
    (conversation,) = scene.conversations(1)
    scene.stage.dispatch.terminate()
    message = scene.say(conversation)
    was_due(message, silence)
    # Redis has seen nothing later either: nothing ran.
    scene.stage.redis_client.delete(f"heartbeat:{Dispatch.current().installation}")

    scene.stage.dispatch.start()

    if silence > Dispatch.SILENCE_HOLDS:
        until(Dispatch.is_stopped, 60, "it holds")
        assert "resume_sending" in Dispatch.current().stopped_reason
        until(turns, 60, "it turns")
        assert not scene.on_the_platform()
        scene.stage.manage("resume_sending")
    scene.until(message, Status.SENT)


@pytest.mark.parametrize("age", [timedelta(minutes=2), timedelta(days=2)])
def test_f27_a_restored_copy_sends_nothing_by_itself(scene: Scene, age: timedelta) -> None:
    """The rows of then say ``queued``; the platform has long had them."""
    first, second = scene.conversations(2)
    sent = [scene.until(scene.say(conversation), Status.SENT) for conversation in (first, second)]
    scene.stage.dispatch.terminate()
    for message in sent:
        Message.objects.filter(pk=message.pk).update(
            status=Status.QUEUED, platform_id="", sent_at=None, sending_at=None, lease=None, lease_until=None
        )
        was_due(message, age)
    scene.ends = {Status.CANCELLED: 2}
    scene.known_to_the_platform = {message.text for message in sent}

    scene.stage.dispatch.start()
    until(Dispatch.is_stopped, 60, "it holds")
    scene.stage.dispatch.terminate()
    scene.stage.dispatch.start()

    until(turns, 60, "it turns")
    assert Dispatch.is_stopped(), "starting it again is not a person's word"
    assert len(scene.on_the_platform()) == 2
    for message in scene.messages:
        message.cancel(by=None)


def launched(scene: Scene, creator: Creator) -> Campaign:
    """A campaign to very many fans; each reads words that no other does."""
    fans = Fan.objects.bulk_create(
        Fan(creator=creator, platform_id=f"many_{creator.pk}_{number}", name=f"F{number}", search_text="")
        for number in range(AUDIENCE)
    )
    audience = {"fans": [str(fan.public_id) for fan in fans]}
    campaign = campaigning.draft(
        creator, author=None, name="To many", text=f"{scene.words()} {{name|you}}", audience=audience
    )
    campaigning.launch(campaign)
    return campaign


def cancel_one(scene: Scene) -> None:
    with suppress(StateForbids):
        if waiting := scene.messages.filter(status=Status.QUEUED).first():
            waiting.cancel(by=None)


def was_due(message: Message, ago: timedelta) -> None:
    """As if the last sign of life were of then, and the message had come due since."""
    now = database_now()
    Message.objects.filter(pk=message.pk).update(send_at=now - ago / 2, due_at=now - ago / 2)
    message.creator.line.resume(now=now - ago / 2)
    Dispatch.note(heartbeat_at=now - ago)


def turns() -> bool:
    """The loop has just given a sign of life."""
    heartbeat = Dispatch.current().heartbeat_at
    return heartbeat is not None and heartbeat > database_now() - timedelta(seconds=2)
