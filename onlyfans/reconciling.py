"""What became of a message that left and was never answered: the chat at the provider knows.

A unique match settles it as sent. Finding nothing proves nothing, so the row stays ``unknown`` and is looked up again,
ever more rarely; nothing here sends it again.
"""

from datetime import timedelta
from uuid import UUID

import structlog
from django.db import IntegrityError
from django.db.models import F

from crm.clock import database_now
from crm.models import Dispatch, Message
from crm.models.messages import Direction, Status
from onlyfans.delivery import connection_of
from onlyfans.gateway import Chat, ChatMessage, NoGateway, gateway_for
from onlyfans.gateway.notation import comparable
from onlyfans.queue import Carrier, carry_due

log = structlog.get_logger(__name__)

AT_ONCE = 20
AGAIN_FIRST, AGAIN_MAX = timedelta(seconds=10), timedelta(minutes=10)
#: The provider's clock and ours may differ by this much.
CLOCK_TOLERANCE = timedelta(seconds=60)


def hand_over(carry: Carrier) -> int:
    """Hand the unknown outcomes that must be looked up now to workers. Raises QueueUnavailable."""
    if Dispatch.is_stopped():
        return 0
    now = database_now()
    unknown = Message.objects.filter(
        status=Status.UNKNOWN, reconcile_at__lte=now, creator__line__paused_at__isnull=True
    ).order_by("reconcile_at")
    return carry_due(
        unknown[:AT_ONCE], due="reconcile_at", until=lambda message: now + _wait_after(message), carry=carry
    )


def _wait_after(message: Message) -> timedelta:
    return min(AGAIN_FIRST * 2 ** min(message.reconciliations, 10), AGAIN_MAX)


def reconcile(public_id: UUID) -> None:
    """Read the chat and settle the message if exactly one entry of the chat can be it."""
    message = (
        Message.objects.select_related("conversation__fan", "creator__connection", "creator__line")
        .filter(public_id=public_id, status=Status.UNKNOWN)
        .first()
    )
    if message is None or message.sending_at is None or message.creator.line.paused_at or Dispatch.is_stopped():
        return
    Message.objects.filter(pk=message.pk).update(reconciliations=F("reconciliations") + 1)
    connection = connection_of(message.creator)
    try:
        chat = gateway_for(connection).read_chat(
            message.conversation.fan.platform_id, since=message.sending_at - CLOCK_TOLERANCE
        )
    except NoGateway as error:
        log.error("no way to the account", creator=message.creator_id, error=str(error))
        return
    if not isinstance(chat, Chat):
        log.info("chat not read", message=str(public_id), trouble=type(chat).__name__)
        return
    matches = _matches(message, chat)
    log.info("chat read", message=str(public_id), candidates=len(matches), complete=chat.complete)
    if len(matches) == 1 and not _twins(message):
        _settle(message, matches[0])


def _matches(message: Message, chat: Chat) -> list[ChatMessage]:
    """Entries of the chat that can be this message and that no row of the ledger has claimed yet."""
    assert message.sending_at is not None
    earliest = message.sending_at - CLOCK_TOLERANCE
    alike = [
        entry
        for entry in chat.messages
        if entry.from_creator
        and comparable(entry.text) == comparable(message.text)
        and entry.price_cents == message.price_cents
        and entry.created_at >= earliest
    ]
    known = set(
        Message.objects.filter(
            creator=message.creator, platform_id__in=[entry.platform_id for entry in alike]
        ).values_list("platform_id", flat=True)
    )
    return [entry for entry in alike if entry.platform_id not in known]


def _twins(message: Message) -> bool:
    """Another message of the same words and price whose outcome is open: which of them is in the chat?"""
    others = Message.objects.filter(
        conversation=message.conversation,
        direction=Direction.OUT,
        status__in=(Status.SENDING, Status.UNKNOWN, Status.NEEDS_PERSON),
        price_cents=message.price_cents,
    ).exclude(pk=message.pk)
    return any(comparable(other.text) == comparable(message.text) for other in others)


def _settle(message: Message, entry: ChatMessage) -> None:
    try:
        message.settle(
            Status.SENT,
            platform_id=entry.platform_id,
            sent_at=entry.created_at,
            cause_code="reconciled",
            cause="Found in the chat.",
            reconcile_at=None,
        )
    except IntegrityError:
        log.warning("another row was settled by this entry first", message=str(message.public_id))
