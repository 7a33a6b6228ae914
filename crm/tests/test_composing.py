from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from crm import composing
from crm.clock import database_now
from crm.forecast import forecast
from crm.models import AnsweredMeanwhile, Conversation, Dispatch, Draft, Message, StateForbids, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message, make_user
from crm.tests.parallel import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def mia() -> User:
    return make_user("mia")


@pytest.fixture
def anna() -> User:
    return make_user("anna")


@pytest.fixture
def conversation(mia: User, anna: User) -> Conversation:
    return make_conversation(fan=make_fan(make_creator(mia, anna)))


class TestUndo:
    def test_a_reply_waits_as_long_as_its_author_likes_and_keeps_its_place(
        self, conversation: Conversation, mia: User
    ) -> None:
        mia.undo_seconds = 10

        message = composing.reply(conversation, author=mia, text="Hello!")

        assert message.due_at - message.send_at == timedelta(seconds=10)
        now = message.send_at + timedelta(seconds=1)
        assert not Message.objects.front(conversation.creator_id, now).exists()
        Dispatch.note(heartbeat_at=now)
        waits = forecast(message, now=now)
        assert waits
        assert (waits.reason, waits.at) == ("undo", message.due_at)
        assert Message.objects.front(conversation.creator_id, message.due_at).exists()

    def test_who_wants_no_undo_waits_for_nothing(self, conversation: Conversation, mia: User) -> None:
        mia.undo_seconds = 0

        message = composing.reply(conversation, author=mia, text="Hello!")

        assert message.due_at == message.send_at

    def test_what_was_taken_back_is_in_the_composer_again_before_what_was_typed_since(
        self, conversation: Conversation, mia: User
    ) -> None:
        at = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
        media = ["https://a.example/1.jpg", "https://a.example/2.jpg"]
        message = composing.reply(
            conversation, author=mia, text="First", price_cents=1205, media_urls=media, send_at=at, client_key=uuid4()
        )
        Draft.objects.keep(conversation, mia, text="Second")

        composing.take_back(message, by=mia)

        message.refresh_from_db()
        draft = Draft.objects.get()
        assert message.status == Status.CANCELLED
        assert (draft.text, Decimal(draft.price)) == ("First\n\nSecond", Decimal("12.05"))
        assert draft.media_urls.split() == media
        assert draft.send_at == timezone.localtime(at).strftime(composing.SEND_AT_FORMAT)
        assert draft.client_key != message.client_key

    def test_what_was_taken_back_can_be_sent_again_even_if_the_draft_had_its_key(
        self, conversation: Conversation, mia: User
    ) -> None:
        key = uuid4()
        message = composing.reply(conversation, author=mia, text="Hello", client_key=key)
        Draft.objects.create(conversation=conversation, user=mia, text="again", client_key=key)

        draft = composing.take_back(message, by=mia)
        again = composing.reply(conversation, author=mia, text=draft.text, client_key=draft.client_key)

        assert (again.text, again.status) == ("Hello\n\nagain", Status.QUEUED)

    def test_what_has_left_is_not_taken_back(self, conversation: Conversation, mia: User) -> None:
        message = make_message(conversation, author=mia, status=Status.SENDING)

        with pytest.raises(StateForbids):
            composing.take_back(message, by=mia)

        assert not Draft.objects.exists()


class TestDrafts:
    def test_the_last_words_are_kept_for_one_person_and_one_fan(
        self, conversation: Conversation, mia: User, anna: User
    ) -> None:
        for words in ("H", "Hello"):
            assert Draft.objects.keep(conversation, mia, text=words)
        Draft.objects.keep(conversation, anna, text="Hi from Anna")

        assert {draft.user: draft.text for draft in Draft.objects.all()} == {mia: "Hello", anna: "Hi from Anna"}

    def test_what_was_emptied_is_forgotten(self, conversation: Conversation, mia: User) -> None:
        Draft.objects.keep(conversation, mia, text="Hello")

        Draft.objects.keep(conversation, mia, text=" ", price="")

        assert not Draft.objects.exists()

    def test_sending_retires_it(self, conversation: Conversation, mia: User, anna: User) -> None:
        for user in (mia, anna):
            Draft.objects.keep(conversation, user, text="Hello")

        composing.reply(conversation, author=mia, text="Hello")

        assert [draft.user for draft in Draft.objects.all()] == [anna]

    def test_one_that_comes_after_its_message_does_not_come_back_to_life(
        self, conversation: Conversation, mia: User
    ) -> None:
        key = uuid4()
        composing.reply(conversation, author=mia, text="Hello", client_key=key)

        assert not Draft.objects.keep(conversation, mia, text="Hell", client_key=key)

        assert not Draft.objects.exists()

    def test_a_key_that_is_used_twice_for_different_words_loses_none(
        self, conversation: Conversation, mia: User
    ) -> None:
        key = uuid4()
        composing.reply(conversation, author=mia, text="Hello", client_key=key)
        Draft.objects.create(conversation=conversation, user=mia, text="Hello there")

        composing.reply(conversation, author=mia, text="Hello there", client_key=key)

        assert Draft.objects.get().text == "Hello there"


class TestGuard:
    def test_nobody_answers_past_an_answer_that_they_have_not_seen(
        self, conversation: Conversation, mia: User, anna: User
    ) -> None:
        seen = make_message(conversation, status=Status.RECEIVED)
        theirs = composing.reply(conversation, author=anna, text="Anna was faster")

        with pytest.raises(AnsweredMeanwhile) as refused:
            composing.reply(conversation, author=mia, text="Hello", seen=seen.pk)

        assert refused.value.message == theirs
        assert Message.objects.filter(direction=Message.Direction.OUT).get() == theirs
        assert composing.reply(conversation, author=mia, text="Hello", seen=theirs.pk)

    def test_an_answer_from_elsewhere_counts_but_not_ones_own_nor_what_was_cancelled_or_is_a_mass_message(
        self, conversation: Conversation, mia: User, anna: User
    ) -> None:
        composing.reply(conversation, author=mia, text="One")
        make_message(conversation, author=anna, status=Status.CANCELLED)
        assert composing.reply(conversation, author=mia, text="Two", seen=0)

        conversation.show_sent(text="From the platform", platform_id="p1", sent_at=database_now())

        with pytest.raises(AnsweredMeanwhile):
            composing.reply(conversation, author=mia, text="Three", seen=0)

    def test_a_request_sent_twice_is_not_refused_for_what_came_between(
        self, conversation: Conversation, mia: User, anna: User
    ) -> None:
        key = uuid4()
        first = composing.reply(conversation, author=mia, text="Hello", client_key=key, seen=0)
        composing.reply(conversation, author=anna, text="Hi")

        assert composing.reply(conversation, author=mia, text="Hello", client_key=key, seen=0) == first


@pytest.mark.django_db(transaction=True)
def test_of_two_who_answer_at_the_same_moment_one_is_told(conversation: Conversation, mia: User, anna: User) -> None:
    seen = make_message(conversation, status=Status.RECEIVED)
    writers = [mia, anna]

    def answer() -> str:
        author = writers.pop()
        try:
            return composing.reply(conversation, author=author, text=author.username, seen=seen.pk).text
        except AnsweredMeanwhile as error:
            return f"after {error.message.text}"

    answers = at_once(answer, 2)

    sent = Message.objects.get(direction=Message.Direction.OUT).text
    assert sorted(answers) == sorted([sent, f"after {sent}"])
