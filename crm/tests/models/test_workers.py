from datetime import datetime, timedelta

import pytest

from crm.clock import database_now
from crm.models import Worker

pytestmark = pytest.mark.django_db


@pytest.fixture
def now() -> datetime:
    return database_now()


def ago(now: datetime, seconds: float) -> datetime:
    return now - timedelta(seconds=seconds)


def test_each_worker_has_one_row_however_often_it_beats(now: datetime) -> None:
    for seconds in (10, 5, 0):
        Worker.beat("one", now=ago(now, seconds), polled_at=None)
        Worker.beat("two", now=ago(now, seconds), polled_at=None)

    assert set(Worker.objects.alive(now).values_list("name", "started_at", "seen_at")) == {
        ("one", ago(now, 10), now),
        ("two", ago(now, 10), now),
    }


def test_nothing_is_wrong_while_one_of_several_workers_is_alive(now: datetime) -> None:
    Worker.beat("dead", now=ago(now, 300), polled_at=None)
    Worker.beat("alive", now=ago(now, 29), polled_at=ago(now, 40))

    assert Worker.trouble(now) == ""


def test_a_silent_worker_is_missed_since_it_was_last_seen(now: datetime) -> None:
    assert Worker.trouble(now) == "No worker has been seen."

    Worker.beat("killed", now=ago(now, 31), polled_at=ago(now, 31))

    assert Worker.trouble(now) == f"No worker has been seen since {ago(now, 31):%Y-%m-%d %H:%M:%S} UTC."


def test_a_worker_that_lives_and_hears_nothing_of_its_queue_is_no_worker(now: datetime) -> None:
    Worker.beat("deaf", now=ago(now, 121), polled_at=None)
    Worker.beat("deaf", now=now, polled_at=None)

    assert Worker.objects.alive(now).exists()
    assert Worker.trouble(now) == "The queue has answered no worker for 120 s, although they are alive."

    Worker.beat("deaf", now=now, polled_at=ago(now, 1))
    assert Worker.trouble(now) == ""


def test_a_new_worker_forgets_those_that_ended_long_ago_and_no_others(now: datetime) -> None:
    Worker.beat("long ago", now=ago(now, 601), polled_at=None)
    Worker.beat("just now", now=ago(now, 599), polled_at=None)

    Worker.beat("new", now=now, polled_at=None)

    assert set(Worker.objects.values_list("name", flat=True)) == {"just now", "new"}
