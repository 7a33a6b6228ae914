"""One message of a chat at the platform, brought into the ledger once: by an event, or by reading the chat."""

from datetime import timedelta

import structlog
from django.db.models import Q
from django.utils.translation import gettext_noop

from crm.models import Conversation, Fan, Line, Message
from crm.models.messages import OUTCOME_OPEN, Direction, Status
from onlyfans.gateway.contract import ChatMessage
from onlyfans.gateway.notation import comparable
from onlyfans.payloads import end_of_second

#: The provider's clock and ours may differ by this much.
CLOCK_TOLERANCE = timedelta(seconds=60)
#: A message that a person sent by hand, or saw on the platform, stands in the chat this close to when they said so.
BY_HAND_WITHIN = timedelta(minutes=15)

log = structlog.get_logger(__name__)


class StillSending(Exception):
    """It may be the message that is being sent right now: that call's own answer comes first."""


def take_in(fan: Fan, entry: ChatMessage, *, is_news: bool = True, patient: bool = True, is_mass: bool = False) -> None:
    """Let the ledger have this message, if it has not.

    ``is_news``: a fan's message counts as unread. ``patient``: raise StillSending when it may be one that is being
    sent; else settle that one. ``is_mass``: the platform's own mass messaging sent it, to very many at once.
    """
    # Every transaction that changes messages begins with the line; else two could wait for each other in a circle.
    Line.objects.stamp(fan.creator_id)
    if Message.objects.filter(creator_id=fan.creator_id).of_platform_id(entry.platform_id).exists():
        return
    if not entry.from_creator:
        Conversation.objects.with_fan(fan).receive(
            text=entry.text,
            platform_id=entry.platform_id,
            written_at=end_of_second(entry.created_at),
            price_cents=entry.price_cents,
            is_news=is_news,
        )
    elif is_mass or not _settled_one_of_ours(fan, entry, patient=patient):
        _show(fan, entry, is_mass=is_mass)


def _settled_one_of_ours(fan: Fan, entry: ChatMessage, *, patient: bool) -> bool:
    """Whether it is one of ours; also when several may be meant, which a person or the reconciler decides."""
    candidates = _candidates(fan, entry)
    if any(message.status == Status.SENDING for message in candidates) and (patient or len(candidates) > 1):
        raise StillSending("A message like this is on its way: its own answer comes first.")
    if len(candidates) == 1:
        _settle(candidates[0], entry)
    elif candidates:
        log.info("sent, but several may be meant", creator=fan.creator_id, message=entry.platform_id)
    return bool(candidates)


def _candidates(fan: Fan, entry: ChatMessage) -> list[Message]:
    """Ours of open outcome, else those that went out by hand without an id, of equal text and price."""
    ours = Message.objects.filter(
        conversation__fan=fan, direction=Direction.OUT, price_cents=entry.price_cents, platform_id=""
    )
    is_open = Q(status__in=(Status.SENDING, *OUTCOME_OPEN), sending_at__lte=entry.created_at + CLOCK_TOLERANCE)
    by_hand = Q(
        status=Status.SENT,
        sent_at__gte=entry.created_at - BY_HAND_WITHIN,
        sent_at__lte=entry.created_at + BY_HAND_WITHIN,
    )
    for condition in (is_open, by_hand):
        found = [row for row in ours.filter(condition) if comparable(row.text) == comparable(entry.text)]
        if found:
            return found
    return []


def _settle(message: Message, entry: ChatMessage) -> None:
    if message.status == Status.SENT:
        message.is_known_as(entry.platform_id)
        return
    settled = message.settle(
        Status.SENT,
        platform_id=entry.platform_id,
        sent_at=entry.created_at,
        cause_code="confirmed",
        cause=gettext_noop("The platform said that it was sent."),
        reconcile_at=None,
    )
    if not settled:
        raise StillSending("The message is being settled right now.")


def _show(fan: Fan, entry: ChatMessage, *, is_mass: bool) -> None:
    """Another tool sent it, or the creator by hand: those who answer here must see it."""
    if is_mass and not Conversation.objects.filter(fan=fan).exists():
        return
    Conversation.objects.with_fan(fan).show_sent(
        text=entry.text,
        platform_id=entry.platform_id,
        sent_at=end_of_second(entry.created_at),
        price_cents=entry.price_cents,
        is_mass=is_mass,
    )
