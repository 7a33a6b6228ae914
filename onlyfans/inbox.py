"""What a provider's event means for the ledger.

Events come late, twice and in any order, so each reader asks the ledger what it knows already. An event is
marked as read in the transaction of its effects: both happen or neither does.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, Line, Message
from crm.models.messages import Direction, Status
from onlyfans.gateway.notation import Unreadable, cents_of, comparable, id_of, text_of, time_of
from onlyfans.models import WebhookEvent

#: The provider's clock and ours may differ by this much.
CLOCK_TOLERANCE = timedelta(seconds=60)
#: Our messages of which the platform may tell that they were sent although we do not know it yet.
OUTCOME_OPEN = (Status.SENDING, Status.UNKNOWN, Status.NEEDS_PERSON)
NAME_MAX, HANDLE_MAX = 200, 120

log = structlog.get_logger(__name__)

Payload = Mapping[str, Any]


class TryLater(Exception):
    """Right now nobody can say what the event means; in a few seconds it will be clear."""


class CannotRead(Exception):
    """The event is not what the provider documents. The words are for a person."""


def read_event(event: WebhookEvent) -> None:
    """Let the ledger know what happened, once. Raises TryLater or CannotRead and has then changed nothing."""
    read = _READERS.get(event.kind, _take_note)
    try:
        with transaction.atomic():
            if _mark_read(event):
                read(event.connection.creator, _record(event.payload))
    except Unreadable as error:
        raise CannotRead(f"{event.kind}: {error}") from error


def _mark_read(event: WebhookEvent) -> bool:
    """False when somebody else has read it; until the transaction ends nobody else can."""
    now = database_now()
    unread = WebhookEvent.objects.filter(pk=event.pk, read_at__isnull=True)
    if not unread.update(read_at=now, trouble=""):
        return False
    event.read_at = now
    return True


# --- The kinds of events


def _message_received(creator: Creator, payload: Payload) -> None:
    """A fan wrote. The fan is ``fromUser``: a top-level ``user_id`` would be the creator."""
    sender = _record(payload.get("fromUser"))
    platform_id = id_of(payload.get("id"), name="payload.id")
    text, price_cents = text_of(payload.get("text")), cents_of(payload.get("price"))
    written_at = _written_at(time_of(payload.get("createdAt")))
    fan_id = id_of(sender.get("id"), name="payload.fromUser.id")
    # Every transaction that changes messages begins with the line; else the fan's row would be locked first.
    Line.objects.stamp(creator.pk)
    fan = _fan(creator, fan_id, handle=_words(sender, "username", HANDLE_MAX), name=_words(sender, "name", NAME_MAX))
    Conversation.objects.with_fan(fan).receive(
        text=text, platform_id=platform_id, written_at=written_at, price_cents=price_cents
    )


def _message_sent(creator: Creator, payload: Payload) -> None:
    """A message of the creator is on the platform: ours, perhaps of unknown outcome, or another tool's."""
    platform_id = id_of(payload.get("id"), name="payload.id")
    fan_id = id_of(_record(payload.get("toUser")).get("id"), name="payload.toUser.id")
    text, price_cents = text_of(payload.get("text")), cents_of(payload.get("price"))
    sent_at = time_of(payload.get("createdAt"))
    Line.objects.stamp(creator.pk)
    if Message.objects.filter(creator=creator, platform_id=platform_id).exists():
        return
    if payload.get("isFromQueue") is True:
        log.info("sent by the platform's own mass messaging", creator=str(creator.public_id))
        return
    candidates = [
        message
        for message in Message.objects.filter(
            creator=creator,
            conversation__fan__platform=creator.platform,
            conversation__fan__platform_id=fan_id,
            direction=Direction.OUT,
            status__in=OUTCOME_OPEN,
            price_cents=price_cents,
            sending_at__lte=sent_at + CLOCK_TOLERANCE,
        )
        if comparable(message.text) == comparable(text)
    ]
    _settle_the_one(candidates, platform_id=platform_id, sent_at=sent_at)


def _settle_the_one(candidates: list[Message], *, platform_id: str, sent_at: datetime) -> None:
    if any(message.status == Status.SENDING for message in candidates):
        raise TryLater("A message like this is on its way: its own answer comes first.")
    if len(candidates) != 1:
        log.info("sent by another tool" if not candidates else "sent, but several may be meant")
        return
    [message] = candidates
    settled = message.settle(
        Status.SENT,
        platform_id=platform_id,
        sent_at=sent_at,
        cause_code="confirmed",
        cause="The platform said that it was sent.",
        reconcile_at=None,
    )
    if not settled:
        raise TryLater("The message is being settled right now.")


def _take_note(creator: Creator, _payload: Payload) -> None:
    """Nothing in the ledger follows from this kind of event yet."""
    log.info("event without effect", creator=str(creator.public_id))


_READERS: Mapping[str, Callable[[Creator, Payload], None]] = {
    "messages.received": _message_received,
    "messages.sent": _message_sent,
}


# --- Finding people and words


def _fan(creator: Creator, platform_id: str, *, handle: str, name: str) -> Fan:
    """The fan with this id; else the one known by handle alone, who now has an id; else a new one."""
    of_creator = Fan.objects.filter(creator=creator, platform=creator.platform)
    known = of_creator.filter(platform_id=platform_id).first()
    if known:
        return known
    if handle and of_creator.filter(platform_id="", handle__iexact=handle).update(platform_id=platform_id):
        return of_creator.get(platform_id=platform_id)
    return Fan.objects.create(
        creator=creator, platform=creator.platform, platform_id=platform_id, handle=handle, name=name
    )


def _written_at(moment: datetime) -> datetime:
    """The end of the second that the provider names, but never the future.

    Providers cut the fraction off: taken to the letter, a quick answer would stand above the message it answers. And a
    clock ahead of ours must not pin a conversation to the top of the list.
    """
    return min(moment.replace(microsecond=999_999) if not moment.microsecond else moment, database_now())


def _words(record: Payload, name: str, length: int) -> str:
    value = record.get(name)
    return value.strip().removeprefix("@")[:length] if isinstance(value, str) else ""


def _record(value: object) -> Payload:
    return value if isinstance(value, dict) else {}
