"""The dispatch loop's turn, against the real SQS stand-in."""

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Conversation, Dispatch, KeptReply, Line, Worker
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message, make_user
from onlyfans import dispatching
from onlyfans.dispatching import DispatchLoop
from tests.servers import Queues

pytestmark = pytest.mark.django_db


class TestTurn:
    def test_puts_one_id_for_one_message_on_the_queue(self, conversation: Conversation, sqs: Queues) -> None:
        message = conversation.queue(text="a secret", author=None)

        pause = DispatchLoop().turn()

        assert pause == 0.0
        message.refresh_from_db()
        assert message.status == Status.HANDED_OVER
        (received,) = sqs.client.receive_message(QueueUrl=sqs.queue_url)["Messages"]
        assert "a secret" not in received["Body"]

    def test_sleeps_until_the_earliest_line_is_due_and_never_longer_than_a_quarter_second(
        self, db: None, redis_server: object, sqs: Queues
    ) -> None:
        loop = DispatchLoop()
        assert loop.turn() == dispatching.LOOK_AGAIN_SECONDS

        creator = make_creator()
        Line.objects.wake(creator.pk, at=database_now() + timedelta(hours=1))
        assert loop.turn() == dispatching.LOOK_AGAIN_SECONDS
        Line.objects.wake(creator.pk, at=database_now() + timedelta(seconds=0.2))
        assert 0 < loop.turn() <= 0.2

    def test_sweeps_at_its_start_and_then_now_and_then(self, conversation: Conversation, sqs: Queues) -> None:
        stray = make_message(conversation, status=Status.SENDING, lease_until=database_now() - timedelta(seconds=1))
        forgotten = make_conversation().queue(text="Hello!", author=None)
        Line.objects.update(wake_at=None)
        day_before_yesterday = database_now() - timedelta(days=2)
        KeptReply.objects.create(user=make_user(), route="/", key="k", created_at=day_before_yesterday)

        DispatchLoop().turn()

        stray.refresh_from_db()
        assert stray.status == Status.UNKNOWN
        assert Line.objects.get(creator=forgotten.creator).served_at is not None
        assert not KeptReply.objects.exists()

    def test_does_not_spin_while_all_sending_is_stopped(self, conversation: Conversation, sqs: Queues) -> None:
        conversation.queue(text="Hello!", author=None)
        Dispatch.stop_sending(reason="fire", now=database_now())

        assert DispatchLoop().turn() == dispatching.LOOK_AGAIN_SECONDS

    def test_says_that_sqs_is_down_backs_off_and_recovers(
        self, conversation: Conversation, sqs: Queues, settings: Settings
    ) -> None:
        message = conversation.queue(text="Hello!", author=None)
        loop, url = DispatchLoop(), settings.SQS_RATE_LIMITER_QUEUE_URL
        settings.SQS_RATE_LIMITER_QUEUE_URL = ""

        assert [loop.turn() for _ in range(4)] == [1.0, 2.0, 4.0, 5.0]
        assert "SQS_RATE_LIMITER_QUEUE_URL" in Dispatch.current().queue_trouble
        message.refresh_from_db()
        assert message.status == Status.QUEUED

        settings.SQS_RATE_LIMITER_QUEUE_URL = url
        assert loop.turn() == 0.0
        assert Dispatch.current().queue_trouble == ""

    def test_writes_a_heartbeat(self, db: None, redis_server: object, sqs: Queues) -> None:
        DispatchLoop().turn()

        assert not Dispatch.current().is_silent(database_now())

    def test_without_the_rate_limiter_delivers_in_its_own_process(self, db: None, settings: Settings) -> None:
        settings.RATE_LIMITER_ENABLED = False
        settings.SQS_RATE_LIMITER_QUEUE_URL, settings.REDIS_ENDPOINT = "", "127.0.0.1:1"
        message = make_conversation().queue(text="Hello!", author=None)

        DispatchLoop().turn()

        message.refresh_from_db()
        assert (message.status, message.cause_code) == (Status.SENT, "logged")


