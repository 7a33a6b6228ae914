import pytest
from django.utils import timezone

from crm import erasing
from crm.tests.factories import make_creator, make_fan
from onlyfans.models import Connection, ReadChat, WebhookEvent

pytestmark = pytest.mark.django_db


def test_an_erased_fans_events_lose_their_bodies_and_nobody_elses_do() -> None:
    creator = make_creator()
    connection = Connection.objects.create(creator=creator)
    fan = make_fan(creator, platform_id="12")
    bodies = [
        {"fromUser": {"id": 12, "name": "Mia"}},
        {"users": [{"id": "12"}]},
        {"fromUser": {"id": 123}, "text": "12 roses"},
    ]
    for number, body in enumerate(bodies):
        WebhookEvent.objects.create(
            connection=connection, event_key=str(number), kind="x", payload=body, due_at=timezone.now()
        )

    erasing.erase_fan(fan)

    events = WebhookEvent.objects.order_by("event_key")
    assert [event.payload for event in events] == [{}, {}, bodies[2]]
    assert [event.read_at is not None for event in events] == [True, True, False]


def test_an_erased_fans_chat_is_not_read_any_more() -> None:
    fan = make_fan(platform_id="12")
    reading = {"chats": ["12", "13"], "chat_cursor": "page 2 of 12", "chat_pages": 1}
    connection = Connection.objects.create(creator=fan.creator, sync_cursor=reading)
    for chat_id in ("12", "13"):
        ReadChat.objects.create(connection=connection, chat_id=chat_id, read_until=timezone.now())

    erasing.erase_fan(fan)

    connection.refresh_from_db()
    assert connection.sync_cursor == {"chats": ["13"], "chat_cursor": "", "chat_pages": 0}
    assert [chat.chat_id for chat in connection.read_chats.all()] == ["13"]
