"""What operators type at three in the morning: what it does, what it says, and its exit code."""

import json
from contextlib import nullcontext
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Conversation, Creator, Dispatch, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message
from onlyfans import queue, tasks
from onlyfans.models import Connection
from onlyfans.tests.conftest import Basket, RunningSimulator
from onlyfans.tests.test_reconciling import send_and_lose_the_answer
from tests.servers import Queues

pytestmark = pytest.mark.django_db


class Terminal:
    """Types a command and reads what it says."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def type(self, command: str, *arguments: str, code: int = 0) -> str:
        self._capsys.readouterr()
        with pytest.raises(SystemExit) if code else nullcontext() as ended:
            call_command(command, *arguments)
        assert (ended.value.code if ended else 0) == code
        return self._capsys.readouterr().out

    def json(self, command: str, *arguments: str, code: int = 0) -> Any:
        return json.loads(self.type(command, *arguments, "--json", code=code))


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(capsys)


def status_of(message: Message) -> str:
    return Message.objects.get(pk=message.pk).status


class TestCreators:
    @pytest.mark.parametrize("name", ["Ava", "@AVA_L", "ava_l"])
    def test_a_creator_is_paused_and_resumed_by_name_or_handle(self, name: str, terminal: Terminal) -> None:
        creator = make_creator(name="Ava", handle="ava_l")
        Connection.objects.create(creator=creator, account_id="acct_ava")

        assert "Ava is paused: holiday" in terminal.type("pause_creator", name, "--reason", "holiday")
        assert Line.objects.get().paused_reason == "holiday"
        assert terminal.json("pause_creator", name)["changed"] is False
        assert "It was paused: holiday" in terminal.type("resume_creator", name)
        assert Line.objects.get().paused_at is None

    def test_one_that_nobody_knows_or_that_is_not_the_only_one_changes_nothing(self) -> None:
        make_creator(name="Ava"), make_creator(name="ava")

        for name, words in (("Eve", "no creator"), (str(uuid4()), "no creator"), ("Ava", "use the id")):
            with pytest.raises(CommandError, match=words) as error:
                call_command("pause_creator", name)
            assert error.value.returncode == 2
        assert not Line.objects.filter(paused_at__isnull=False).exists()

    def test_resuming_a_lost_session_says_that_it_is_not_enough(self, terminal: Terminal, creator: Creator) -> None:
        Connection.objects.update(state=Connection.State.SESSION_LOST)

        assert "--reconnected" in terminal.type("resume_creator", str(creator.public_id), code=1)
        terminal.type("resume_creator", str(creator.public_id), "--reconnected")
        assert Connection.objects.get().state == Connection.State.CONNECTED

    def test_without_a_connection_nothing_goes_and_it_says_so(self, terminal: Terminal) -> None:
        answer = terminal.json("resume_creator", make_creator().name, code=1)

        assert "no connection" in answer["trouble"]


class TestSwitch:
    def test_stops_and_resumes_and_says_both_as_json(self, terminal: Terminal) -> None:
        assert terminal.json("stop_sending", "--reason", "fire")["stopped"] is True
        assert Dispatch.is_stopped()
        assert terminal.json("resume_sending")["reason"] == "fire"
        assert terminal.json("resume_sending")["wasStoppedAt"] is None

    def test_works_with_settings_that_a_check_refuses(self, terminal: Terminal, settings: Settings) -> None:
        settings.REDIS_ENDPOINT = "nonsense"

        terminal.type("stop_sending")

        assert Dispatch.is_stopped()


def test_what_only_dispatch_asks_is_not_known_while_it_does_not_run(terminal: Terminal) -> None:
    assert "Redis     not known" in terminal.type("queue_status", code=1)


class TestFailed:
    def test_lists_what_does_not_go_by_itself_with_its_cause_and_without_its_text(self, terminal: Terminal) -> None:
        failed = make_message(status=Status.FAILED, cause_code="poison", cause="Five died.", text="a secret")
        make_message(status=Status.NEEDS_PERSON)
        make_message()

        said = terminal.type("list_failed", code=1)

        assert f"{failed.public_id}" in said
        assert "poison: Five died." in said
        assert "a secret" not in said
        assert terminal.json("list_failed", "--status", "failed", code=1)["count"] == 1
        assert "and 1 more" in terminal.type("list_failed", "--limit", "1", code=1)
        assert "Nothing failed" in terminal.type("list_failed", "--cause", "http_500")

    def test_sends_again_what_was_chosen(self, terminal: Terminal) -> None:
        poison, other = (make_message(status=Status.FAILED, cause_code=code) for code in ("poison", "http_422"))
        elsewhere = make_message(status=Status.FAILED, cause_code="http_422")

        assert terminal.json("retry_failed", "--cause", "poison", "--dry-run")["count"] == 1
        assert status_of(poison) == Status.FAILED
        terminal.type("retry_failed", "--cause", "poison")
        terminal.type("retry_failed", str(other.public_id))
        terminal.type("retry_failed", "--creator", elsewhere.creator.name)

        assert {status_of(message) for message in (poison, other, elsewhere)} == {Status.QUEUED}
        assert terminal.type("retry_failed", "--all", code=1) == "0 queued again.\n"

    def test_asks_for_a_choice(self) -> None:
        with pytest.raises(CommandError, match="--all"):
            call_command("retry_failed")

    def test_what_may_have_been_sent_goes_again_only_by_name_and_when_confirmed(self, terminal: Terminal) -> None:
        unknown = make_message(status=Status.UNKNOWN)

        terminal.type("retry_failed", "--all", code=1)
        with pytest.raises(CommandError, match="--confirm-not-sent"):
            call_command("retry_failed", str(unknown.public_id))
        with pytest.raises(CommandError, match="named"):
            call_command("retry_failed", "--all", "--confirm-not-sent")
        assert status_of(unknown) == Status.UNKNOWN

        terminal.type("retry_failed", str(unknown.public_id), "--confirm-not-sent")
        assert status_of(unknown) == Status.QUEUED

    def test_an_id_that_is_no_failed_message_is_a_mistake(self) -> None:
        with pytest.raises(CommandError, match="no such message"):
            call_command("retry_failed", str(make_message().public_id))


class TestReconcileUnknown:
    def test_settles_what_the_chat_knows_and_says_what_is_still_open(
        self, terminal: Terminal, conversation: Conversation, simulator: RunningSimulator, basket: Basket
    ) -> None:
        sent = send_and_lose_the_answer(conversation, simulator, basket)
        absent = make_message(make_conversation(conversation.creator), status=Status.UNKNOWN, sending_at=database_now())

        said = terminal.type("reconcile_unknown", code=1)

        assert "1 found and settled, 0 left to a person, 1 still unknown." in said
        assert str(absent.public_id) in said
        assert (status_of(sent), status_of(absent)) == (Status.SENT, Status.UNKNOWN)

    def test_reads_nothing_while_all_is_stopped_and_says_so(self, terminal: Terminal) -> None:
        make_message(status=Status.UNKNOWN, sending_at=database_now())
        Dispatch.stop_sending(reason="fire", now=database_now())

        assert "resume_sending" in terminal.type("reconcile_unknown", code=1)

    def test_without_unknown_ones_all_is_well(self, terminal: Terminal) -> None:
        assert terminal.json("reconcile_unknown") == {
            "stopped": False,
            "settled": 0,
            "needsPerson": 0,
            "unknown": 0,
            "messages": [],
        }


class TestRedrive:
    def test_moves_dead_letters_back_as_they_were(self, terminal: Terminal, sqs: Queues) -> None:
        tasks_public_id = uuid4()
        queue.publish(tasks.deliver_message, tasks_public_id)
        (letter,) = sqs.client.receive_message(QueueUrl=sqs.queue_url)["Messages"]
        sqs.client.delete_message(QueueUrl=sqs.queue_url, ReceiptHandle=letter["ReceiptHandle"])
        for body in (letter["Body"], "no message at all", f"{queue.TEST_MESSAGE}left over"):
            sqs.client.send_message(QueueUrl=sqs.dlq_url, MessageBody=body)

        assert terminal.json("redrive_dlq") == {"moved": 2, "trouble": ""}

        back = sqs.client.receive_message(QueueUrl=sqs.queue_url, MaxNumberOfMessages=10)["Messages"]
        assert {message["Body"] for message in back} == {letter["Body"], "no message at all"}
        assert queue.figures().dlq == 0
        assert "empty" in terminal.type("redrive_dlq")

    def test_moves_no_more_than_asked(self, terminal: Terminal, sqs: Queues) -> None:
        for number in range(3):
            sqs.client.send_message(QueueUrl=sqs.dlq_url, MessageBody=f"{number}")

        assert terminal.json("redrive_dlq", "--limit", "2")["moved"] == 2
        assert queue.figures().dlq == 1

    def test_says_what_is_not_configured(self, terminal: Terminal, settings: Settings) -> None:
        settings.SQS_RATE_LIMITER_DLQ_URL = ""

        assert "SQS_RATE_LIMITER_DLQ_URL" in terminal.type("redrive_dlq", code=1)


class TestCheckConnectivity:
    def test_sends_receives_takes_and_asks_and_leaves_nothing_behind(
        self, terminal: Terminal, creator: Creator, sqs: Queues, redis_server: Any
    ) -> None:
        sqs.client.send_message(QueueUrl=sqs.dlq_url, MessageBody="a dead letter")

        answer = terminal.json("check_connectivity")

        assert answer["isWell"] is True
        words = {check["component"]: check["words"] for check in answer["components"]}
        assert set(words) == {"database", "sqs", "redis", f"gateway {creator.name}"}
        assert words["sqs"] == "A test message was sent and received."
        assert queue.figures().depth == 0
        assert redis_server.keys("rl:*") == []
        assert Message.objects.count() == 0

    def test_names_what_is_not_well_and_goes_on_to_the_next(
        self, terminal: Terminal, creator: Creator, settings: Settings
    ) -> None:
        settings.SQS_RATE_LIMITER_QUEUE_URL, settings.REDIS_ENDPOINT = "", "127.0.0.1:1"
        settings.OFAPI_BASE_URL = "http://127.0.0.1:1/api"

        said = terminal.type("check_connectivity", "--creator", creator.name, code=1)

        assert said.count("NOT WELL") == 3
        assert "SQS_RATE_LIMITER_QUEUE_URL" in said
        assert "Unreachable" in said

    def test_a_key_that_cannot_be_opened_is_said(
        self, terminal: Terminal, creator: Creator, sqs: Queues, settings: Settings
    ) -> None:
        settings.HUNTAZE_KEYRING = ""

        answer = terminal.json("check_connectivity", code=1)

        assert "HUNTAZE_KEYRING" in answer["components"][-1]["words"]

    def test_without_a_dead_letter_queue_it_says_what_it_did_not_try(
        self, terminal: Terminal, sqs: Queues, redis_server: Any, settings: Settings
    ) -> None:
        settings.SQS_RATE_LIMITER_DLQ_URL = ""

        assert "No test message was sent" in terminal.type("check_connectivity")


def test_a_status_shows_numbers_to_the_right_and_no_line_ends_in_blanks(
    terminal: Terminal, sqs: Queues, redis_server: Any
) -> None:
    creator = make_creator(name="A creator with a rather long name")
    for _number in range(11):
        make_message(make_conversation(creator), send_at=database_now() - timedelta(hours=1))
    make_creator(name="B")
    Dispatch.note(heartbeat_at=database_now())

    lines = terminal.type("queue_status", code=1).rstrip("\n").split("\n")

    assert [line for line in lines if line != line.rstrip()] == []
    assert lines[-2].index("11") + 1 == lines[-1].index("0")
