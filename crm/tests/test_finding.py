from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.finding import MESSAGES_SHOWN, excerpt, find_in_inbox
from crm.models import Creator
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    return make_creator()


def test_fans_and_what_was_said_are_found_together_and_only_this_creators(creator: Creator) -> None:
    zoe = make_conversation(fan=make_fan(creator, name="Zoë Balcon"))
    said = make_message(make_conversation(creator), text="The Balcony at six", status=Status.RECEIVED)
    make_message(text="Another balcony", status=Status.RECEIVED)
    make_conversation(fan=make_fan(name="Balconi"))

    found = find_in_inbox(creator, "BALCON")

    assert list(found.fans) == [zoe]
    assert [hit.message for hit in found.said] == [said]


def test_what_was_said_last_stands_first_and_the_rest_is_said_to_be_there(creator: Creator) -> None:
    talk, now = make_conversation(creator), database_now()
    for number in range(MESSAGES_SHOWN + 1):
        make_message(talk, text=f"number {number}", send_at=now + timedelta(seconds=number))

    found = find_in_inbox(creator, "numb")

    assert found.has_more
    assert [hit.message.text for hit in found.said][:2] == [f"number {MESSAGES_SHOWN}", f"number {MESSAGES_SHOWN - 1}"]


@pytest.mark.parametrize("query", ["", "  ", "!?", "\0", "'\"*"])
def test_without_a_word_nothing_is_found(creator: Creator, query: str) -> None:
    make_message(make_conversation(creator), text="Hello")

    found = find_in_inbox(creator, query)

    assert (found.fans, found.said) == ([], [])


def test_an_excerpt_marks_every_word_and_begins_near_the_first() -> None:
    text = "x" * 30 + " word" * 20 + " Le théâtre, the\nTHEATRE and more " + "z" * 300

    pieces = list(excerpt(text, ["theat"]))

    assert [piece.text for piece in pieces if piece.is_hit] == ["théâtre", "THEATRE"]
    line = "".join(piece.text for piece in pieces)
    assert line.startswith("…")
    assert line.endswith("…")
    assert " Le théâtre, the THEATRE and more zzz" in line
    assert len(line) < 200
