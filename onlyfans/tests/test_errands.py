"""One errand of a creator at a time, so that a provider that hangs keeps one worker busy, not all."""

from datetime import timedelta
from uuid import UUID

import pytest

from crm.clock import database_now
from crm.models import Conversation, Creator, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_message
from onlyfans import reconciling
from onlyfans.queue import QueueUnavailable
from onlyfans.tests.conftest import Basket

pytestmark = pytest.mark.django_db


def make_unknown(conversation: Conversation) -> Message:
    now = database_now()
    return make_message(conversation, status=Status.UNKNOWN, sending_at=now, reconcile_at=now)


def test_each_creator_has_one_at_a_time_and_the_next_when_it_is_done(creator: Creator, basket: Basket) -> None:
    first, second = make_unknown(make_conversation(creator)), make_unknown(make_conversation(creator))
    elsewhere = make_unknown(make_conversation())

    assert reconciling.hand_over(basket.carry) == 2
    assert reconciling.hand_over(basket.carry) == 0
    assert basket.ids == [first.public_id, elsewhere.public_id]

    Line.objects.end_errand(creator.pk)
    assert reconciling.hand_over(basket.carry) == 1
    assert basket.ids[-1] == second.public_id


def test_a_worker_ends_its_errand_whatever_it_found(conversation: Conversation) -> None:
    message = make_message(conversation, status=Status.SENT)
    Line.objects.update(errand_until=database_now() + timedelta(minutes=1))

    reconciling.reconcile(message.public_id)

    assert Line.objects.get(creator=conversation.creator).errand_until is None


def test_an_errand_whose_worker_died_is_over_after_its_lease(creator: Creator, basket: Basket) -> None:
    make_unknown(make_conversation(creator))
    Line.objects.update(errand_until=database_now() - timedelta(seconds=1))

    assert reconciling.hand_over(basket.carry) == 1


def test_what_the_queue_does_not_take_is_no_errand(conversation: Conversation, basket: Basket) -> None:
    make_unknown(conversation)

    def refuse(_public_id: UUID) -> None:
        raise QueueUnavailable("refused")

    with pytest.raises(QueueUnavailable):
        reconciling.hand_over(refuse)

    assert reconciling.hand_over(basket.carry) == 1
