"""What nobody has been heard of any more."""

from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.models import Conversation, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_message
from onlyfans import handing_over, sweeping
from onlyfans.tests.conftest import Basket
from onlyfans.tests.delivering import dispatch_and_work, let_the_line_go, line_of, state_of

pytestmark = pytest.mark.django_db


class TestRecallStrays:
    def test_a_hand_over_nobody_took_waits_again_and_the_next_lease_is_longer(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        handing_over.hand_over(basket.carry)
        message.refresh_from_db()
        first = message.lease_until - database_now()  # type: ignore[operator]
        Message.objects.update(lease_until=database_now() - timedelta(seconds=1))

        assert sweeping.recall_strays() == 1

        assert state_of(message) == (Status.QUEUED, "")
        assert message.attempts == 0
        let_the_line_go(conversation.creator)
        handing_over.hand_over(basket.carry)
        message.refresh_from_db()
        assert message.lease_until - database_now() > 1.9 * first  # type: ignore[operator]

    def test_a_worker_that_died_before_the_call_counts_as_an_attempt(self, conversation: Conversation) -> None:
        message = make_message(
            conversation, status=Status.HANDED_OVER, lease_until=database_now() - timedelta(seconds=1)
        )

        sweeping.recall_strays()

        assert state_of(message) == (Status.QUEUED, "")
        assert message.attempts == 1

    def test_the_fifth_dead_worker_makes_it_poison(self, conversation: Conversation) -> None:
        message = make_message(
            conversation, status=Status.HANDED_OVER, attempts=4, lease_until=database_now() - timedelta(seconds=1)
        )

        sweeping.recall_strays()

        assert state_of(message) == (Status.FAILED, "poison")

    def test_a_worker_that_died_during_the_call_leaves_an_unknown_outcome(self, conversation: Conversation) -> None:
        message = make_message(conversation, status=Status.SENDING, lease_until=database_now() - timedelta(seconds=1))

        sweeping.recall_strays()

        assert state_of(message) == (Status.UNKNOWN, "worker_lost")

    @pytest.mark.parametrize("status", [Status.HANDED_OVER, Status.SENDING])
    def test_a_lease_that_holds_is_left_alone(self, conversation: Conversation, status: Status) -> None:
        message = make_message(conversation, status=status)

        assert sweeping.recall_strays() == 0
        assert state_of(message)[0] == status


class TestRecomputeLines:
    def test_wakes_a_line_whose_wake_up_was_lost(self, conversation: Conversation, basket: Basket) -> None:
        message = conversation.queue(text="Hello!", author=None)
        Line.objects.update(wake_at=None)

        sweeping.recompute_lines()
        dispatch_and_work(basket)

        assert state_of(message)[0] == Status.SENT

    def test_leaves_a_line_alone_that_is_armed(self, conversation: Conversation) -> None:
        conversation.queue(text="tomorrow", author=None, send_at=database_now() + timedelta(days=1))
        before = line_of(conversation.creator).version

        sweeping.recompute_lines()

        assert line_of(conversation.creator).version == before
