"""What happens around a reply: it retires what its author began to write, and can be taken back into it."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from crm.clock import database_now
from crm.models import Conversation, Draft, Message, User

SEND_AT_FORMAT = "%Y-%m-%dT%H:%M"


def reply(conversation: Conversation, *, author: User, text: str, **values: Any) -> Message:
    """Queue it, as ``Conversation.queue`` does and with what that raises. Whoever answers has read.

    It waits as long as its author likes to be able to take it back.
    """
    with transaction.atomic():
        undo_within = timedelta(seconds=author.undo_seconds)
        message = conversation.queue(text=text, author=author, undo_within=undo_within, **values)
        if message.text == text:
            # Not for another message that has the same key: then the draft is all there is of this one.
            Draft.objects.filter(conversation=conversation, user=author).delete()
        conversation.mark_read()
    return message


def take_back(message: Message, *, by: User) -> Draft:
    """Cancel it, and put it before what ``by`` has begun to write since. Raises StateForbids.

    Times are written in the current time zone, in which the composer reads them.
    """
    with transaction.atomic():
        message.cancel(by=by)
        draft = Draft.objects.filter(conversation=message.conversation_id, user=by).first()
        draft = draft or Draft(conversation_id=message.conversation_id, user=by)
        draft.text = "\n\n".join(filter(str.strip, (message.text, draft.text)))[: Draft.TEXT_MAX]
        addresses = [attachment.url for attachment in message.attachments.all()]
        draft.media_urls = "\n".join([*addresses, *filter(None, [draft.media_urls])])[: Draft.MEDIA_MAX]
        draft.price = draft.price or _dollars(message.price_cents)
        draft.priority = draft.priority or str(message.priority)
        if message.send_at > database_now():
            draft.send_at = draft.send_at or timezone.localtime(message.send_at).strftime(SEND_AT_FORMAT)
        # It becomes another message: this one's key is used up.
        draft.client_key = Draft._meta.get_field("client_key").get_default()
        draft.save()
    return draft


def _dollars(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}" if cents else ""
