"""What is counted, how honest it is, and that no count reads every message there ever was."""

import math
import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from conftest import ON_POSTGRESQL
from crm.clock import database_now
from crm.models import Conversation, Dispatch, HoldCause, Line, Message, Worker
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message, make_user
from onlyfans import metrics, thresholds
from onlyfans.metrics import COUNTED_AFTER, add_up, count, figures, oldest_due
from onlyfans.models import Tally

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)


@pytest.fixture
def now() -> datetime:
    return database_now()


@pytest.fixture
def mine() -> Conversation:
    return make_conversation()


def settled(conversation: Conversation, status: Status, at: datetime, *, took: float = 1.0) -> Message:
    began = at - timedelta(seconds=took)
    message = make_message(conversation, status=status, sending_at=began, settled_at=at)
    Message.objects.filter(pk=message.pk).update(created_at=at - MINUTE)
    return message


class TestCount:
    def test_counts_what_was_written_sent_and_failed_and_how_long_calls_took(
        self, mine: Conversation, now: datetime
    ) -> None:
        settled(mine, Status.SENT, now, took=2)
        settled(mine, Status.READ, now, took=0.5)
        settled(mine, Status.FAILED, now, took=15)
        settled(mine, Status.SENT, now + 2 * MINUTE)
        mine.queue(text="Hello!", author=None)

        counts = count(now, now + MINUTE)

        assert (counts.queued, counts.processed, counts.failed) == (1, 2, 1)
        assert sorted(counts.seconds) == [0.5, 2, 15]

    def test_what_failed_and_was_sent_again_has_failed_once(self, mine: Conversation, now: datetime) -> None:
        settled(mine, Status.FAILED, now).retry(by=None)

        assert count(now, now + MINUTE).failed == 1

    def test_what_another_tool_or_the_fan_wrote_was_not_queued_here(self, mine: Conversation, now: datetime) -> None:
        make_message(mine, status=Status.SENT)
        make_message(mine, status=Status.RECEIVED)

        assert count(now, database_now()).queued == 0

    @pytest.mark.parametrize("status", [Status.SENT, Status.FAILED])
    def test_the_row_remembers_when_its_outcome_was_written(
        self, mine: Conversation, status: Status, now: datetime
    ) -> None:
        message = make_message(mine, status=Status.SENDING)

        message.settle(status, sent_at=now - MINUTE)

        message.refresh_from_db()
        assert message.settled_at
        assert message.settled_at >= now


