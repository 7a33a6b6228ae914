from datetime import datetime, timedelta

import pytest

from crm.clock import database_now
from crm.models import Creator, Dispatch, HoldCause, Line, PauseCause
from crm.tests.factories import make_creator

pytestmark = pytest.mark.django_db


def make_line(*, wake_at: datetime | None = None, **values: object) -> Line:
    line = make_creator().line
    Line.objects.filter(pk=line.pk).update(wake_at=wake_at, **values)
    line.refresh_from_db()
    return line


class TestDue:
    def test_finds_lines_that_are_awake_not_held_and_not_paused(self) -> None:
        now = database_now()
        ago, ahead = now - timedelta(seconds=1), now + timedelta(seconds=1)
        due = make_line(wake_at=ago)
        freed = make_line(wake_at=ago, hold_until=ago)
        make_line(wake_at=ahead)
        make_line(wake_at=ago, hold_until=ahead)
        make_line(wake_at=ago, paused_at=ago, paused_reason="holiday")
        make_line()

        assert set(Line.objects.due(now)) == {due, freed}

    def test_shows_the_line_served_longest_ago_first(self) -> None:
        now = database_now()
        just_served = make_line(wake_at=now, served_at=now - timedelta(seconds=1))
        long_ago = make_line(wake_at=now, served_at=now - timedelta(hours=1))
        never = make_line(wake_at=now)

        assert list(Line.objects.due(now)) == [never, long_ago, just_served]


class TestNextDueAt:
    def test_is_the_later_of_wake_and_hold_of_the_earliest_line(self) -> None:
        now = database_now()
        make_line(wake_at=now, hold_until=now + timedelta(seconds=5))
        make_line(wake_at=now + timedelta(seconds=9), hold_until=now)

        assert Line.objects.next_due_at() == now + timedelta(seconds=5)

    def test_is_nothing_while_nothing_waits(self) -> None:
        make_line()
        make_line(wake_at=database_now(), paused_at=database_now(), paused_reason="holiday")

        assert Line.objects.next_due_at() is None


class TestPause:
    def test_keeps_the_first_reason_and_resuming_wakes_the_line(self) -> None:
        line = make_line()
        now = database_now()

        line.pause(reason="session lost", now=now)
        line.pause(reason="something else", now=now)

        line.refresh_from_db()
        assert line.paused_reason == "session lost"
        line.resume(now=now)
        line.refresh_from_db()
        assert (line.paused_at, line.paused_reason, line.wake_at) == (None, "", now)

    def test_a_person_replaces_the_pause_for_a_lost_session_and_only_a_person_ends_it(self) -> None:
        line, now = make_line(), database_now()

        assert line.pause(reason="session lost", now=now, cause=PauseCause.SESSION_LOST)
        assert line.pause(reason="holiday", now=now)
        assert not line.pause(reason="lost again", now=now, cause=PauseCause.SESSION_LOST)

        assert not line.resume(now=now, only=PauseCause.SESSION_LOST)
        line.refresh_from_db()
        assert line.paused_reason == "holiday"
        assert line.resume(now=now)

    def test_the_returned_session_ends_its_own_pause(self) -> None:
        line, now = make_line(), database_now()
        line.pause(reason="session lost", now=now, cause=PauseCause.SESSION_LOST)

        assert line.resume(now=now, only=PauseCause.SESSION_LOST)


def test_a_hold_says_why() -> None:
    line = make_line()

    Line.objects.hold(line.pk, until=database_now(), cause=HoldCause.THROTTLED)

    line.refresh_from_db()
    assert line.hold_cause == "throttled"


def test_the_kill_switch_is_one_row_however_often_it_is_thrown() -> None:
    now = database_now()

    Dispatch.stop_sending(reason="first", now=now)
    Dispatch.stop_sending(reason="second", now=now)

    assert Dispatch.is_stopped()
    assert Dispatch.current().stopped_reason == "second"
    Dispatch.resume_sending()
    assert not Dispatch.is_stopped()


def test_words_longer_than_their_column_are_cut() -> None:
    Dispatch.note(queue_trouble="x" * 1000)

    assert Dispatch.current().queue_trouble == "x" * 300


def test_a_creator_has_one_line() -> None:
    creator: Creator = make_creator()

    Line.objects.wake(creator.pk, at=database_now())

    assert Line.objects.filter(creator=creator).count() == 1
