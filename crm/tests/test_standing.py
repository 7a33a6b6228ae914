"""How the line stands: what somebody on duty reads first."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.clock import database_now
from crm.models import Campaign, Line
from crm.models.messages import Status
from crm.standing import COUNTED, standing
from crm.tests.factories import make_conversation, make_creator, make_message

pytestmark = pytest.mark.django_db


def test_it_counts_what_is_due_and_what_needs_somebody() -> None:
    now = database_now()
    conversation = make_conversation()
    make_message(conversation, send_at=now - timedelta(minutes=5))
    make_message(conversation, send_at=now + timedelta(hours=1))
    for status in (*COUNTED, Status.SENT):
        make_message(conversation, status=status)

    seen = standing(now)

    assert seen.due == 1
    assert seen.oldest == now - timedelta(minutes=5)
    assert seen.counts == dict.fromkeys(COUNTED, 1)


def test_what_a_campaign_holds_back_waits_and_is_not_due() -> None:
    now = database_now()
    conversation = make_conversation()
    held = Campaign.objects.create(
        creator=conversation.creator, name="News", text="Hello!", status="running", held_until=now + timedelta(hours=8)
    )
    make_message(conversation, campaign=held, send_at=now - timedelta(hours=2))

    seen = standing(now)

    assert (seen.due, seen.oldest) == (0, None)
    assert [(line.waiting, line.waits_for) for line in seen.lines] == [
        (1, "What waits is of campaigns that are paused or in their quiet hours.")
    ]


def test_lines_that_are_paused_or_wait_come_first_with_their_reason() -> None:
    now = database_now()
    make_creator(name="Idle")
    waiting, paused = make_creator(name="Waiting"), make_creator(name="Paused", pace="5/60")
    make_message(make_conversation(waiting))
    Line.objects.get(creator=paused).pause(reason="On holiday.", now=now)

    lines = standing(now).lines

    assert [line.creator.name for line in lines] == ["Paused", "Waiting", "Idle"]
    assert [line.waits_for for line in lines] == ["Paused: On holiday.", "", ""]
    assert "5 in any minute" in lines[0].pace


def test_a_pace_that_cannot_be_read_is_said_and_breaks_nothing() -> None:
    creator = make_creator()
    type(creator).objects.filter(pk=creator.pk).update(pace="often")

    assert "“often” is not a pace" in standing(database_now()).lines[0].pace


def test_it_asks_the_same_however_many_creators_there_are() -> None:
    make_message()
    with CaptureQueriesContext(connection) as for_one:
        standing(database_now())
    for _number in range(25):
        make_message()
    with CaptureQueriesContext(connection) as for_many:
        seen = standing(database_now())

    assert len(for_many) == len(for_one)
    assert seen.more_lines
    # Of the messages only counts that stop, and the lines' own.
    assert all("LIMIT" in query["sql"] for query in for_many if 'FROM "crm_message"' in query["sql"])
