import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError

from crm.clock import database_now
from crm.models import Conversation, FanNotReachable, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message, make_user

pytestmark = pytest.mark.django_db


def the_line_of(conversation: Conversation) -> Line:
    return Line.objects.get(creator_id=conversation.creator_id)


class TestQueue:
    def test_writes_a_waiting_row_and_wakes_its_line(self) -> None:
        conversation = make_conversation()
        author = make_user()

        message = conversation.queue(text="Hello!", author=author)

        message.refresh_from_db()
        assert (message.status, message.direction, message.author) == ("queued", "out", author)
        line = the_line_of(conversation)
        assert line.wake_at == message.due_at
        assert line.seq == message.seq
        assert line.version == 1

    def test_puts_the_conversation_on_top_of_the_list_with_its_first_words(self) -> None:
        conversation = make_conversation()

        message = conversation.queue(text="Hello\n  there", author=None)

        conversation.refresh_from_db()
        assert conversation.last_text == "Hello there"
        assert conversation.last_direction == "out"
        assert conversation.seq == message.seq

    def test_a_moment_that_has_passed_means_now(self) -> None:
        conversation = make_conversation()
        first = conversation.queue(text="first", author=None)

        late = conversation.queue(text="late", author=None, send_at=first.send_at - timedelta(days=400))

        assert late.send_at >= first.send_at

    def test_creates_the_line_of_a_creator_that_has_none(self) -> None:
        conversation = make_conversation()
        Line.objects.all().delete()

        conversation.queue(text="Hello!", author=None)

        assert the_line_of(conversation).wake_at is not None

    def test_never_moves_a_wake_up_to_a_later_time(self) -> None:
        conversation = make_conversation()
        now_message = conversation.queue(text="now", author=None)

        conversation.queue(text="tomorrow", author=None, send_at=database_now() + timedelta(days=1))

        assert the_line_of(conversation).wake_at == now_message.due_at

    def test_gives_the_first_message_back_for_the_same_client_key(self) -> None:
        conversation = make_conversation()
        key = uuid.uuid4()

        first = conversation.queue(text="once", author=None, client_key=key)
        second = conversation.queue(text="once", author=None, client_key=key)

        assert second == first
        assert Message.objects.count() == 1
        assert the_line_of(conversation).seq == first.seq

    @pytest.mark.parametrize(
        ("wording", "field"),
        [
            ({"text": ""}, "text"),
            ({"text": " \n\t "}, "text"),
            ({"text": "x" * 5001}, "text"),
            ({"text": "a\0b"}, "text"),
            ({"text": "x", "price_cents": 299}, "price_cents"),
            ({"text": "x", "price_cents": 20_001, "media_urls": ["https://a.example/1.jpg"]}, "price_cents"),
            ({"text": "x", "price_cents": 500}, "price_cents"),
            ({"text": "x", "priority": 0}, "priority"),
            ({"text": "x", "priority": 11}, "priority"),
            ({"text": "x", "media_urls": ["ftp://a.example/1.jpg"]}, "media_urls"),
            ({"text": "x", "media_urls": ["https://a.example/1.jpg"] * 21}, "media_urls"),
            ({"text": "x", "send_at": datetime.now(UTC) + timedelta(days=400)}, "send_at"),
        ],
    )
    def test_refuses_what_the_platform_would_not_take_and_writes_nothing(self, wording: dict, field: str) -> None:
        conversation = make_conversation()

        with pytest.raises(ValidationError) as refusal:
            conversation.queue(author=None, **wording)

        assert field in refusal.value.message_dict
        assert not Message.objects.exists()
        assert the_line_of(conversation).wake_at is None

    def test_takes_a_text_of_exactly_five_thousand_characters(self) -> None:
        message = make_conversation().queue(text="é" * 5000, author=None)

        assert len(Message.objects.get(pk=message.pk).text) == 5000

    def test_refuses_a_fan_without_a_platform_id(self) -> None:
        conversation = make_conversation(fan=make_fan(platform_id="", handle="known-by-name"))

        with pytest.raises(FanNotReachable):
            conversation.queue(text="Hello!", author=None)

    def test_keeps_media_in_order_and_waits_for_its_upload(self) -> None:
        urls = ["https://a.example/1.jpg", "https://a.example/2.mp4"]

        message = make_conversation().queue(text="Look", author=None, price_cents=500, media_urls=urls)

        assert [attachment.url for attachment in message.attachments.all()] == urls
        assert message.waits_for_media
        for attachment in message.attachments.all():
            attachment.arrived(f"id-{attachment.position}", now=database_now())
        message.refresh_from_db()
        assert not message.waits_for_media


class TestOrderInAConversation:
    def test_a_later_message_lifts_the_earlier_ones_to_its_priority(self) -> None:
        conversation = make_conversation()
        first = conversation.queue(text="first", author=None, priority=1)
        second = conversation.queue(text="second", author=None, priority=10)

        first.refresh_from_db()

        assert first.priority == second.priority == 10

    def test_a_message_is_never_sorted_behind_a_later_scheduled_one(self) -> None:
        conversation = make_conversation()
        soon = database_now() + timedelta(hours=1)
        conversation.queue(text="later", author=None, priority=10, send_at=soon)

        earlier = conversation.queue(text="earlier", author=None, priority=1)

        assert earlier.priority == 10

    def test_other_conversations_keep_their_priority(self) -> None:
        creator = make_creator()
        other = make_conversation(creator).queue(text="elsewhere", author=None, priority=1)

        make_conversation(creator).queue(text="here", author=None, priority=10)

        other.refresh_from_db()
        assert other.priority == 1


class TestReceive:
    def test_adds_an_unread_message_once(self) -> None:
        conversation = make_conversation()
        written_at = database_now()

        for _copy in range(2):
            conversation.receive(text="hi!", platform_id="77", written_at=written_at)

        conversation.refresh_from_db()
        assert conversation.messages.count() == 1
        assert conversation.unread_count == 1
        assert conversation.last_text == "hi!"
        assert conversation.fan.last_seen_at == written_at

    def test_an_old_message_does_not_hide_a_newer_one_in_the_list(self) -> None:
        conversation = make_conversation()
        now = database_now()
        conversation.receive(text="new", platform_id="2", written_at=now)

        conversation.receive(text="old", platform_id="1", written_at=now - timedelta(days=2))

        conversation.refresh_from_db()
        assert conversation.last_text == "new"
        assert conversation.unread_count == 2


class TestMarkRead:
    def test_clears_the_count_and_stamps_the_change(self) -> None:
        conversation = make_conversation()
        received = conversation.receive(text="hi!", platform_id="1", written_at=database_now())

        conversation.mark_read()

        conversation.refresh_from_db()
        assert conversation.unread_count == 0
        assert conversation.seq == received.seq + 1

    def test_changes_nothing_when_all_is_read(self) -> None:
        conversation = make_conversation()

        conversation.mark_read()

        assert the_line_of(conversation).seq == 0


class TestForUser:
    def test_shows_members_their_creators_conversations_and_nobody_elses(self) -> None:
        mine, theirs = make_user(), make_user()
        conversation = make_conversation(make_creator(mine))
        make_conversation(make_creator(theirs))

        assert list(Conversation.objects.for_user(mine)) == [conversation]


def test_a_message_of_each_status_can_be_stored() -> None:
    conversation = make_conversation()

    for status in Status:
        make_message(conversation, status=status)

    assert Message.objects.count() == len(Status)
