"""What the courier keeps of a fan: the bodies of the provider's events, and whose chats are yet to be read."""

from collections.abc import Iterator

from django.db.models import TextField
from django.db.models.functions import Cast

from crm.clock import database_now
from crm.models import Fan
from onlyfans.models import Connection, ReadChat, WebhookEvent


def forget(fan: Fan) -> None:
    """Empty every event that names the fan's platform id, and do not read their chat.

    An event that nobody has read yet is not read any more.
    """
    if not fan.platform_id:
        return
    _leave_readings(fan)
    of_creator = WebhookEvent.objects.filter(connection__creator=fan.creator_id)
    mentioning = of_creator.annotate(body=Cast("payload", TextField())).filter(body__contains=fan.platform_id)
    about = [event.pk for event in mentioning.iterator() if fan.platform_id in _values(event.payload)]
    events = WebhookEvent.objects.filter(pk__in=about)
    events.filter(read_at__isnull=True).update(read_at=database_now())
    events.update(payload={}, trouble="")


def _leave_readings(fan: Fan) -> None:
    ReadChat.objects.filter(connection__creator=fan.creator_id, chat_id=fan.platform_id).delete()
    for connection in Connection.objects.filter(creator=fan.creator_id).exclude(sync_cursor={}):
        chats: list[str] = connection.sync_cursor.get("chats", [])
        if fan.platform_id not in chats:
            continue
        if chats[0] == fan.platform_id:
            connection.sync_cursor |= {"chat_cursor": "", "chat_pages": 0}
        chats.remove(fan.platform_id)
        connection.save(update_fields=["sync_cursor"])


def _values(part: object) -> Iterator[str]:
    """Every word and number of the body, wherever it stands."""
    if isinstance(part, dict):
        part = [*part.values()]
    if isinstance(part, list):
        for each in part:
            yield from _values(each)
    else:
        yield str(part)
