"""How long a line waits for a provider that does not answer."""

from datetime import timedelta

import pytest

from crm.models import Conversation
from onlyfans import breaker
from onlyfans.gateway import Outcome, Rejected, Sent, SessionLost, Throttled, Unknown, Unreachable
from onlyfans.models import Connection

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(conversation: Conversation) -> Connection:
    return conversation.creator.connection


def seconds(wait: timedelta) -> float:
    return wait.total_seconds()


def test_calls_that_never_left_wait_one_two_and_four_seconds_then_once_a_second(connection: Connection) -> None:
    waits = []
    for _call in range(6):
        waits.append((seconds(breaker.note(connection, Unreachable("refused"))), breaker.is_open(connection)))
        connection.refresh_from_db()

    assert waits == [(1, False), (2, False), (4, False), (1, False), (1, True), (1, True)]


def test_outcomes_that_nobody_knows_open_it_twice_as_soon_and_are_risked_ever_more_rarely(
    connection: Connection,
) -> None:
    waits = [seconds(breaker.note(connection, Unknown("502"))) for _call in range(6)]

    assert waits == [0, 1, 4, 15, 15, 15]


@pytest.mark.parametrize("outcome", [Sent("1"), Rejected("http_422", ""), Throttled(3.0), SessionLost("401", "")])
def test_any_answer_closes_it(connection: Connection, outcome: Outcome) -> None:
    Connection.objects.update(failures=9)
    connection.refresh_from_db()

    assert breaker.note(connection, outcome) == timedelta()
    connection.refresh_from_db()
    assert (connection.failures, breaker.is_open(connection)) == (0, False)


def test_without_a_connection_there_is_nothing_to_count() -> None:
    assert breaker.note(None, Unknown("")) == timedelta()
    assert not breaker.is_open(None)
