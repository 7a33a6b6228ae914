"""F15 and F16: a Redis that forgets, is silent, or is full."""

from collections import Counter

import pytest

from crm.models import Dispatch, User
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_user
from tests.client import Client
from tests.faults.scene import Scene
from tests.faults.stage import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]


def test_f15_a_redis_that_forgets_everything_gives_nobody_a_second_burst(scene: Scene) -> None:
    user = make_user()
    # A burst of 5, then 3 a second: with each lost bucket five at once would be seen at the platform.
    creator = scene.creator(user, pace="12/4:5")
    conversations = scene.conversations(25, creator=creator)
    api = Client(scene.stage.web_url, user.username, PASSWORD)
    for conversation in conversations:
        scene.say(conversation)

    for sent in (5, 9, 13):
        until(lambda at_least=sent: len(scene.on_the_platform()) >= at_least, 60, f"{sent} are sent")  # type: ignore[misc]
        scene.stage.redis_client.flushall()

    until(lambda: scene.count(Status.SENT) == 25, 60, "all are sent")
    assert api.call("GET", "/api/onlyfans/messages/status")[0] == 200, "the session does not live in Redis"


def test_f15_a_redis_that_forgets_everything_gives_nobody_new_guesses_at_a_password(scene: Scene) -> None:
    victim, api = make_user(), Client(scene.stage.web_url, make_user().username, PASSWORD)
    answers = guesses(api, victim, 8)
    scene.stage.redis_client.flushall()

    answers += guesses(api, victim, 8)

    # One more every 6 s: a slow machine may see some of them.
    assert answers[401] < 13, answers
    assert answers[429], answers


@pytest.mark.parametrize("trouble", ["stopped", "frozen", "full"])
def test_f16_without_redis_nothing_is_sent_pages_work_and_all_goes_out_after_it(scene: Scene, trouble: str) -> None:
    user = make_user()
    conversations = scene.conversations(3, creator=scene.creator(user))
    api = Client(scene.stage.web_url, user.username, PASSWORD)
    match trouble:
        case "stopped":
            scene.stage.redis.kill()
        case "frozen":
            scene.stage.redis.freeze()
        case "full":
            scene.stage.redis_client.config_set("maxmemory", "1")

    for conversation in conversations:
        wish = {"recipientId": conversation.fan.platform_id, "content": scene.words()}
        status, reply = api.post("/api/onlyfans/messages/send", wish)
        assert status == 202, reply
        scene.accept(reply["messageId"])
    if trouble != "full":
        until(lambda: Dispatch.current().gate_trouble, 60, "people are told")
    until(lambda: api.get(f"/api/onlyfans/messages/{reply['messageId']}")["waiting"]["code"] == "gate_down", 60, "why")
    assert api.call("GET", "/api/onlyfans/messages/status")[0] == 200
    assert not scene.on_the_platform()
    answers = guesses(api, make_user(), 16)
    assert answers.keys() == {401, 429}, answers
    assert answers[401] < 13, "as many guesses as one likes"
    Client(scene.stage.web_url, user.username, PASSWORD)

    match trouble:
        case "stopped":
            scene.stage.redis.start()
        case "frozen":
            scene.stage.redis.thaw()
        case "full":
            scene.stage.redis_client.config_set("maxmemory", "0")
    until(lambda: scene.count(Status.SENT) == 3, 60, "all are sent")


def guesses(api: Client, victim: User, times: int) -> Counter[int]:
    """How often each status was the answer to a wrong password."""
    credentials = {"username": victim.username, "password": "a guess"}
    return Counter(api.post("/api/auth/token", credentials)[0] for _guess in range(times))
