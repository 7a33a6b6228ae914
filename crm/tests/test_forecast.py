"""When a waiting message goes and why it waits: every reason, the arithmetic, and what it costs to ask."""

from datetime import datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from crm.clock import database_now
from crm.forecast import Forecast, forecast, forecasts
from crm.models import Conversation, Creator, Dispatch, HoldCause, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message

pytestmark = pytest.mark.django_db

#: One message every six seconds, and the margin.
INTERVAL = timedelta(seconds=6.03)


@pytest.fixture
def now() -> datetime:
    """Whenever it is, dispatch has just been heard of."""
    now = database_now()
    Dispatch.note(heartbeat_at=now)
    return now


@pytest.fixture
def creator() -> Creator:
    return make_creator(pace="10/60")


@pytest.fixture
def conversation(creator: Creator) -> Conversation:
    return make_conversation(creator)


def hold(message: Message, until: datetime, cause: HoldCause) -> None:
    Line.objects.hold(message.creator_id, until=until, cause=cause)


def expected(message: Message, now: datetime) -> Forecast:
    answer = forecast(message, now=now)
    assert answer
    return answer


class TestWhetherItWaits:
    @pytest.mark.parametrize(
        "status",
        [
            Status.RECEIVED,
            Status.SENT,
            Status.DELIVERED,
            Status.READ,
            Status.FAILED,
            Status.UNKNOWN,
            Status.NEEDS_PERSON,
            Status.CANCELLED,
        ],
    )
    def test_what_does_not_wait_has_no_forecast(self, status: Status, now: datetime) -> None:
        assert forecast(make_message(status=status), now=now) is None

    @pytest.mark.parametrize("status", [Status.HANDED_OVER, Status.SENDING])
    def test_what_is_in_flight_goes_now_whatever_else_is_wrong(self, status: Status, now: datetime) -> None:
        Dispatch.stop_sending(reason="Holidays.", now=now)

        answer = expected(make_message(status=status), now)

        assert (answer.at, answer.reason) == (now, "now")


class TestObstacles:
    """Each is the first of its kind in a world where everything below it is wrong too."""

    def test_all_sending_is_stopped(self, now: datetime) -> None:
        message = make_message()
        Dispatch.stop_sending(reason="Holidays.", now=now)
        Line.objects.get().pause(reason="Ill.", now=now)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (None, "stopped")
        assert "Holidays." in answer.words

    def test_the_creator_is_paused(self, now: datetime) -> None:
        message = make_message(due_at=now + timedelta(hours=1))
        Line.objects.get().pause(reason="Ill.", now=now)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (None, "paused")
        assert "Ill." in answer.words

    def test_it_is_scheduled(self, now: datetime) -> None:
        Dispatch.note(heartbeat_at=None)
        message = make_message(send_at=now + timedelta(hours=1))

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (now + timedelta(hours=1), "scheduled")

    @pytest.mark.parametrize("heard_of", [None, Dispatch.SILENT_AFTER + timedelta(seconds=1)])
    def test_dispatch_does_not_run(self, heard_of: timedelta | None, now: datetime) -> None:
        Dispatch.note(heartbeat_at=heard_of and now - heard_of, queue_trouble="refused")

        answer = expected(make_message(due_at=now), now)

        assert (answer.at, answer.reason) == (None, "dispatch_silent")

    def test_the_queue_is_down(self, now: datetime) -> None:
        Dispatch.note(queue_trouble="refused", gate_trouble="refused")

        answer = expected(make_message(due_at=now), now)

        assert (answer.at, answer.reason) == (None, "queue_down")

    def test_the_gate_is_down_as_dispatch_sees_it(self, now: datetime) -> None:
        Dispatch.note(gate_trouble="refused")

        answer = expected(make_message(due_at=now, waits_for_media=True), now)

        assert (answer.at, answer.reason) == (None, "gate_down")

    @pytest.mark.parametrize(
        ("cause", "reason"), [(HoldCause.GATE_DOWN, "gate_down"), (HoldCause.NOT_CONNECTED, "not_connected")]
    )
    def test_its_line_is_held_and_nobody_knows_how_long(self, cause: HoldCause, reason: str, now: datetime) -> None:
        message = make_message(due_at=now)
        # Dispatch is about to look again and to renew the hold.
        hold(message, until=now - timedelta(seconds=1), cause=cause)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (None, reason)

    @pytest.mark.parametrize("cause", [HoldCause.GATE_DOWN, HoldCause.NOT_CONNECTED])
    def test_a_hold_that_was_not_renewed_is_over(self, cause: HoldCause, now: datetime) -> None:
        message = make_message(due_at=now)
        hold(message, until=now - timedelta(minutes=1), cause=cause)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (now, "next")

    def test_its_media_is_on_the_way(self, now: datetime) -> None:
        message = make_message(due_at=now, waits_for_media=True)
        hold(message, until=now + timedelta(seconds=5), cause=HoldCause.NOT_CONNECTED)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (None, "media")


