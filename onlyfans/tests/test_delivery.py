"""Delivery through the real gate and the real gateway. What the platform accepted is read from its own ledger."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import redis
from django.db.models import F
from pytest_django import Settings

from crm.clock import database_now
from crm.keyring import new_key
from crm.models import Campaign, Conversation, Creator, Dispatch, HoldCause, Line, Message
from crm.models.campaigns import CampaignStatus
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_message
from onlyfans import breaker, delivery, handing_over, sweeping
from onlyfans.gateway import Outcome, Rejected, SessionLost, Throttled, Unknown, Unreachable
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.models import Connection
from onlyfans.tests.conftest import Basket, RunningSimulator
from onlyfans.tests.delivering import dispatch_and_work, let_the_line_go, line_of, poll, state_of

pytestmark = pytest.mark.django_db


class TestDeliver:
    def test_a_second_copy_from_sqs_sends_nothing(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        conversation.queue(text="once", author=None)
        handing_over.hand_over(basket.carry)
        basket.ids *= 5

        basket.work(delivery.deliver)

        assert len(simulator.ledger(account)) == 1

    def test_an_id_nobody_knows_is_nothing_to_deliver(self) -> None:
        delivery.deliver(UUID(int=0))

    def test_without_a_token_the_message_and_its_line_wait(
        self, creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        first = make_conversation(creator).queue(text="first", author=None)
        second = make_conversation(creator).queue(text="second", author=None)
        dispatch_and_work(basket)
        second.refresh_from_db()
        second.hand_over(until=database_now() + timedelta(seconds=30))

        delivery.deliver(second.public_id)

        assert state_of(first)[0] == Status.SENT
        assert state_of(second) == (Status.QUEUED, "")
        assert line_of(creator).hold_until > database_now()  # type: ignore[operator]
        assert len(simulator.ledger(account)) == 1

    def test_sends_nothing_when_redis_went_away_after_the_hand_over(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str, settings: Settings
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        handing_over.hand_over(basket.carry)
        settings.REDIS_ENDPOINT = "127.0.0.1:1"

        basket.work(delivery.deliver)

        assert state_of(message) == (Status.QUEUED, "")
        assert simulator.ledger(account) == []

    @pytest.mark.parametrize("stop", ["pause", "kill switch", "lease lost"])
    def test_sends_nothing_after_a_stop_and_gives_the_token_back(
        self, stop: str, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        handing_over.hand_over(basket.carry)
        now = database_now()
        match stop:
            case "pause":
                line_of(conversation.creator).pause(reason="holiday", now=now)
            case "kill switch":
                Dispatch.stop_sending(reason="fire", now=now)
            case "lease lost":
                delivery.WORKER_LEASE, kept = timedelta(seconds=-1), delivery.WORKER_LEASE

        basket.work(delivery.deliver)

        if stop == "lease lost":
            delivery.WORKER_LEASE = kept
        assert state_of(message) == (Status.QUEUED, "")
        assert simulator.ledger(account) == []
        line_of(conversation.creator).resume(now=now)
        Dispatch.resume_sending()
        dispatch_and_work(basket)
        assert state_of(message) == (Status.SENT, "")

    def test_a_token_of_long_ago_sends_nothing(
        self,
        conversation: Conversation,
        basket: Basket,
        simulator: RunningSimulator,
        account: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        handing_over.hand_over(basket.carry)
        monkeypatch.setattr(delivery, "TOKEN_GOOD_FOR_SECONDS", 0.0)

        basket.work(delivery.deliver)

        assert state_of(message) == (Status.QUEUED, "")
        assert message.sending_at is None
        assert simulator.ledger(account) == []
        monkeypatch.undo()
        poll(lambda: dispatch_and_work(basket), until=lambda: state_of(message) == (Status.SENT, ""))

    def test_a_key_that_cannot_be_opened_holds_the_line_and_nothing_is_unknown(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str, settings: Settings
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        keyring, settings.HUNTAZE_KEYRING = settings.HUNTAZE_KEYRING, new_key()

        dispatch_and_work(basket)

        assert state_of(message) == (Status.QUEUED, "not_connected")
        assert "HUNTAZE_KEYRING" in message.cause
        assert line_of(conversation.creator).hold_cause == HoldCause.NOT_CONNECTED
        settings.HUNTAZE_KEYRING = keyring
        let_the_line_go(conversation.creator)
        dispatch_and_work(basket)
        assert state_of(message) == (Status.SENT, "")

    def test_a_cancelled_message_is_not_sent(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        handing_over.hand_over(basket.carry)
        message.refresh_from_db()
        assert message.settle(Status.CANCELLED)

        basket.work(delivery.deliver)

        assert state_of(message)[0] == Status.CANCELLED
        assert simulator.ledger(account) == []


class TestTheSixAnswers:
    def test_a_rejected_message_fails_with_the_platforms_words(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator
    ) -> None:
        message = make_message(conversation, price_cents=500)
        Line.objects.wake(message.creator_id, at=database_now())

        dispatch_and_work(basket)

        assert state_of(message)[0] == Status.FAILED
        assert message.cause
        assert message.lease is None

    def test_a_throttled_message_waits_as_long_as_the_platform_asked(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        simulator.fault("throttle", times=1, account=account)
        message = conversation.queue(text="Hello!", author=None)

        dispatch_and_work(basket)

        assert state_of(message) == (Status.QUEUED, "throttled")
        assert message.attempts == 0
        assert line_of(conversation.creator).hold_cause == HoldCause.THROTTLED
        let_the_line_go(conversation.creator)
        assert handing_over.hand_over(basket.carry) == 0, "the bucket remembers the hold as well"

    def test_a_lost_session_pauses_the_creator_and_fails_nothing(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        connection = conversation.creator.connection
        connection.api_key = "revoked"
        connection.save()
        message = conversation.queue(text="Hello!", author=None)

        dispatch_and_work(basket)

        assert state_of(message)[0] == Status.QUEUED
        line = line_of(conversation.creator)
        assert line.paused_at
        assert "lost" in line.paused_reason
        connection.refresh_from_db()
        assert connection.state == Connection.State.SESSION_LOST

    def test_an_unreachable_platform_costs_neither_token_nor_attempt(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, settings: Settings
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        settings.OFAPI_BASE_URL = "http://127.0.0.1:1/api"

        for failures, wait in ((1, 1), (2, 2), (3, 4), (4, 1)):
            # What of the token flowed back by itself is not refunded: a few milliseconds are still owed.
            poll(lambda: dispatch_and_work(basket), until=Connection.objects.filter(failures=failures).exists)
            assert state_of(message) == (Status.QUEUED, "unreachable")
            line = line_of(conversation.creator)
            assert line.hold_cause == HoldCause.UNREACHABLE
            assert line.hold_until - database_now() > timedelta(seconds=wait - 0.9)  # type: ignore[operator]
            let_the_line_go(conversation.creator)

        settings.OFAPI_BASE_URL = simulator.url
        poll(lambda: dispatch_and_work(basket), until=lambda: state_of(message) == (Status.SENT, ""))
        assert Connection.objects.get().failures == 0

    def test_an_unknown_outcome_is_never_sent_again(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        simulator.fault("drop", times=1, account=account)
        message = conversation.queue(text="Hello!", author=None)

        for _round in range(3):
            dispatch_and_work(basket)
            let_the_line_go(conversation.creator)
            sweeping.recall_strays()
            sweeping.recompute_lines()

        assert state_of(message) == (Status.UNKNOWN, "unknown_outcome")
        assert len(simulator.ledger(account)) == 1
        assert message.reconcile_at is not None

    def test_an_unknown_outcome_holds_the_rest_of_its_conversation_only(
        self, conversation: Conversation, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        Creator.objects.update(pace="100000/60:100")
        simulator.fault("drop", times=1, account=account)
        conversation.queue(text="unknown", author=None)
        dispatch_and_work(basket)
        held = conversation.queue(text="held", author=None)
        free = make_conversation(conversation.creator).queue(text="free", author=None)

        dispatch_and_work(basket)

        assert state_of(held)[0] == Status.QUEUED
        assert state_of(free)[0] == Status.SENT

    def test_a_platform_that_loses_answer_after_answer_is_asked_something_harmless_first(
        self, creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        Creator.objects.update(pace="100000/60:100")
        lost = [make_conversation(creator).queue(text=f"{number}", author=None) for number in range(3)]
        simulator.fault("error_before", times=None, account=account)
        simulator.fault("error_before", on="read", times=None)

        for _round in range(4):
            dispatch_and_work(basket)
            let_the_line_go(creator)

        assert [state_of(message)[0] for message in lost] == [Status.UNKNOWN, Status.UNKNOWN, Status.QUEUED]
        assert lost[2].cause_code == "unreachable"
        simulator.clear()
        dispatch_and_work(basket)
        assert state_of(lost[2])[0] == Status.SENT
        assert Connection.objects.get().failures == 0

    @pytest.mark.parametrize("stop", ["pause", "kill switch"])
    def test_nothing_is_asked_after_a_stop(
        self, stop: str, conversation: Conversation, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        Connection.objects.update(failures=breaker.OPEN_AFTER)
        handing_over.hand_over(basket.carry)
        if stop == "pause":
            line_of(conversation.creator).pause(reason="holiday", now=database_now())
        else:
            Dispatch.stop_sending(reason="fire", now=database_now())
        monkeypatch.setattr(OfapiGateway, "ping", lambda _gateway: pytest.fail("It was asked."))

        basket.work(delivery.deliver)

        assert state_of(message)[0] == Status.QUEUED

    @pytest.mark.parametrize("read_in_vain", [False, True])
    @pytest.mark.parametrize(
        ("outcome", "status", "code"),
        [
            (Rejected("http_422", "No."), Status.FAILED, "http_422"),
            (Throttled(3.0, "Slow down."), Status.QUEUED, "throttled"),
            (SessionLost("SESSION_EXPIRED", "Gone."), Status.QUEUED, "SESSION_EXPIRED"),
            (Unreachable("No route."), Status.QUEUED, "unreachable"),
            (Unknown("Timeout."), Status.UNKNOWN, "worker_lost"),
        ],
    )
    def test_any_answer_after_the_sweep_gave_up_still_counts(
        self,
        conversation: Conversation,
        basket: Basket,
        monkeypatch: pytest.MonkeyPatch,
        outcome: Outcome,
        status: Status,
        code: str,
        read_in_vain: bool,
    ) -> None:
        message = conversation.queue(text="slow", author=None)
        handing_over.hand_over(basket.carry)

        def answer_late(*_args: Any) -> Outcome:
            Message.objects.update(lease_until=database_now() - timedelta(seconds=1))
            sweeping.recall_strays()
            if read_in_vain and not isinstance(outcome, Unknown):
                Message.objects.get().settle(Status.NEEDS_PERSON)
            return outcome

        monkeypatch.setattr(OfapiGateway, "send", answer_late)

        basket.work(delivery.deliver)

        assert state_of(message) == (status, code)
        assert message.reconcile_at is None or status == Status.UNKNOWN

    def test_an_answer_after_a_person_has_decided_comes_too_late(
        self, conversation: Conversation, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = conversation.queue(text="slow", author=None)
        handing_over.hand_over(basket.carry)

        def answer_late(*_args: Any) -> Outcome:
            Message.objects.update(lease_until=database_now() - timedelta(seconds=1))
            sweeping.recall_strays()
            Message.objects.get().retry(by=None, not_sent=True)
            return Rejected("http_422", "No.")

        monkeypatch.setattr(OfapiGateway, "send", answer_late)

        basket.work(delivery.deliver)

        assert state_of(message) == (Status.QUEUED, "")

    def test_an_answer_after_the_sweep_gave_up_still_counts(
        self, conversation: Conversation, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        message = conversation.queue(text="slow", author=None)
        handing_over.hand_over(basket.carry)
        settle = delivery.settle

        def settle_late(*args: Any) -> None:
            Message.objects.update(lease_until=database_now() - timedelta(seconds=1))
            sweeping.recall_strays()
            assert Message.objects.get().status == Status.UNKNOWN
            settle(*args)

        monkeypatch.setattr(delivery, "settle", settle_late)

        basket.work(delivery.deliver)

        assert state_of(message)[0] == Status.SENT


class TestCampaigns:
    @pytest.fixture
    def campaign(self, creator: Creator) -> Campaign:
        return Campaign.objects.create(creator=creator, name="Offer", text="An offer", status=Campaign.Status.RUNNING)

    def make_row(self, campaign: Campaign, conversation: Conversation | None = None, **values: Any) -> Message:
        conversation = conversation or make_conversation(campaign.creator)
        row = make_message(conversation, campaign=campaign, priority=Campaign.PRIORITY, **values)
        Line.objects.wake(campaign.creator_id, at=database_now())
        return row

    def test_a_reply_passes_the_campaigns_message_to_the_same_fan(self, campaign: Campaign, basket: Basket) -> None:
        row = self.make_row(campaign, waits_for_media=True)
        reply = row.conversation.queue(text="a reply", author=None)

        handing_over.hand_over(basket.carry)

        assert basket.ids == [reply.public_id]
        row.refresh_from_db()
        assert row.priority == Campaign.PRIORITY

    def test_its_unknown_outcome_holds_no_reply(self, campaign: Campaign, basket: Basket) -> None:
        row = self.make_row(campaign, status=Status.UNKNOWN, sending_at=database_now() - timedelta(seconds=10))
        reply = row.conversation.queue(text="a reply", author=None)

        handing_over.hand_over(basket.carry)

        assert basket.ids == [reply.public_id]

    @pytest.mark.parametrize("status", [Campaign.Status.PAUSED, Campaign.Status.CANCELLED])
    def test_nothing_of_it_is_handed_over_while_it_is_held_and_the_line_sleeps(
        self, status: CampaignStatus, campaign: Campaign, basket: Basket
    ) -> None:
        self.make_row(campaign)
        Campaign.objects.update(status=status)

        assert handing_over.hand_over(basket.carry) == 0
        assert line_of(campaign.creator).wake_at is None
        sweeping.recompute_lines()
        assert handing_over.hand_over(basket.carry) == 0

    @pytest.mark.parametrize("status", [Campaign.Status.PAUSED, Campaign.Status.CANCELLED])
    def test_no_call_begins_after_it_was_stopped(
        self, status: CampaignStatus, campaign: Campaign, basket: Basket, simulator: RunningSimulator, account: str
    ) -> None:
        row = self.make_row(campaign)
        assert handing_over.hand_over(basket.carry) == 1
        Campaign.objects.update(status=status)

        basket.work(delivery.deliver)

        assert state_of(row)[0] == Status.QUEUED
        assert simulator.ledger(account) == []

    def test_a_running_one_goes(self, campaign: Campaign, basket: Basket) -> None:
        row = self.make_row(campaign)

        dispatch_and_work(basket)

        assert state_of(row)[0] == Status.SENT


class TestLostBucket:
    def test_is_rebuilt_from_the_ledger(
        self, creator: Creator, basket: Basket, redis_server: redis.Redis, simulator: RunningSimulator, account: str
    ) -> None:
        make_conversation(creator).queue(text="first", author=None)
        make_conversation(creator).queue(text="second", author=None)
        dispatch_and_work(basket)

        redis_server.flushall()
        let_the_line_go(creator)
        dispatch_and_work(basket)

        assert len(simulator.ledger(account)) == 1
        assert line_of(creator).hold_until > database_now() + timedelta(seconds=3)  # type: ignore[operator]

    def test_is_a_full_one_once_its_time_has_passed(
        self, creator: Creator, basket: Basket, redis_server: redis.Redis, simulator: RunningSimulator, account: str
    ) -> None:
        make_conversation(creator).queue(text="first", author=None)
        make_conversation(creator).queue(text="second", author=None)
        dispatch_and_work(basket)

        redis_server.flushall()
        Line.objects.update(hold_until=None, bucket_full_at=database_now() - timedelta(seconds=1))
        Message.objects.update(sending_at=F("sending_at") - timedelta(minutes=1))
        dispatch_and_work(basket)

        assert len(simulator.ledger(account)) == 2


class TestWithoutTheRateLimiter:
    def test_messages_are_written_to_the_log_and_say_so(
        self, basket: Basket, settings: Settings, simulator: RunningSimulator
    ) -> None:
        settings.RATE_LIMITER_ENABLED = False
        message = make_conversation().queue(text="Hello!", author=None)

        dispatch_and_work(basket)

        assert state_of(message) == (Status.SENT, "logged")
        assert message.cause == "Written to the log, not sent."
