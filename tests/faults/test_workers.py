"""F1 to F3: workers that die, in every moment and in every way."""

import pytest

from crm.models.messages import Status
from tests.faults.points import Act
from tests.faults.scene import Scene
from tests.faults.stage import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


@pytest.mark.parametrize("point", ["received", "leased", "answered", "settled", "before the ack"])
def test_f1_a_killed_worker_group_loses_nothing_and_doubles_nothing(scene: Scene, point: str) -> None:
    victim, *others = scene.conversations(3)
    scene.stage.orders.lay(point, Act.KILL_GROUP)

    message = scene.say(victim)
    behind = [scene.say(conversation) for conversation in others]
    until(lambda: not scene.stage.worker.is_alive, 60, f"the worker dies at “{point}”")
    scene.stage.worker.start()

    for each in (message, *behind):
        scene.until(each, Status.SENT)
    assert len(scene.on_the_platform(message)) == 1
    if point == "answered":
        assert message.cause_code == "reconciled"


def test_f1_killed_with_the_call_about_to_begin_it_is_for_a_person_and_never_sent_by_itself(scene: Scene) -> None:
    victim, other = scene.conversations(2)
    scene.stage.orders.lay("sending", Act.KILL_GROUP)

    message = scene.say(victim)
    until(lambda: not scene.stage.worker.is_alive, 60, "the worker dies")
    scene.stage.worker.start()

    scene.until(message, Status.NEEDS_PERSON)
    scene.until(scene.say(other), Status.SENT)
    assert not scene.on_the_platform(message)
    message.retry(by=None, not_sent=True)

    scene.until(message, Status.SENT)


@pytest.mark.parametrize("point", ["leased", "sending"])
def test_f1_a_worker_that_slept_through_its_lease_sends_nothing_a_second_time(scene: Scene, point: str) -> None:
    (conversation,) = scene.conversations(1)
    # Its letter stays with the one who sleeps.
    scene.stage.set_queue(visibility=90, receives_max=3)
    scene.stage.second_worker.start()
    scene.stage.orders.lay(point, Act.FREEZE)

    message = scene.say(conversation)
    until(lambda: scene.stage.orders.taken(point), 60, f"a worker sleeps at “{point}”")
    # Before the call the other worker may take it over; after, nobody may.
    scene.until(message, Status.SENT if point == "leased" else Status.UNKNOWN)
    until(lambda: scene.stage.depth(scene.stage.queue_url) == 1, 60, "one letter is left")
    scene.stage.worker.thaw()
    scene.stage.second_worker.thaw()

    until(lambda: not scene.stage.depth(scene.stage.queue_url), 60, "it has done what it had in mind")
    scene.until(message, Status.SENT)


def test_f2_a_pool_child_that_is_killed_costs_one_attempt_and_not_the_worker(scene: Scene) -> None:
    victim, other = scene.conversations(2)
    parent = scene.stage.worker.pid
    scene.stage.orders.lay("leased", Act.KILL)

    message = scene.say(victim)
    behind = scene.say(other)

    for each in (message, behind):
        scene.until(each, Status.SENT)
    assert scene.stage.worker.is_alive
    assert scene.stage.worker.pid == parent
    assert sorted(scene.messages.values_list("attempts", flat=True)) == [0, 1]


def test_f2_a_pool_child_without_memory_ends_the_worker_and_costs_one_attempt(scene: Scene) -> None:
    """Celery means it: a process that raises MemoryError cannot be trusted with the next task. It is started again."""
    victim, other = scene.conversations(2)
    scene.stage.orders.lay("leased", Act.RUN_OUT_OF_MEMORY)

    messages = [scene.say(conversation) for conversation in (victim, other)]
    until(lambda: not scene.stage.worker.is_alive, 60, "the worker ends")
    scene.stage.worker.start()

    for message in messages:
        scene.until(message, Status.SENT)
    assert sorted(scene.messages.values_list("attempts", flat=True)) == [0, 1]


def test_f3_a_worker_that_is_asked_to_stop_finishes_what_it_began(scene: Scene) -> None:
    conversations = [each for _creator in range(20) for each in scene.conversations(10)]
    scene.stage.set_queue(visibility=300, receives_max=3)
    scene.stage.misbehave("latency", seconds=0.05, times=None)
    for conversation in conversations:
        scene.say(conversation)
    until(lambda: len(scene.on_the_platform()) > 40, 60, "the worker is busy")

    scene.stage.second_worker.start(wait=False)
    stopped = scene.stage.worker.terminate()

    assert stopped == 0
    until(lambda: scene.count(Status.SENT) == 200, 180, "nothing waits for the visibility timeout of five minutes")
    # Attempts tell nothing: on a busy machine a lease runs out in hands that are well.
    assert not scene.messages.filter(cause_code="reconciled").exists(), "a call was cut off"
