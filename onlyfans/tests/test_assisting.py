"""Messages that a person sends by hand."""

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client

from crm.clock import database_now
from crm.forecast import forecast
from crm.models import Conversation, Creator, Dispatch, Line, Membership, Message, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_membership, make_user
from onlyfans import assisting, delivery, gate, handing_over, media, reconciling, sweeping
from onlyfans.assisting import NotNow
from onlyfans.models import Connection, Provider
from onlyfans.tests.conftest import Basket

pytestmark = pytest.mark.django_db

MEDIA = "https://media.example.test/1.jpg"


@pytest.fixture
def anna() -> User:
    return make_user("anna")


@pytest.fixture
def creator(anna: User, redis_server: redis.Redis) -> Creator:
    """Two may go at once, so that two people have something to do."""
    Dispatch.note(heartbeat_at=database_now())
    creator = make_creator(anna, pace="10/60:2")
    Connection.objects.create(creator=creator, provider=Provider.ASSISTED)
    return creator


@pytest.fixture
def conversation(creator: Creator) -> Conversation:
    return make_conversation(creator)


def queue(conversation: Conversation, text: str = "Hello", **values: Any) -> Message:
    return conversation.queue(text=text, author=None, **values)


def status_of(message: Message) -> str:
    message.refresh_from_db()
    return message.status


def act(user: User, message: Message, what: str) -> Any:
    client = Client()
    client.force_login(user)
    return client.post(f"/messages/assisted/{message.public_id}", {"act": what})


