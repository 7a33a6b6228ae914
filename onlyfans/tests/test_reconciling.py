"""Outcomes nobody answered, looked up in the simulated platform's chat."""

from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.models import Conversation, Dispatch, Message
from crm.models.messages import Status
from crm.tests.factories import make_message
from onlyfans import delivery, reconciling
from onlyfans.queue import QueueUnavailable
from onlyfans.tests.conftest import Basket, RunningSimulator

pytestmark = pytest.mark.django_db


def send_and_lose_the_answer(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, kind: str = "drop"
) -> Message:
    simulator.fault(kind, times=1, account=conversation.creator.connection.account_id)
    message = conversation.queue(text="Did it arrive? <b>&amp;</b>\nsecond line", author=None)
    delivery.hand_over(basket.carry)
    basket.work(delivery.deliver)
    message.refresh_from_db()
    assert message.status == Status.UNKNOWN
    return message


def test_a_message_found_in_the_chat_is_settled_as_sent(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, account: str
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)

    reconciling.reconcile(message.public_id)

    message.refresh_from_db()
    (accepted,) = simulator.ledger(account)
    assert (message.status, message.platform_id) == (Status.SENT, accepted["message_id"])
    assert message.cause_code == "reconciled"


def test_a_message_that_is_not_in_the_chat_stays_unknown_and_is_never_sent_again(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, account: str
) -> None:
    message = make_message(conversation, status=Status.UNKNOWN, sending_at=database_now())

    reconciling.reconcile(message.public_id)

    message.refresh_from_db()
    assert (message.status, message.reconciliations) == (Status.UNKNOWN, 1)
    assert simulator.ledger(account) == []


def test_two_entries_that_fit_settle_nothing(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    twin = make_message(conversation, status=Status.UNKNOWN, text=message.text, sending_at=database_now())

    for public_id in (message.public_id, twin.public_id):
        reconciling.reconcile(public_id)

    assert set(Message.objects.values_list("status", flat=True)) == {Status.UNKNOWN}


def test_an_entry_that_already_belongs_to_another_row_settles_nothing(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, account: str
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    (accepted,) = simulator.ledger(account)
    make_message(conversation, status=Status.SENT, text=message.text, platform_id=accepted["message_id"])

    reconciling.reconcile(message.public_id)

    message.refresh_from_db()
    assert message.status == Status.UNKNOWN


def test_a_chat_that_cannot_be_read_settles_nothing(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, settings: pytest.FixtureRequest
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    settings.OFAPI_BASE_URL = "http://127.0.0.1:1/api"  # type: ignore[attr-defined]

    reconciling.reconcile(message.public_id)

    message.refresh_from_db()
    assert message.status == Status.UNKNOWN


class TestHandOver:
    def test_takes_each_due_row_once_and_looks_again_ever_later(
        self, conversation: Conversation, basket: Basket
    ) -> None:
        now = database_now()
        message = make_message(conversation, status=Status.UNKNOWN, sending_at=now, reconcile_at=now, reconciliations=2)

        assert reconciling.hand_over(basket.carry) == 1
        assert reconciling.hand_over(basket.carry) == 0

        message.refresh_from_db()
        assert message.reconcile_at is not None
        assert timedelta(seconds=39) < message.reconcile_at - now <= timedelta(seconds=41)

    def test_puts_back_what_sqs_did_not_take(self, conversation: Conversation) -> None:
        now = database_now()
        message = make_message(conversation, status=Status.UNKNOWN, sending_at=now, reconcile_at=now)

        def refuse(public_id: object) -> None:
            raise QueueUnavailable("SQS: connection refused")

        with pytest.raises(QueueUnavailable):
            reconciling.hand_over(refuse)

        message.refresh_from_db()
        assert message.reconcile_at == now

    def test_reads_no_chat_after_a_stop_or_a_pause_that_came_since(
        self, conversation: Conversation, simulator: RunningSimulator, basket: Basket
    ) -> None:
        message = send_and_lose_the_answer(conversation, simulator, basket)
        conversation.creator.line.pause(reason="holiday", now=database_now())

        reconciling.reconcile(message.public_id)

        message.refresh_from_db()
        assert (message.status, message.reconciliations) == (Status.UNKNOWN, 0)
        Message.objects.update(reconcile_at=database_now())
        assert reconciling.hand_over(basket.carry) == 0

    def test_calls_no_gateway_while_all_sending_is_stopped(self, conversation: Conversation, basket: Basket) -> None:
        now = database_now()
        make_message(conversation, status=Status.UNKNOWN, sending_at=now, reconcile_at=now)
        Dispatch.stop_sending(reason="fire", now=now)

        assert reconciling.hand_over(basket.carry) == 0
