"""The card beside a thread, and who else is there."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from crm.clock import database_now
from crm.models import Campaign, Conversation, Membership, Note, Presence, Tag, Transaction, User
from crm.models.messages import Status
from crm.tests.factories import make_membership, make_message, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def place(conversation: Conversation, name: str, *ids: object) -> str:
    return reverse(name, args=[conversation.public_id, *ids])


def text(answer: Any) -> str:
    return str(answer.content.decode())


def test_it_says_what_was_bought_and_what_was_sent(signed_in: Client, conversation: Conversation) -> None:
    campaign, now = Campaign.objects.create(creator=conversation.creator, name="Spring set", text="x"), database_now()
    make_message(conversation, campaign=campaign, status=Status.SENT, purchased_at=now)
    common = {"creator": conversation.creator, "fan": conversation.fan, "occurred_at": now, "source": "import"}
    Transaction.objects.create(kind="tip", amount_cents=123456, platform_id="1", **common)
    Transaction.objects.create(kind="tip", amount_cents=-250, currency="EUR", platform_id="2", **common)
    Transaction.objects.create(kind="tip", amount_cents=500, currency="JPY", platform_id="3", **common)

    page = text(signed_in.get(place(conversation, "fan_card")))

    for words in ("Spring set", "$1,234.56", "−€2.50", "500\u00a0JPY", "Bought"):
        assert words in page
    assert "<html" in page
    assert "<html" not in text(signed_in.get(place(conversation, "fan_card"), headers=HTMX))


def test_tags_are_put_on_and_taken_off(signed_in: Client, conversation: Conversation) -> None:
    for name in ("Whale", "whale", "Night owl"):
        assert signed_in.post(place(conversation, "fan_card_tags"), {"add": name}).status_code == 303
    whale = Tag.objects.get(name="Whale")

    page = signed_in.post(place(conversation, "fan_card_tags"), {"remove": str(whale.public_id)}, headers=HTMX)

    assert [tag.name for tag in conversation.fan.tags.all()] == ["Night owl"]
    assert "Night owl" in text(page)


def test_a_tag_that_cannot_be_says_why(signed_in: Client, conversation: Conversation) -> None:
    answer = signed_in.post(place(conversation, "fan_card_tags"), {"add": "x" * 61})

    assert answer.status_code == 400
    assert "at most 60 characters" in text(answer)


def test_a_foreign_tag_is_not_there(signed_in: Client, conversation: Conversation) -> None:
    assert signed_in.post(place(conversation, "fan_card_tags"), {"remove": "nonsense"}).status_code == 404


def test_a_note_is_written_changed_and_deleted(signed_in: Client, conversation: Conversation, user: User) -> None:
    written = {"text": "Likes milk.", "category": "preferences"}
    assert signed_in.post(place(conversation, "fan_card_notes"), written).status_code == 303
    note = Note.objects.get()
    assert (note.author, note.text, note.category) == (user, "Likes milk.", "preferences")
    one = place(conversation, "fan_card_note", note.public_id)

    signed_in.post(one, {"text": "Likes tea.", "category": "personal"})
    assert "Likes tea." in text(signed_in.get(place(conversation, "fan_card")))

    signed_in.post(one, {"act": "delete"})
    assert not Note.objects.exists()


def test_what_is_wrong_with_a_note_stands_at_it_and_the_words_stay(
    signed_in: Client, conversation: Conversation, user: User
) -> None:
    note = Note.objects.write(conversation.fan, author=user, text="Likes milk.")
    long = {"text": "x" * 2001, "category": "personal"}

    for address in (place(conversation, "fan_card_notes"), place(conversation, "fan_card_note", note.public_id)):
        answer = signed_in.post(address, long)
        assert answer.status_code == 400
        assert "at most 2000 characters" in text(answer)
        assert long["text"] in text(answer)


def test_only_its_author_or_a_manager_changes_a_note(client: Client, conversation: Conversation, user: User) -> None:
    note = Note.objects.write(conversation.fan, author=user, text="Likes milk.")
    chatter = make_user()
    make_membership(chatter, conversation.creator, role=Membership.Role.CHATTER)
    client.force_login(chatter)

    answer = client.post(place(conversation, "fan_card_note", note.public_id), {"act": "delete"})

    assert answer.status_code == 403
    assert "Delete note" not in text(client.get(place(conversation, "fan_card")))


def test_those_who_look_on_see_who_else_is_here(signed_in: Client, client: Client, conversation: Conversation) -> None:
    anna = make_user("anna", first_name="Anna")
    Presence.objects.note(anna, conversation, is_writing=False, now=database_now())

    here = text(signed_in.post(place(conversation, "presence"), {"writing": "1"}))
    assert "Anna is here" in here

    make_membership(anna, conversation.creator)
    client.force_login(anna)
    assert "mia is writing" in text(client.post(place(conversation, "presence")))