class TestBegin:
    def test_starts_held_after_a_long_silence_and_sends_again_when_a_person_says_so(self, db: None) -> None:
        Dispatch.note(heartbeat_at=database_now() - timedelta(minutes=16))

        dispatching.begin(resume=False)

        assert Dispatch.is_stopped()
        assert "resume_sending" in Dispatch.current().stopped_reason
        call_command("resume_sending")
        assert not Dispatch.is_stopped()

    @pytest.mark.parametrize(("minutes", "resume"), [(14, False), (16, True)])
    def test_goes_on_by_itself_after_a_short_one_or_when_told_to(self, db: None, minutes: int, resume: bool) -> None:
        Dispatch.note(heartbeat_at=database_now() - timedelta(minutes=minutes))

        dispatching.begin(resume=resume)

        assert not Dispatch.is_stopped()

    def test_a_younger_backup_that_was_restored_is_noticed_and_holds(self, redis_server: object, sqs: Queues) -> None:
        DispatchLoop().turn()
        Dispatch.note(heartbeat_at=database_now() - timedelta(minutes=2))

        DispatchLoop().turn()

        assert Dispatch.is_stopped()
        assert "older copy" in Dispatch.current().stopped_reason
        Dispatch.resume_sending()
        DispatchLoop().turn()
        assert not Dispatch.is_stopped(), "once a person has looked it goes on"

    def test_another_database_is_no_older_copy(self, redis_server: object, sqs: Queues) -> None:
        DispatchLoop().turn()
        Dispatch.objects.all().delete()
        Dispatch.note(heartbeat_at=database_now() - timedelta(minutes=2))

        DispatchLoop().turn()

        assert not Dispatch.is_stopped()

    def test_without_its_witness_it_goes_on(self, redis_server: Any, sqs: Queues, settings: Settings) -> None:
        DispatchLoop().turn()
        Dispatch.note(heartbeat_at=database_now() - timedelta(minutes=2))

        for lost in (redis_server.flushall, lambda: setattr(settings, "REDIS_ENDPOINT", "127.0.0.1:1")):
            lost()
            DispatchLoop().turn()

        assert not Dispatch.is_stopped()

    def test_a_first_start_is_no_silence(self, db: None) -> None:
        dispatching.begin(resume=False)

        assert not Dispatch.is_stopped()


class TestCommands:
    def test_dispatch_refuses_to_resume_by_itself_in_production(self, settings: Settings) -> None:
        settings.DEBUG = False

        with pytest.raises(CommandError, match="DEBUG"):
            call_command("dispatch", "--resume")

    def test_stop_sending_is_seen_by_everybody(self, db: None) -> None:
        call_command("stop_sending", reason="fire")

        assert Dispatch.current().stopped_reason == "fire"

    def test_queue_status_shows_the_queue_and_every_line(
        self, conversation: Conversation, sqs: Queues, capsys: pytest.CaptureFixture[str]
    ) -> None:
        conversation.queue(text="Hello!", author=None)
        Dispatch.note(heartbeat_at=database_now())
        Worker.beat("one", now=database_now(), polled_at=None)

        call_command("queue_status", json=True)

        report = json.loads(capsys.readouterr().out)
        assert report["workers"] == {"alive": 1, "trouble": ""}
        assert report["queue"] == {"depth": 0, "inFlight": 0, "dlq": 0, "trouble": ""}
        assert [line["waiting"] for line in report["lines"]] == [1]

    def test_queue_status_says_what_is_wrong_and_exits_with_one(
        self, conversation: Conversation, settings: Settings, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.SQS_RATE_LIMITER_QUEUE_URL = ""

        with pytest.raises(SystemExit) as exit_code:
            call_command("queue_status")

        assert exit_code.value.code == 1
        printed = capsys.readouterr().out
        assert "SQS       OUT OF REACH: Not configured: SQS_RATE_LIMITER_QUEUE_URL." in printed
        assert "worker    NOT LISTENING: No worker has been seen." in printed
        assert "dispatch  NOT RUNNING (last heartbeat never)" in printed

    def test_queue_status_says_since_when_sending_is_stopped_and_how_it_goes_on(
        self, conversation: Conversation, sqs: Queues, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Dispatch.note(heartbeat_at=database_now())
        call_command("stop_sending", reason="Checking a strange reply")
        line = Line.objects.get()
        line.pause(reason="holiday", now=database_now())
        conversation.queue(text="Hello!", author=None)

        with pytest.raises(SystemExit):
            call_command("queue_status")

        printed = capsys.readouterr().out
        assert "STOPPED since" in printed
        assert "Checking a strange reply" in printed
        assert "manage.py resume_sending" in printed
        assert "PAUSED: holiday" in printed


@pytest.mark.django_db(transaction=True)
def test_a_bug_in_one_turn_does_not_end_the_loop(redis_server: object, sqs: Queues, caplog: Any) -> None:
    stop, loop = threading.Event(), DispatchLoop()

    def bug() -> int:
        stop.set()
        raise ZeroDivisionError

    loop._errands.append(bug)

    loop.run(stop)

    assert "a turn of the loop failed" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_the_loop_stops_when_told_to(redis_server: object, sqs: Queues) -> None:
    stop = threading.Event()
    loop = threading.Thread(target=DispatchLoop().run, args=(stop,))
    loop.start()

    stop.set()
    loop.join(timeout=5)

    assert not loop.is_alive()