class TestTotals:
    def test_each_outcome_is_added_once_whoever_counts_and_however_often(
        self, mine: Conversation, now: datetime
    ) -> None:
        add_up(now - 10 * MINUTE)
        settled(mine, Status.SENT, now - 5 * MINUTE, took=0.3)
        settled(mine, Status.SENT, now - 4 * MINUTE, took=400)
        settled(mine, Status.FAILED, now - 3 * MINUTE, took=0.3)

        for at in (now - 6 * MINUTE, now - 4.2 * MINUTE, now, now, now - MINUTE):
            add_up(at)

        tally = Tally.objects.get()
        assert (tally.queued, tally.processed, tally.failed) == (3, 2, 1)
        assert tally.buckets == {"0.5": 2, str(math.inf): 1}
        assert tally.counted_until == now - COUNTED_AFTER

    def test_a_dispatcher_that_was_slower_adds_nothing(
        self, mine: Conversation, now: datetime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_up(now - 10 * MINUTE)
        settled(mine, Status.SENT, now - 5 * MINUTE)
        meanwhile = metrics.count

        def count_after_another(*stretch: datetime) -> Any:
            monkeypatch.setattr(metrics, "count", meanwhile)
            add_up(now)
            return meanwhile(*stretch)

        monkeypatch.setattr(metrics, "count", count_after_another)
        add_up(now)

        assert Tally.objects.get().processed == 1


class TestOldestDue:
    """How long something could have gone and did not; None when everything has its reason to wait."""

    @pytest.fixture
    def line(self, mine: Conversation, now: datetime) -> Line:
        """An hour-old message that nothing holds."""
        make_message(mine, send_at=now - timedelta(hours=1))
        Line.objects.update(wake_at=now - timedelta(hours=1))
        return Line.objects.select_related("creator").get()

    @staticmethod
    def change(line: Line, **values: Any) -> None:
        Line.objects.filter(pk=line.pk).update(**values)

    def test_what_nobody_hands_over_is_overdue_since_it_was_due(self, line: Line, now: datetime) -> None:
        assert oldest_due(now) == timedelta(hours=1)

    def test_a_paused_creator_has_a_reason(self, line: Line, now: datetime) -> None:
        line.pause(reason="holiday", now=now)

        assert oldest_due(now) is None

    @pytest.mark.parametrize("cause", [HoldCause.PACE, HoldCause.THROTTLED, HoldCause.NOT_CONNECTED, HoldCause.BY_HAND])
    def test_so_has_a_line_held_for_its_pace_by_the_platform_for_want_of_an_account_or_for_a_person(
        self, line: Line, now: datetime, cause: HoldCause
    ) -> None:
        self.change(line, hold_until=now + MINUTE, hold_cause=cause)

        assert oldest_due(now) is None

    @pytest.mark.parametrize("cause", [HoldCause.UNREACHABLE, HoldCause.GATE_DOWN, HoldCause.BROKEN])
    def test_a_provider_or_a_gate_out_of_reach_and_broken_settings_are_no_reason(
        self, line: Line, now: datetime, cause: HoldCause
    ) -> None:
        self.change(line, hold_until=now + MINUTE, hold_cause=cause)

        assert oldest_due(now) == timedelta(hours=1)

    def test_ten_thousand_that_go_at_their_pace_are_late_only_since_the_last_could_have_gone(
        self, line: Line, mine: Conversation, now: datetime
    ) -> None:
        settled(make_conversation(line.creator), Status.SENT, now - timedelta(seconds=20))

        waits = oldest_due(now)

        assert waits
        assert waits < timedelta(seconds=20)

    def test_the_rest_of_a_conversation_waits_for_an_unknown_outcome_and_rightly_so(
        self, line: Line, mine: Conversation, now: datetime
    ) -> None:
        make_message(mine, status=Status.UNKNOWN, sending_at=now - 10 * MINUTE, send_at=now - timedelta(hours=2))

        assert oldest_due(now) is None

    def test_what_no_worker_takes_is_overdue(self, mine: Conversation, now: datetime) -> None:
        make_message(mine, status=Status.HANDED_OVER, send_at=now - 7 * MINUTE, lease=None)

        assert oldest_due(now) == 7 * MINUTE

    def test_a_schedule_and_a_stop_are_reasons(self, line: Line, mine: Conversation, now: datetime) -> None:
        Dispatch.stop_sending(reason="fire", now=now)
        assert figures(Dispatch.current(), now).oldest_due is None

        Message.objects.update(due_at=now + MINUTE)
        assert oldest_due(now) is None


class TestThresholds:
    @pytest.mark.parametrize(
        ("seen", "code"),
        [
            ({"queue_depth": 100, "dlq_count": 10}, None),
            ({"queue_depth": 101, "dlq_count": 0}, "queueDepth"),
            ({"queue_depth": 0, "dlq_count": 11}, "deadLetters"),
            ({"queue_depth": 101, "dlq_count": 11, "queue_trouble": "SQS: refused"}, None),
        ],
    )
    def test_the_queues_figures(self, seen: dict[str, Any], code: str | None, now: datetime) -> None:
        Dispatch.note(**seen)

        thresholds.watch(now)

        assert set(Dispatch.current().warnings) == ({code} if code else set())

    @pytest.mark.parametrize(("status", "warns"), [(Status.FAILED, True), (Status.UNKNOWN, True), (Status.SENT, False)])
    def test_more_than_a_twentieth_of_ten_minutes_outcomes(
        self, mine: Conversation, status: Status, warns: bool, now: datetime
    ) -> None:
        for _number in range(18):
            settled(mine, Status.SENT, now - MINUTE)
        settled(mine, Status.FAILED, now - 11 * MINUTE)
        make_message(
            mine,
            status=status,
            sending_at=now - MINUTE,
            settled_at=None if status == Status.UNKNOWN else now - MINUTE,
        )

        thresholds.watch(now)

        assert ("failureRate" in Dispatch.current().warnings) is warns

    def test_something_due_for_more_than_five_minutes(self, mine: Conversation, now: datetime) -> None:
        make_message(mine, send_at=now - 6 * MINUTE)
        Line.objects.update(wake_at=now)

        thresholds.watch(now)

        assert "6 minutes ago" in Dispatch.current().warnings["oldestDue"]

    def test_is_logged_once_when_it_begins_and_once_at_its_end(
        self, now: datetime, caplog: pytest.LogCaptureFixture
    ) -> None:
        for dead in (11, 12, 13, 0, 0):
            Dispatch.note(dlq_count=dead)
            thresholds.watch(now)

        assert caplog.text.count("'above its threshold'") == 1
        assert caplog.text.count("'below its threshold again'") == 1


def scrape() -> dict[str, Any]:
    """Every sample by its name and labels."""
    registry = CollectorRegistry()
    registry.register(metrics.FromRows())
    return {
        sample.name + "".join(f"/{value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


class TestPrometheus:
    def test_shows_states_totals_and_how_processes_are(self, mine: Conversation, now: datetime) -> None:
        add_up(now - 10 * MINUTE)
        settled(mine, Status.SENT, now - 5 * MINUTE, took=0.3)
        settled(mine, Status.FAILED, now - 5 * MINUTE, took=0.3)
        mine.queue(text="Hello!", author=make_user())
        add_up(now)
        Worker.beat("one", now=now, polled_at=now)
        Dispatch.note(heartbeat_at=now, queue_depth=3, queue_in_flight=1, dlq_count=2, queue_sampled_at=now)

        seen = scrape()

        assert (seen["huntaze_messages/queued"], seen["huntaze_messages/failed"]) == (1, 1)
        assert (seen["huntaze_messages_processed_total"], seen["huntaze_messages_failed_total"]) == (1, 1)
        assert (seen["huntaze_processing_seconds_count"], seen["huntaze_processing_seconds_bucket/0.25"]) == (2, 0)
        assert seen["huntaze_processing_seconds_bucket/0.5"] == seen["huntaze_processing_seconds_bucket/+Inf"] == 2
        assert seen["huntaze_processing_seconds_sum"] == pytest.approx(0.6)
        assert (seen["huntaze_queue_depth"], seen["huntaze_queue_dead_letters"]) == (3, 2)
        assert (seen["huntaze_workers"], seen["huntaze_sending_stopped"]) == (1, 0)
        assert (seen["huntaze_recent_outcomes"], seen["huntaze_recent_failures"]) == (2, 1)

    def test_what_nobody_knows_is_left_out(self, now: datetime) -> None:
        Dispatch.note(queue_depth=3, queue_trouble="SQS: refused")

        seen = scrape()

        assert "huntaze_queue_depth" not in seen
        assert "huntaze_worker_heartbeat_age_seconds" not in seen

    def test_no_creator_and_no_fan_is_named(self, mine: Conversation) -> None:
        mine.queue(text="a canary", author=None)

        shown = str(scrape())

        assert not any(word in shown for word in ("canary", str(mine.creator), str(mine.fan.platform_id)))


def test_no_count_reads_the_whole_table_or_all_of_a_creator(client: Client, now: datetime) -> None:
    """Asks the planner for its way through every query about messages."""
    user = make_user()
    client.force_login(user)
    conversations = [make_conversation(make_creator(user)) for _ in range(3)]
    Message.objects.bulk_create(
        Message(
            creator_id=conversation.creator_id,
            conversation=conversation,
            status=Status.READ,
            text="x",
            send_at=now,
            due_at=now,
            sent_at=now - number * MINUTE,
            settled_at=now - number * MINUTE,
            sending_at=now - number * MINUTE,
            platform_id=f"{number}",
        )
        for number in range(3000)
        for conversation in conversations
    )
    Message.objects.update(created_at=now - 100 * MINUTE)
    if ON_POSTGRESQL:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE crm_message")

    with CaptureQueriesContext(connection) as captured:
        add_up(now - MINUTE)
        add_up(now)
        thresholds.watch(now)
        scrape()
        client.get("/api/onlyfans/messages/status")

    asked = [query["sql"] for query in captured if query["sql"].startswith("SELECT") and "crm_message" in query["sql"]]
    assert len(asked) >= 9
    for statement in asked:
        with connection.cursor() as cursor:
            cursor.execute(f"{'EXPLAIN' if ON_POSTGRESQL else 'EXPLAIN QUERY PLAN'} {statement}")
            plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
        whole = "Seq Scan on crm_message" if ON_POSTGRESQL else "SCAN crm_message"
        assert whole not in plan, f"{statement}\n{plan}"
        # All that a creator ever wrote and heard.
        assert not re.search(r"message_changes \(creator_id=\?\)", plan), f"{statement}\n{plan}"
