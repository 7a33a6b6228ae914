"""The worker's sign of life, with a timer that the test turns; the journey sees a real one."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError, connection

from crm.clock import database_now
from crm.models import Worker
from onlyfans.broker import PollingConnection
from onlyfans.heartbeats import Heartbeat


class Clockwork:
    """A timer that the test turns itself."""

    def __init__(self) -> None:
        self.every: float = 0
        self.turns: list[Callable[[], None]] = []

    def call_repeatedly(self, seconds: float, act: Callable[..., None], arguments: tuple[Any, ...]) -> "Clockwork":
        self.every = seconds
        self.turns.append(partial(act, *arguments))
        return self

    def cancel(self) -> None:
        self.turns.clear()

    def turn(self) -> None:
        for act in self.turns:
            act()


@pytest.fixture
def consumer() -> Any:
    """What the step uses of Celery's consumer."""
    return SimpleNamespace(hostname="celery@host", timer=Clockwork())


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No poll of this process was answered yet, whatever other tests did."""
    monkeypatch.setattr(PollingConnection, "answered_at", None)


def test_every_worker_takes_the_step() -> None:
    assert "onlyfans.heartbeats:Heartbeat" in current_app.steps["consumer"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("unasked")
class TestHeartbeat:
    def test_beats_when_it_starts_and_then_regularly_also_without_any_message(self, consumer: Any) -> None:
        Heartbeat(consumer).start(consumer)
        (first,) = Worker.objects.all()

        consumer.timer.turn()

        assert timedelta(seconds=consumer.timer.every) * 3 < Worker.SILENT_AFTER
        (second,) = Worker.objects.all()
        assert second.name.startswith("celery@host ")
        assert second.seen_at > first.seen_at
        assert second.polled_at is None

    def test_says_when_sqs_last_answered_a_poll(self, consumer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(PollingConnection, "answered_at", monotonic() - 60)

        Heartbeat(consumer).start(consumer)

        (worker,) = Worker.objects.all()
        assert worker.polled_at
        assert timedelta(seconds=59) < database_now() - worker.polled_at < timedelta(seconds=90)

    def test_leaves_no_connection_that_a_forked_child_could_inherit(self, consumer: Any) -> None:
        Heartbeat(consumer).start(consumer)

        assert connection.connection is None

    def test_the_beats_end_with_the_consumer(self, consumer: Any) -> None:
        step = Heartbeat(consumer)
        step.start(consumer)

        step.stop(consumer)

        assert consumer.timer.turns == []

    def test_a_database_that_is_down_ends_no_worker_and_is_logged_once(
        self, consumer: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_statement: object) -> None:
            raise OperationalError("refused")

        with connection.execute_wrapper(refuse):
            Heartbeat(consumer).start(consumer)
            consumer.timer.turn()

        assert caplog.text.count("no heartbeat written") == 1
        consumer.timer.turn()
        assert Worker.objects.count() == 1
