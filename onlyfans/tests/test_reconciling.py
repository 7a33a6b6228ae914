"""Outcomes nobody answered, looked up in the simulated platform's chat."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F

from crm.clock import database_now
from crm.models import Conversation, Dispatch, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_message
from onlyfans import delivery, handing_over, reconciling
from onlyfans.gateway import Chat, Parcel, http
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.queue import QueueUnavailable
from onlyfans.tests.conftest import Basket, RunningSimulator

pytestmark = pytest.mark.django_db


def send_and_lose_the_answer(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, kind: str = "drop"
) -> Message:
    simulator.fault(kind, times=1, account=conversation.creator.connection.account_id)
    message = conversation.queue(text="Did it arrive? <b>&amp;</b>\nsecond line", author=None)
    handing_over.hand_over(basket.carry)
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


def make_overdue(conversation: Conversation, **values: Any) -> Message:
    """Unknown for long enough that a reading counts which does not find it."""
    return make_message(
        conversation, status=Status.UNKNOWN, sending_at=database_now() - timedelta(seconds=181), **values
    )


def read(message: Message) -> tuple[str, str]:
    reconciling.reconcile(message.public_id)
    message.refresh_from_db()
    return message.status, message.cause_code


def a_minute_passes(message: Message) -> None:
    Message.objects.filter(pk=message.pk).update(absent_at=F("absent_at") - timedelta(seconds=60))


def stop_all(_conversation: Conversation) -> None:
    Dispatch.stop_sending(reason="fire", now=database_now())


def pause_creator(conversation: Conversation) -> None:
    conversation.creator.line.pause(reason="holiday", now=database_now())


def test_two_complete_readings_a_minute_apart_that_do_not_find_it_leave_it_to_a_person(
    conversation: Conversation, simulator: RunningSimulator, account: str
) -> None:
    message = make_overdue(conversation)

    assert read(message) == (Status.UNKNOWN, "")
    assert message.absent_at
    assert message.reconcile_at == message.absent_at + timedelta(seconds=60)
    assert read(message) == (Status.UNKNOWN, ""), "too soon after the first"
    a_minute_passes(message)

    assert read(message) == (Status.NEEDS_PERSON, "not_in_chat")
    assert message.cause
    assert not Message.objects.filter(reconcile_at__isnull=False).exists()
    assert simulator.ledger(account) == []


def test_a_reading_too_soon_after_the_call_counts_for_nothing(conversation: Conversation) -> None:
    message = make_message(conversation, status=Status.UNKNOWN, sending_at=database_now() - timedelta(seconds=170))

    assert read(message) == (Status.UNKNOWN, "")
    assert message.absent_at is None


def test_a_chat_that_was_not_read_to_its_end_counts_for_nothing(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = make_overdue(conversation)
    monkeypatch.setattr(OfapiGateway, "read_chat", lambda *_args, **_since: Chat(messages=(), complete=False))

    assert read(message) == (Status.UNKNOWN, "")
    assert message.absent_at is None


def test_a_message_that_appears_after_the_first_reading_is_settled(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    hour = timedelta(hours=1)
    Message.objects.update(sending_at=F("sending_at") - hour, absent_at=database_now() - hour)

    assert read(message) == (Status.SENT, "reconciled")


def test_several_entries_that_can_be_it_leave_it_to_a_person_at_once(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, gateway: OfapiGateway
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    gateway.send(Parcel(chat_id=conversation.fan.platform_id, text=message.text, price_cents=0))

    assert read(message) == (Status.NEEDS_PERSON, "several_candidates")


def test_one_entry_for_two_of_our_messages_is_left_to_a_person(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    make_overdue(conversation, text=message.text)
    Message.objects.filter(pk=message.pk).update(sending_at=F("sending_at") - timedelta(minutes=5))

    assert read(message) == (Status.UNKNOWN, "unknown_outcome")
    a_minute_passes(message)

    assert read(message) == (Status.NEEDS_PERSON, "alike")


def test_a_session_that_is_lost_while_reading_pauses_the_creator(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, account: str
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    simulator.fault("session_lost", times=1, account=account)

    assert read(message)[0] == Status.UNKNOWN
    assert Line.objects.get().paused_at


def test_a_platform_that_asks_to_wait_is_read_again_then(
    conversation: Conversation, simulator: RunningSimulator, basket: Basket, account: str
) -> None:
    message = send_and_lose_the_answer(conversation, simulator, basket)
    simulator.fault("throttle", on="read", times=1, account=account, seconds=40)
    now = database_now()

    assert read(message)[0] == Status.UNKNOWN
    assert message.reconcile_at is not None
    assert message.reconcile_at > now + timedelta(seconds=2)


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


@pytest.mark.parametrize("stop", [stop_all, pause_creator])
def test_a_chat_of_several_pages_is_read_no_further_after_a_stop(
    conversation: Conversation,
    simulator: RunningSimulator,
    account: str,
    monkeypatch: pytest.MonkeyPatch,
    stop: Callable[[Conversation], None],
) -> None:
    message = make_overdue(conversation)
    for _message in range(20):
        simulator.fan_writes(account, conversation.fan.platform_id, silent=True)
    paths = []

    def stop_and_answer(method: str, path: str, **wishes: Any) -> http.Reply:
        stop(conversation)
        paths.append(path)
        return ask(method, path, **wishes)

    ask = http.call
    monkeypatch.setattr(http, "call", stop_and_answer)

    assert read(message) == (Status.UNKNOWN, "")
    assert len(paths) == 1
    assert message.absent_at is None, "a reading that was broken off counts for nothing"


class TestHandOver:
    def test_is_in_time_for_the_two_readings_that_count(self, conversation: Conversation) -> None:
        now = database_now()
        waiting = make_message(
            conversation, status=Status.UNKNOWN, sending_at=now - timedelta(seconds=153), reconciliations=5
        )
        absent = make_message(
            conversation,
            status=Status.UNKNOWN,
            sending_at=now - timedelta(minutes=9),
            absent_at=now - timedelta(seconds=1),
            reconciliations=9,
        )

        assert reconciling._next_look(waiting, now) == now + timedelta(seconds=27)
        assert reconciling._next_look(absent, now) == now + timedelta(seconds=59)

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
