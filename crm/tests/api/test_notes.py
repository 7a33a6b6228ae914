from typing import Any

import pytest

from crm.models import Conversation, Creator, Fan, Note, User
from crm.tests.api.asking import Api
from crm.tests.factories import make_conversation, make_fan, make_user

pytestmark = pytest.mark.django_db

NOTES = "/api/crm/notes"


@pytest.fixture
def fan(creator: Creator) -> Fan:
    return make_fan(creator)


def test_a_note_has_its_author_and_its_category(asks: Api, fan: Fan, user: User) -> None:
    note = asks.post(NOTES, fanId=str(fan.public_id), text="Likes tea.", category="preferences")

    assert (note["author"]["name"], note["category"], note["text"]) == (user.username, "preferences", "Likes tea.")
    assert asks.get(f"{NOTES}?fanId={fan.public_id}")["results"] == [note]
    assert asks.get(f"{NOTES}?fanId={fan.public_id}&category=mood")["results"] == []
    assert asks.patch(f"{NOTES}/{note['id']}", text="Likes coffee.")["category"] == "preferences"
    asks.delete(f"{NOTES}/{note['id']}")
    assert not Note.objects.exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [({"text": " "}, "text"), ({"text": "x" * 2001}, "text"), ({"text": "x", "category": "y"}, "category")],
)
def test_what_cannot_be_is_refused(asks: Api, fan: Fan, body: dict[str, Any], field: str) -> None:
    assert asks.refused("post", NOTES, fanId=str(fan.public_id), **body) == [field]


def test_the_list_is_one_fans(asks: Api, creator: Creator) -> None:
    assert asks.refused("get", NOTES) == ["fanId"]
    asks.get(f"{NOTES}?fanId={make_fan().public_id}", status=404)


def test_only_the_author_or_a_manager_changes_it(asks: Api, chatter_asks: Api, fan: Fan) -> None:
    mine = chatter_asks.post(NOTES, fanId=str(fan.public_id), text="Mine.")
    theirs = Note.objects.write(fan, author=make_user(), text="Theirs.")

    chatter_asks.patch(f"{NOTES}/{mine['id']}", text="Still mine.")
    chatter_asks.patch(f"{NOTES}/{theirs.public_id}", status=403, text="Mine now.")
    chatter_asks.delete(f"{NOTES}/{theirs.public_id}", status=403)
    asks.patch(f"{NOTES}/{mine['id']}", text="The owner's word.")


def test_the_conversation_has_changed_with_a_note(asks: Api, creator: Creator) -> None:
    talk = make_conversation(creator)

    asks.post(NOTES, fanId=str(talk.fan.public_id), text="Likes tea.")

    assert Conversation.objects.get().seq > 0
