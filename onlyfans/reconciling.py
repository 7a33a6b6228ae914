"""What became of a message that left and was never answered: the chat at the provider knows.

A unique match settles it as sent. Finding nothing proves nothing by itself: after two complete readings, the first at
least 180 s after the call and the second 60 s after the first, or when several entries can be it, a person decides.
Nothing here sends it again.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db.models import F
from django.utils.translation import gettext_noop

from crm.clock import database_now
from crm.models import Dispatch, Line, Message
from crm.models.messages import OUTCOME_OPEN, Direction, Status
from onlyfans import errands
from onlyfans.delivery import connection_of, session_lost
from onlyfans.gateway import Chat, ChatMessage, NoGateway, SessionLost, Throttled, gateway_for
from onlyfans.gateway.notation import comparable
from onlyfans.queue import Carrier

log = structlog.get_logger(__name__)

AGAIN_FIRST, AGAIN_MAX = timedelta(seconds=10), timedelta(minutes=10)
#: The provider's clock and ours may differ by this much.
CLOCK_TOLERANCE = timedelta(seconds=60)


def hand_over(carry: Carrier) -> int:
    """Hand the unknown outcomes that must be looked up now to workers, one of each creator. Raises QueueUnavailable."""
    now = database_now()
    unknown = Message.objects.filter(
        status=Status.UNKNOWN, reconcile_at__lte=now, creator__line__paused_at__isnull=True
    )
    return errands.hand_over(
        unknown, creator="creator", due="reconcile_at", until=lambda message: _next_look(message, now), carry=carry
    )


def _next_look(message: Message, now: datetime) -> datetime:
    """Ever more rarely, but not later than the two readings that count."""
    later = now + min(AGAIN_FIRST * 2 ** min(message.reconciliations, 10), AGAIN_MAX)
    counts = None
    if message.absent_at:
        counts = message.absent_at + _absent_again()
    elif message.sending_at:
        counts = message.sending_at + _absent_after()
    return min(later, counts) if counts and counts > now else later


def reconcile(public_id: UUID) -> None:
    """Read the chat, and settle the message or leave it to a person, if the chat says enough."""
    message = (
        Message.objects.select_related("conversation__fan", "creator__connection").filter(public_id=public_id).first()
    )
    if message is None:
        return
    try:
        _reconcile(message)
    finally:
        Line.objects.end_errand(message.creator_id)


def _reconcile(message: Message) -> None:
    if message.status != Status.UNKNOWN or message.sending_at is None:
        return
    if not _may_ask(message.creator_id):
        return
    Message.objects.filter(pk=message.pk).update(reconciliations=F("reconciliations") + 1)
    connection, began = connection_of(message.creator), database_now()
    try:
        chat = gateway_for(connection).read_chat(
            message.conversation.fan.platform_id,
            since=message.sending_at - CLOCK_TOLERANCE,
            may_ask=partial(_may_ask, message.creator_id),
        )
    except NoGateway as error:
        log.error("no way to the account", creator=message.creator_id, error=str(error))
        return
    match chat:
        case Chat():
            _conclude(message, chat, began)
        case SessionLost(_code, words):
            session_lost(message.creator, connection, words)
        case Throttled(after, _words):
            _look_again(message, at=began + timedelta(seconds=after))
        case _:
            log.info("chat not read", message=str(message.public_id), trouble=type(chat).__name__)


def _may_ask(creator_id: int) -> bool:
    """A chat of several pages outlasts a stop otherwise: each page is a call."""
    is_paused = Line.objects.filter(creator_id=creator_id, paused_at__isnull=False)
    return not Dispatch.is_stopped() and not is_paused.exists()


def _conclude(message: Message, chat: Chat, began: datetime) -> None:
    """What one reading of the chat, begun then, means for the message."""
    matches = _matches(message, chat)
    log.info("chat read", message=str(message.public_id), candidates=len(matches), complete=chat.complete)
    if len(matches) > 1:
        _leave_to_a_person(
            message, "several_candidates", gettext_noop("The chat holds several messages that can be this one.")
        )
    elif matches and not _twins(message):
        _settle(message, matches[0])
    elif chat.complete:
        _not_told(message, began, found=bool(matches))


def _not_told(message: Message, began: datetime, *, found: bool) -> None:
    """A complete reading that decides nothing: of two, late enough and far enough apart, a person hears."""
    assert message.sending_at is not None
    if began < message.sending_at + _absent_after():
        return
    if message.absent_at is None:
        _look_again(message, at=began + _absent_again(), absent_at=began)
    elif began >= message.absent_at + _absent_again():
        if found:
            _leave_to_a_person(
                message, "alike", gettext_noop("The chat holds one such message, and two of ours can be it.")
            )
        else:
            _leave_to_a_person(
                message, "not_in_chat", gettext_noop("It is not in the chat, which proves nothing by itself.")
            )


def _look_again(message: Message, *, at: datetime, **changes: Any) -> None:
    still_open = Message.objects.filter(pk=message.pk, status=Status.UNKNOWN, sending_at=message.sending_at)
    still_open.update(reconcile_at=at, **changes)


def _leave_to_a_person(message: Message, code: str, words: str) -> None:
    message.settle(Status.NEEDS_PERSON, cause_code=code, cause=words, reconcile_at=None)
    log.warning("left to a person", message=str(message.public_id), creator=message.creator_id, cause=code)


def _absent_after() -> timedelta:
    """How long after the call a reading counts that does not find the message: chats show a message late."""
    return timedelta(seconds=settings.RECONCILE_ABSENT_AFTER_SECONDS)


def _absent_again() -> timedelta:
    """How far apart two readings must be that do not find it."""
    return timedelta(seconds=settings.RECONCILE_ABSENT_AGAIN_SECONDS)


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
        status__in=(Status.SENDING, *OUTCOME_OPEN),
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
            cause=gettext_noop("Found in the chat."),
            reconcile_at=None,
        )
    except IntegrityError:
        log.warning("another row was settled by this entry first", message=str(message.public_id))