def page(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.get("/messages/assisted").content.decode()


# --- Taking


def test_dispatch_hands_nothing_of_theirs_to_a_worker(conversation: Conversation, basket: Basket) -> None:
    message = queue(conversation)

    assert handing_over.hand_over(basket.carry) == 0

    assert status_of(message) == Status.QUEUED
    expected = forecast(message)
    assert expected
    assert expected.reason == "by_hand"


def test_a_worker_that_still_has_one_gives_it_back(conversation: Conversation) -> None:
    message = queue(conversation)
    message.hand_over(until=database_now() + timedelta(seconds=30))

    delivery.deliver(message.public_id)

    assert status_of(message) == Status.QUEUED


def test_a_message_is_taken_copied_and_sent(conversation: Conversation, anna: User) -> None:
    text = "Line one\n" + 200 * "x"
    message = queue(conversation, text)
    assert text not in page(anna)

    assert act(anna, message, "take").status_code == 303

    assert text in page(anna)
    assert status_of(message) == Status.SENDING
    assert act(anna, message, "sent").status_code == 303
    assert status_of(message) == Status.SENT
    assert (message.cause_code, message.lease) == ("by_hand", None)
    assert message.sent_at


def test_only_the_front_of_the_line_can_be_taken(creator: Creator, conversation: Conversation, anna: User) -> None:
    behind = queue(make_conversation(creator), priority=5)
    first = queue(conversation)

    assert act(anna, behind, "take").status_code == 409

    assert status_of(behind) == Status.QUEUED
    assisting.take(first, anna)


def test_of_two_people_one_takes_it_and_nobody_else_settles_it(
    creator: Creator, conversation: Conversation, anna: User
) -> None:
    ben = make_user("ben")
    make_membership(ben, creator, role=Membership.Role.CHATTER)
    message = queue(conversation)
    stale = Message.objects.get(pk=message.pk)

    assisting.take(message, anna)

    with pytest.raises(NotNow):
        assisting.take(stale, ben)
    for what in ("take", "sent", "not_sent", "cancel"):
        assert act(ben, message, what).status_code == 409
    assert status_of(message) == Status.SENDING
    assert message.lease == anna.public_id


def test_the_law_of_the_bucket_holds_for_people_too(creator: Creator, anna: User) -> None:
    messages = [queue(make_conversation(creator)) for _number in range(3)]

    assisting.take(messages[0], anna)
    assisting.take(messages[1], anna)
    with pytest.raises(NotNow, match="seconds"):
        assisting.take(messages[2], anna)

    assert status_of(messages[2]) == Status.QUEUED
    line = Line.objects.select_related("creator").get(creator=creator)
    assert line.bucket_full_at
    assert gate.peek(line).free == 0


def test_without_redis_nobody_takes_anything(conversation: Conversation, anna: User, settings: Any) -> None:
    message = queue(conversation)
    settings.REDIS_ENDPOINT = "127.0.0.1:9"

    answer = act(anna, message, "take")

    assert answer.status_code == 409
    assert "rate limiter" in answer.content.decode()
    assert status_of(message) == Status.QUEUED


@pytest.mark.parametrize("how", ["stopped", "paused"])
def test_what_is_stopped_or_paused_is_not_taken(
    creator: Creator, conversation: Conversation, anna: User, how: str
) -> None:
    message = queue(conversation)
    if how == "stopped":
        Dispatch.stop_sending(reason="A drill", now=database_now())
    else:
        Line.objects.get(creator=creator).pause(reason="A drill", now=database_now())

    answer = act(anna, message, "take")

    assert answer.status_code == 409
    assert "A drill" in answer.content.decode()
    assert 'value="take"' not in page(anna)
    assert status_of(message) == Status.QUEUED


# --- What became of it


def test_what_was_not_sent_goes_back_to_the_front_or_is_cancelled(conversation: Conversation, anna: User) -> None:
    message, later = queue(conversation, "first"), queue(conversation, "second")
    assisting.take(message, anna)

    act(anna, message, "not_sent")

    assert status_of(message) == Status.QUEUED
    assert message.sending_at is None
    assert assisting.desks(anna)[0].next == message
    assisting.take(message, anna)
    act(anna, message, "cancel")
    assert status_of(message) == Status.CANCELLED
    assert assisting.desks(anna)[0].next == later


def test_who_never_says_leaves_an_open_outcome_for_a_person(conversation: Conversation, anna: User) -> None:
    message = queue(conversation)
    assisting.take(message, anna)
    long_ago = database_now() - timedelta(hours=1)
    Message.objects.filter(pk=message.pk).update(lease_until=long_ago, sending_at=long_ago)

    sweeping.recall_strays()

    assert status_of(message) == Status.UNKNOWN
    assert "by hand" in message.cause
    assert act(anna, message, "sent").status_code == 409
    for _reading in range(2):
        reconciling.reconcile(message.public_id)
        Message.objects.filter(pk=message.pk, absent_at__isnull=False).update(
            absent_at=database_now() - timedelta(minutes=5)
        )
    assert status_of(message) == Status.NEEDS_PERSON
    message.it_was_sent(by=anna)


def test_media_need_no_upload_and_stand_beside_the_text(conversation: Conversation, anna: User, basket: Basket) -> None:
    message = queue(conversation, price_cents=500, media_urls=[MEDIA])
    media.hand_over(basket.carry)
    basket.work(media.upload)
    message.refresh_from_db()

    assisting.take(message, anna)

    shown = page(anna)
    assert MEDIA in shown
    assert "$5" in shown


# --- Who may


def test_a_viewer_looks_on_and_a_stranger_sees_nothing(creator: Creator, conversation: Conversation) -> None:
    message = queue(conversation, "for nobody else")
    viewer, stranger = make_user("viewer"), make_user("stranger")
    make_membership(viewer, creator, role=Membership.Role.VIEWER)

    assert act(viewer, message, "take").status_code == 403
    assert act(stranger, message, "take").status_code == 404
    assert "for nobody else" in page(viewer)
    assert 'value="take"' not in page(viewer)
    assert creator.name not in page(stranger)
    assert 'href="/messages/assisted"' not in page(stranger).split("<main")[0]


def test_a_word_nobody_knows_does_nothing(conversation: Conversation, anna: User) -> None:
    message = queue(conversation)

    assert act(anna, message, "explode").status_code == 400
    assert status_of(message) == Status.QUEUED
