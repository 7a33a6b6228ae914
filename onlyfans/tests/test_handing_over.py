"""From the line to the queue, through the real gate."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Conversation, Creator, Dispatch, HoldCause, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message
from onlyfans import breaker, delivery, handing_over
from onlyfans.gate import bucket
from onlyfans.models import Connection
from onlyfans.queue import QueueUnavailable
from onlyfans.tests.conftest import Basket, RunningSimulator
from onlyfans.tests.delivering import dispatch_and_work, let_the_line_go, line_of, state_of

pytestmark = pytest.mark.django_db


def broken_queue(public_id: UUID) -> None:
    raise QueueUnavailable("SQS: connection refused")


class TestHandOver:
    def test_sends_a_waiting_message_once(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        message = conversation.queue(text="Hello & welcome <3\n🎉", author=None)

        dispatch_and_work(basket)

        assert state_of(message) == (Status.SENT, "")
        (accepted,) = simulator.ledger(account)
        assert accepted["message_id"] == message.platform_id
        assert accepted["chat"] == conversation.fan.platform_id
        assert accepted["text"] == message.text

    def test_gives_sqs_no_more_than_may_go_now(self, creator: Creator, basket: Basket) -> None:
        for number in range(5):
            make_conversation(creator).queue(text=f"{number}", author=None)

        handing_over.hand_over(basket.carry)
        handing_over.hand_over(basket.carry)

        assert len(basket.ids) == 1
        assert line_of(creator).hold_cause == HoldCause.HANDED_OVER

    def test_writes_the_time_of_the_next_token_as_soon_as_one_is_taken(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        conversation.queue(text="first", author=None)
        conversation.queue(text="second", author=None)

        dispatch_and_work(basket)

        line = line_of(conversation.creator)
        assert line.hold_cause == HoldCause.PACE
        assert line.hold_until is not None
        assert line.bucket_full_at is not None
        assert line.hold_until == line.bucket_full_at - delivery.SETS_OUT_EARLY
        wait = line.hold_until - database_now()
        assert timedelta(seconds=4) < wait <= timedelta(seconds=6.03)

    def test_a_message_sets_out_shortly_before_its_token_and_the_worker_waits_for_it(
        self,
        creator: Creator,
        basket: Basket,
        simulator: RunningSimulator,
        account: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(delivery, "SETS_OUT_EARLY", timedelta(seconds=2))
        Creator.objects.update(pace="60/60")
        messages = [make_conversation(creator).queue(text=f"{number}", author=None) for number in range(2)]
        dispatch_and_work(basket)

        dispatch_and_work(basket)

        assert [state_of(message)[0] for message in messages] == [Status.SENT, Status.SENT]
        first, second = (datetime.fromisoformat(entry["time"]) for entry in simulator.ledger(account))
        # A token comes once a second; the first message's way to the platform may have taken longer than the second's.
        assert second - first >= timedelta(seconds=0.5), "it waits, and never takes what is not there"

    def test_hands_the_front_message_over_first(self, creator: Creator, basket: Basket) -> None:
        make_conversation(creator).queue(text="campaign-like", author=None, priority=1)
        reply = make_conversation(creator).queue(text="a reply", author=None, priority=10)

        handing_over.hand_over(basket.carry)

        assert basket.ids == [reply.public_id]

    def test_hands_over_one_message_of_a_conversation_at_a_time(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        Creator.objects.update(pace="10/60:5")
        first = conversation.queue(text="first", author=None)
        conversation.queue(text="second", author=None)

        handing_over.hand_over(basket.carry)

        assert basket.ids == [first.public_id]

    def test_serves_every_creator_in_one_round(
        self, simulator: RunningSimulator, redis_server: Any, basket: Basket
    ) -> None:
        for number in range(3):
            creator = make_creator()
            Connection.objects.create(creator=creator, account_id=f"acct_round_{number}")
            for text in ("one", "two"):
                make_conversation(creator).queue(text=text, author=None)

        assert handing_over.hand_over(basket.carry) == 3

    def test_nothing_more_of_a_line_goes_while_one_of_its_calls_hangs(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        Creator.objects.update(pace="1000/60:100")
        hanging = make_message(
            make_conversation(conversation.creator),
            status=Status.SENDING,
            sending_at=database_now() - timedelta(seconds=3),
        )
        conversation.queue(text="waits", author=None)

        assert handing_over.hand_over(basket.carry) == 0
        assert line_of(conversation.creator).hold_cause == HoldCause.HANDED_OVER

        hanging.settle(Status.SENT, platform_id="1", sent_at=database_now())
        assert handing_over.hand_over(basket.carry) == 1, "it is back, so the line goes on at once"

    def test_one_line_never_fills_the_workers(self, creator: Creator, basket: Basket, settings: Settings) -> None:
        Creator.objects.update(pace="1000/60:100")
        settings.CELERY_WORKER_CONCURRENCY = 4
        make_message(make_conversation(creator), status=Status.SENDING, sending_at=database_now())
        for number in range(5):
            make_conversation(creator).queue(text=f"{number}", author=None)

        assert handing_over.hand_over(basket.carry) == 2

    def test_lines_whose_breaker_is_open_share_half_of_the_workers(
        self, conversation: Conversation, basket: Basket, settings: Settings
    ) -> None:
        settings.CELERY_WORKER_CONCURRENCY = 2
        conversation.queue(text="waits", author=None)
        other = make_message(status=Status.HANDED_OVER)
        Connection.objects.create(creator=other.creator, account_id="acct_other_open")
        Connection.objects.update(failures=breaker.OPEN_AFTER)

        assert handing_over.hand_over(basket.carry) == 0
        assert line_of(conversation.creator).hold_cause == HoldCause.UNREACHABLE

        other.settle(Status.FAILED)
        let_the_line_go(conversation.creator)
        assert handing_over.hand_over(basket.carry) == 1

    def test_two_dispatchers_never_let_the_second_message_of_a_conversation_overtake_the_first(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        first = conversation.queue(text="first", author=None)
        second = conversation.queue(text="second", author=None)
        line = Line.objects.select_related("creator__connection").get()
        as_seen_before = list(Message.objects.front(line.creator_id, database_now()))
        handing_over.hand_over(basket.carry)

        claimed = handing_over._claim(line, as_seen_before, 1, database_now())

        assert claimed == []
        assert state_of(first)[0] == Status.HANDED_OVER
        assert state_of(second)[0] == Status.QUEUED

    def test_a_hand_over_that_nobody_took_is_recalled_when_its_lease_ends_not_at_the_next_sweep(
        self, creator: Creator, basket: Basket
    ) -> None:
        lost = make_conversation(creator).queue(text="lost", author=None)
        make_conversation(creator).queue(text="behind it", author=None)
        handing_over.hand_over(basket.carry)
        Message.objects.filter(pk=lost.pk).update(lease_until=database_now() - timedelta(seconds=1))
        let_the_line_go(creator)

        handing_over.hand_over(basket.carry)
        let_the_line_go(creator)
        handing_over.hand_over(basket.carry)

        assert basket.ids == [lost.public_id, lost.public_id]

    def test_one_creators_unreadable_pace_does_not_stop_the_others(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        broken, fine = conversation.queue(text="broken", author=None), make_conversation().queue(text="ok", author=None)
        Connection.objects.create(creator=fine.creator, account_id="acct_beside_a_broken_one")
        Creator.objects.filter(pk=broken.creator_id).update(pace="nonsense")

        handing_over.hand_over(basket.carry)

        assert basket.ids == [fine.public_id]
        assert line_of(broken.creator).hold_cause == HoldCause.BROKEN

    def test_a_worker_that_takes_the_token_meanwhile_has_the_last_word(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        conversation.queue(text="in flight", author=None)
        make_conversation(conversation.creator).queue(text="waiting", author=None)
        handing_over.hand_over(basket.carry)
        let_the_line_go(conversation.creator)
        stale = Line.objects.select_related("creator__connection").get()
        basket.work(delivery.deliver)
        paced = line_of(conversation.creator).hold_until

        handing_over._wait_for_room(stale, database_now(), next_in=0.0)

        assert line_of(conversation.creator).hold_until == paced

    def test_forgets_a_line_with_nothing_to_send_and_wakes_for_the_next_message(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        conversation.queue(text="only", author=None)
        dispatch_and_work(basket)
        bucket().reset(f"rl:{{{conversation.creator.public_id}}}")
        Line.objects.update(hold_until=None, bucket_full_at=None)
        handing_over.hand_over(basket.carry)
        assert line_of(conversation.creator).wake_at is None

        tomorrow = database_now() + timedelta(days=1)
        conversation.queue(text="tomorrow", author=None, send_at=tomorrow)

        assert line_of(conversation.creator).wake_at == tomorrow

    def test_never_forgets_a_message_that_came_while_it_looked(
        self, conversation: Conversation, monkeypatch: pytest.MonkeyPatch, basket: Basket
    ) -> None:
        Line.objects.wake(conversation.creator_id, at=database_now())
        look = Message.objects.to_hand_over

        def an_insert_comes_after_the_look(*place: Any) -> list[Message]:
            seen = look(*place)
            conversation.queue(text="just now", author=None)
            return seen

        monkeypatch.setattr(Message.objects, "to_hand_over", an_insert_comes_after_the_look)

        handing_over.hand_over(basket.carry)

        assert line_of(conversation.creator).wake_at is not None

    def test_puts_back_what_sqs_did_not_take(self, conversation: Conversation, basket: Basket) -> None:
        message = conversation.queue(text="Hello!", author=None)

        with pytest.raises(QueueUnavailable):
            handing_over.hand_over(broken_queue)

        assert state_of(message) == (Status.QUEUED, "")
        assert message.hand_overs == 0
        dispatch_and_work(basket)
        assert state_of(message) == (Status.SENT, "")

    def test_hands_nothing_over_for_a_creator_without_a_connection(self, redis_server: Any, basket: Basket) -> None:
        message = make_conversation().queue(text="Hello!", author=None)

        handing_over.hand_over(basket.carry)

        assert basket.ids == []
        assert line_of(message.creator).hold_cause == HoldCause.NOT_CONNECTED

    def test_hands_nothing_over_while_all_sending_is_stopped(self, conversation: Conversation, basket: Basket) -> None:
        conversation.queue(text="Hello!", author=None)
        Dispatch.stop_sending(reason="fire", now=database_now())

        assert handing_over.hand_over(basket.carry) == 0

    def test_hands_nothing_over_for_a_paused_creator(self, conversation: Conversation, basket: Basket) -> None:
        conversation.queue(text="Hello!", author=None)
        line_of(conversation.creator).pause(reason="holiday", now=database_now())

        assert handing_over.hand_over(basket.carry) == 0

    def test_hands_nothing_over_while_redis_is_away(
        self, conversation: Conversation, basket: Basket, settings: Settings
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        settings.REDIS_ENDPOINT = "127.0.0.1:1"

        assert handing_over.hand_over(basket.carry) == 0

        assert state_of(message) == (Status.QUEUED, "")
        assert line_of(conversation.creator).hold_cause == HoldCause.GATE_DOWN

    def test_a_scheduled_message_waits_for_its_time(self, conversation: Conversation, basket: Basket) -> None:
        conversation.queue(text="later", author=None, send_at=database_now() + timedelta(hours=1))

        assert handing_over.hand_over(basket.carry) == 0