class TestPace:
    def test_the_front_of_an_idle_line_goes_next(self, now: datetime) -> None:
        answer = expected(make_message(due_at=now), now)

        assert (answer.at, answer.reason) == (now, "next")

    def test_the_front_goes_when_the_next_token_is_there(self, now: datetime) -> None:
        message = make_message(due_at=now)
        hold(message, until=now + timedelta(seconds=4), cause=HoldCause.PACE)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (now + timedelta(seconds=4), "pace")

    def test_each_message_ahead_costs_one_interval_after_the_hold(
        self, conversation: Conversation, now: datetime
    ) -> None:
        messages = [make_message(conversation, send_at=now) for _number in range(4)]
        hold(messages[0], until=now + timedelta(seconds=4), cause=HoldCause.PACE)

        times = [expected(message, now).at for message in messages]

        assert times == [now + timedelta(seconds=4) + ahead * INTERVAL for ahead in range(4)]

    def test_a_higher_priority_is_ahead_and_a_lower_one_is_not(self, conversation: Conversation, now: datetime) -> None:
        message = make_message(conversation, send_at=now, priority=5)
        make_message(conversation, send_at=now, priority=10)
        make_message(conversation, send_at=now - timedelta(hours=1), priority=1)

        assert expected(message, now).at == now + INTERVAL

    def test_what_is_not_due_yet_is_not_ahead(self, conversation: Conversation, now: datetime) -> None:
        message = make_message(conversation, send_at=now, priority=5)
        make_message(conversation, send_at=now + timedelta(hours=1), priority=10)

        assert expected(message, now).reason == "next"

    def test_another_creators_messages_are_not_ahead(self, conversation: Conversation, now: datetime) -> None:
        message = make_message(conversation, send_at=now)
        make_message(send_at=now - timedelta(hours=1))
        make_message(send_at=now - timedelta(hours=1), status=Status.HANDED_OVER)

        assert expected(message, now).reason == "next"

    def test_a_message_with_a_worker_costs_one_interval(self, conversation: Conversation, now: datetime) -> None:
        message = make_message(conversation, send_at=now)
        make_message(conversation, send_at=now, status=Status.HANDED_OVER)
        # The lease of the hand-over is how long dispatch waits for the worker, not when the next one goes.
        hold(message, until=now + timedelta(seconds=30), cause=HoldCause.HANDED_OVER)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (now + INTERVAL, "pace")

    def test_the_slowest_allowance_decides(self, creator: Creator, conversation: Conversation, now: datetime) -> None:
        Creator.objects.filter(pk=creator.pk).update(pace="10/60, 4/3600")
        make_message(conversation, send_at=now)
        message = make_message(conversation, send_at=now)

        assert expected(message, now).at == now + timedelta(seconds=1200)

    @pytest.mark.parametrize(
        ("cause", "reason"), [(HoldCause.THROTTLED, "throttled"), (HoldCause.UNREACHABLE, "unreachable")]
    )
    def test_the_platform_makes_the_line_wait(self, cause: HoldCause, reason: str, now: datetime) -> None:
        message = make_message(due_at=now)
        hold(message, until=now + timedelta(seconds=40), cause=cause)

        answer = expected(message, now)

        assert (answer.at, answer.reason) == (now + timedelta(seconds=40), reason)

    @pytest.mark.parametrize("cause", [HoldCause.THROTTLED, HoldCause.UNREACHABLE])
    def test_the_platform_made_the_line_wait_and_that_is_over(self, cause: HoldCause, now: datetime) -> None:
        message = make_message(due_at=now)
        hold(message, until=now - timedelta(seconds=1), cause=cause)

        assert expected(message, now).reason == "next"


def test_an_unknown_outcome_before_it_is_named_with_its_end(conversation: Conversation, now: datetime) -> None:
    make_message(conversation, status=Status.UNKNOWN, sending_at=now)
    message = make_message(conversation, due_at=now)

    answer = forecast(message, now=now)

    assert answer
    assert (answer.reason, answer.at) == ("blocked", now + timedelta(minutes=15))


class TestManyAtOnce:
    def test_answers_for_those_that_wait_by_primary_key(self, now: datetime) -> None:
        waiting, sent = make_message(due_at=now), make_message(status=Status.SENT)

        answers = forecasts([waiting, sent], now=now)

        assert list(answers) == [waiting.pk]

    def test_nothing_is_asked_for_what_does_not_wait(
        self, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        sent = [make_message(status=Status.SENT) for _number in range(3)]

        with django_assert_num_queries(0):
            assert forecasts(sent, now=now) == {}

    @pytest.mark.parametrize("rows", [1, 10])
    def test_asks_five_times_however_many_wait(
        self,
        rows: int,
        conversation: Conversation,
        now: datetime,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        messages = [make_message(conversation, due_at=now) for _number in range(rows)]

        with django_assert_num_queries(3):
            forecasts(messages, now=now)

    def test_does_not_ask_again_for_what_the_page_has_read(
        self, conversation: Conversation, now: datetime, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        messages = [make_message(conversation, due_at=now) for _number in range(10)]
        lines, dispatch = [conversation.creator.line], Dispatch.current()

        with django_assert_num_queries(1):
            forecasts(messages, now=now, lines=lines, dispatch=dispatch)
