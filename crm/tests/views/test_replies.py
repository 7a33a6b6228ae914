"""Writing to a fan: drafts, taking back, the guard against two answers, and snippets."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from crm.models import Conversation, Draft, Message, Snippet, User
from crm.models.messages import Status
from crm.tests.factories import make_creator, make_message, make_user

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def place(conversation: Conversation, name: str) -> str:
    return reverse(name, args=[conversation.public_id])


def page_of(client: Client, conversation: Conversation) -> str:
    return client.get(place(conversation, "conversation")).content.decode()


class TestDrafts:
    def test_what_was_typed_is_there_again_on_every_device(self, signed_in: Client, conversation: Conversation) -> None:
        typed = {"text": "Half a sen", "price": "5", "media_urls": "https://a.example/1.jpg", "priority": "5"}
        kept = signed_in.post(place(conversation, "draft"), typed | {"client_key": str(uuid4())}, headers=HTMX)
        assert kept.status_code == 204
        elsewhere = Client()
        elsewhere.force_login(Draft.objects.get().user)

        page = page_of(elsewhere, conversation)

        assert "Half a sen</textarea>" in page
        assert 'name="price" value="5"' in page
        assert '<option value="5" selected>' in page

    def test_nobody_sees_somebody_elses(self, client: Client, conversation: Conversation, user: User) -> None:
        Draft.objects.keep(conversation, make_user(), text="Not yours")
        client.force_login(user)

        assert "Not yours" not in page_of(client, conversation)

    def test_without_javascript_a_button_keeps_it(self, signed_in: Client, conversation: Conversation) -> None:
        answer = signed_in.post(place(conversation, "draft"), {"text": "Later"})

        assert (answer.status_code, answer.headers["Location"]) == (
            303,
            f"{place(conversation, 'conversation')}#composer",
        )
        assert "Later</textarea>" in page_of(signed_in, conversation)

    def test_one_that_is_too_long_is_refused_and_stays_on_the_page(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        long = {"text": "x" * (Draft.TEXT_MAX + 1)}

        assert signed_in.post(place(conversation, "draft"), long, headers=HTMX).status_code == 400
        page = signed_in.post(place(conversation, "draft"), long)

        assert page.status_code == 400
        assert "too long to be kept" in page.content.decode()
        assert long["text"] in page.content.decode()
        assert not Draft.objects.exists()

    def test_a_sent_one_is_gone(self, signed_in: Client, conversation: Conversation) -> None:
        signed_in.post(place(conversation, "draft"), {"text": "Hello"})

        signed_in.post(place(conversation, "conversation"), {"text": "Hello"})

        assert not Draft.objects.exists()


class TestUndo:
    def test_who_takes_it_back_finds_it_in_the_composer(self, signed_in: Client, conversation: Conversation) -> None:
        signed_in.post(place(conversation, "conversation"), {"text": "Too soon"})
        message = Message.objects.get()
        assert 'value="undo"' in page_of(signed_in, conversation)

        answer = signed_in.post(
            reverse("settle_message", args=[conversation.public_id, message.public_id]), {"act": "undo"}
        )

        assert answer.status_code == 303
        message.refresh_from_db()
        assert message.status == Status.CANCELLED
        assert "Too soon</textarea>" in page_of(signed_in, conversation)

    def test_it_is_offered_to_its_author_alone(
        self, signed_in: Client, client: Client, conversation: Conversation
    ) -> None:
        signed_in.post(place(conversation, "conversation"), {"text": "Too soon"})
        other = make_user()
        conversation.creator.memberships.create(user=other)
        client.force_login(other)

        page = page_of(client, conversation)

        assert 'value="undo"' not in page
        assert 'value="cancel"' in page

    def test_with_htmx_thread_and_composer_come_together(self, signed_in: Client, conversation: Conversation) -> None:
        signed_in.post(place(conversation, "conversation"), {"text": "Too soon"})
        message = Message.objects.get()

        answer = signed_in.post(
            reverse("settle_message", args=[conversation.public_id, message.public_id]), {"act": "undo"}, headers=HTMX
        )

        page = answer.content.decode()
        assert 'id="thread"' in page
        assert "Too soon</textarea>" in page


class TestGuard:
    @pytest.mark.parametrize("htmx", [False, True])
    def test_an_answer_nobody_saw_is_shown_and_the_text_stays(
        self, signed_in: Client, conversation: Conversation, htmx: bool
    ) -> None:
        seen = make_message(conversation, status=Status.RECEIVED)
        make_message(conversation, author=make_user(first_name="Anna"), text="I was faster")
        typed = {"text": "My <answer>", "seen": str(seen.public_id)}

        refused = signed_in.post(place(conversation, "conversation"), typed, headers=HTMX if htmx else {})

        page = refused.content.decode()
        assert refused.status_code == 409
        assert "I was faster" in page
        assert "My &lt;answer&gt;</textarea>" in page
        assert "Somebody else has just answered" in page
        assert 'name="anyway"' in page
        assert not Message.objects.filter(text="My <answer>").exists()

        sent = signed_in.post(place(conversation, "conversation"), typed | {"anyway": "1"})
        assert sent.status_code == 303
        assert Message.objects.filter(text="My <answer>").exists()

    def test_the_page_says_what_its_reader_has_seen(self, signed_in: Client, conversation: Conversation) -> None:
        make_message(conversation, author=make_user(), text="An answer")
        newest = make_message(conversation, status=Status.RECEIVED)

        page = page_of(signed_in, conversation)

        assert f'name="seen" value="{newest.public_id}"' in page
        sent = signed_in.post(place(conversation, "conversation"), {"text": "Hi", "seen": str(newest.public_id)})
        assert sent.status_code == 303

    @pytest.mark.parametrize("seen", ["", "nonsense", str(uuid4())])
    def test_who_saw_nothing_is_told_of_every_answer(
        self, signed_in: Client, conversation: Conversation, seen: str
    ) -> None:
        make_message(conversation, author=make_user())

        refused = signed_in.post(place(conversation, "conversation"), {"text": "Hi", "seen": seen})

        assert refused.status_code == 409


class TestSnippets:
    @pytest.fixture(autouse=True)
    def welcome(self, conversation: Conversation) -> Snippet:
        Snippet.objects.create(creator=conversation.creator, name="Price", text="It is $5, {name|dear}.")
        return Snippet.objects.create(creator=conversation.creator, name="Welcome", text="Hi {first_name|there}!")

    def test_they_are_found_by_name_and_text_and_read_as_this_fan_would(
        self, signed_in: Client, conversation: Conversation
    ) -> None:
        Snippet.objects.create(creator=make_creator(), name="Welcome elsewhere", text="Foreign")

        found = signed_in.get(place(conversation, "composer_snippets"), {"q": "WELC"}, headers=HTMX).content.decode()

        assert 'data-text="Hi Daniel!"' in found
        assert found.count('role="option"') == 1
        assert "It is $5, Daniel." in signed_in.get(place(conversation, "composer_snippets")).content.decode()

    def test_without_javascript_one_is_put_behind_what_was_typed(
        self, signed_in: Client, conversation: Conversation, welcome: Snippet
    ) -> None:
        chosen = signed_in.post(place(conversation, "draft"), {"text": "First this.", "choose": "1"})
        assert chosen.headers["Location"] == place(conversation, "composer_snippets")

        signed_in.post(place(conversation, "draft"), {"snippet": str(welcome.public_id)})

        assert Draft.objects.get().text == "First this.\nHi Daniel!"

    @pytest.mark.parametrize("named", ["foreign", "nonsense"])
    def test_a_foreign_one_is_not_there(self, signed_in: Client, conversation: Conversation, named: str) -> None:
        foreign = Snippet.objects.create(creator=make_creator(), name="Foreign", text="Foreign")
        asked: dict[str, Any] = {"snippet": str(foreign.public_id) if named == "foreign" else named}

        assert signed_in.post(place(conversation, "draft"), asked).status_code == 404
