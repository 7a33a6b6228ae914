"""What a provider's event means for the ledger.

Events come late, twice and in any order, so each reader asks the ledger what it knows already. An event is
marked as read in the transaction of its effects: both happen or neither does.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_noop

from crm.clock import database_now
from crm.models import EarlyNews, Line, Message, Payment, SubscriptionEvent, Transaction
from crm.models.messages import ON_THE_PLATFORM, OUTCOME_OPEN, Direction, Status
from onlyfans import payments
from onlyfans.chats import StillSending, take_in
from onlyfans.delivery import session_lost
from onlyfans.gateway.contract import ChatMessage
from onlyfans.gateway.notation import Unreadable, cents_of, id_of, text_of, time_of
from onlyfans.gateway.pages import payment_of
from onlyfans.models import WebhookEvent
from onlyfans.payloads import Payload, amount_of, fan_of, linked_message, record, words

#: An event about a message that is being sent waits this long for the call's own answer (design, section 3).
PATIENCE = timedelta(seconds=10)

log = structlog.get_logger(__name__)


class TryLater(Exception):
    """Right now nobody can say what the event means; in a few seconds it will be clear."""


class CannotRead(Exception):
    """The event is not what the provider documents. The words are for a person."""


def read_event(event: WebhookEvent) -> None:
    """Let the ledger know what happened, once. Raises TryLater or CannotRead and has then changed nothing."""
    read = READERS.get(event.kind, _take_note)
    try:
        with transaction.atomic():
            if _mark_read(event):
                read(event, record(event.payload))
    except Unreadable as error:
        raise CannotRead(f"{event.kind}: {error}") from error
    except StillSending as error:
        raise TryLater(str(error)) from error


def _mark_read(event: WebhookEvent) -> bool:
    """False when somebody else has read it; until the transaction ends nobody else can."""
    now = database_now()
    unread = WebhookEvent.objects.filter(pk=event.pk, read_at__isnull=True)
    if not unread.update(read_at=now, trouble=""):
        return False
    event.read_at = now
    return True


def _is_young(event: WebhookEvent) -> bool:
    return database_now() - event.received_at < PATIENCE


# --- Messages


def _message_received(event: WebhookEvent, payload: Payload) -> None:
    """A fan wrote. The fan is ``fromUser``: a top-level ``user_id`` would be the creator."""
    entry = _entry(payload, from_creator=False)
    take_in(fan_of(event.connection.creator, payload.get("fromUser"), name="payload.fromUser"), entry)


def _message_sent(event: WebhookEvent, payload: Payload) -> None:
    """A message of the creator is on the platform: ours, perhaps of unknown outcome, or another tool's."""
    entry = _entry(payload, from_creator=True)
    fan = fan_of(event.connection.creator, payload.get("toUser"), name="payload.toUser")
    take_in(fan, entry, patient=_is_young(event), is_mass=payload.get("isFromQueue") is True)


def _entry(payload: Payload, *, from_creator: bool) -> ChatMessage:
    return ChatMessage(
        platform_id=id_of(payload.get("id"), name="payload.id"),
        text=text_of(payload.get("text")),
        price_cents=cents_of(payload.get("price")),
        created_at=time_of(payload.get("createdAt")),
        from_creator=from_creator,
    )


def _message_deleted(event: WebhookEvent, payload: Payload) -> None:
    """It disappeared from the platform. Here it stays, and says so; also one that comes in later."""
    creator, at = event.connection.creator, _when(event, payload, "deletedAt")
    platform_id = id_of(payload.get("id"), name="payload.id")
    # Whoever brings the message in waits for this, or was first.
    Line.objects.stamp(creator.pk)
    message = Message.objects.filter(creator=creator).of_platform_id(platform_id).first()
    if message is not None:
        message.disappear(at=at)
    else:
        EarlyNews.objects.keep(creator, platform_id, deleted_at=at)


# --- Money


def _message_unlocked(event: WebhookEvent, payload: Payload) -> None:
    """A fan paid for a message. The fan is ``user``, or stands in the link: ``user_id`` would be the creator."""
    creator = event.connection.creator
    key = id_of(payload.get("id"), name="payload.id")
    amount_cents = amount_of(payload, number="amount", text="{AMOUNT}")
    chat_id, message_id = linked_message(payload)
    fan = fan_of(creator, payload.get("user") or {"id": chat_id}, name="payload.user")
    ours = Message.objects.filter(conversation__fan=fan, direction=Direction.OUT)
    message = ours.of_platform_id(message_id).first() if message_id else _the_one_to_buy(event, ours, amount_cents)
    telling = Payment(
        kind=Transaction.Kind.MESSAGE,
        amount_cents=amount_cents,
        occurred_at=time_of(payload.get("createdAt")),
        source=Transaction.Source.EVENT,
        fan=fan,
        message=message,
        currency="USD",
        event_key=f"unlock:{key}",
    )
    ((payment, _is_new),) = Transaction.objects.record(creator, [telling])
    if message_id and message is None:
        # The line is locked since the fan was looked up: whoever brings the message in waits for this.
        EarlyNews.objects.keep(creator, message_id, payment=payment)


def _the_one_to_buy(event: WebhookEvent, ours: QuerySet[Message], price_cents: int) -> Message | None:
    """Without a link, the one paid message of that price that waits to be bought; with several, none.

    One whose outcome is open may be it: then its own answer comes first.
    """
    alike = ours.filter(price_cents=price_cents)
    if _is_young(event) and alike.filter(status__in=(Status.SENDING, *OUTCOME_OPEN)).exists():
        raise TryLater("The message that was bought may be one whose outcome is open.")
    unbought = alike.filter(purchased_at__isnull=True, status__in=ON_THE_PLATFORM)[:2]
    return unbought[0] if len(unbought) == 1 else None


def _tip_received(event: WebhookEvent, payload: Payload) -> None:
    """A fan gave a tip. The fan is ``user``: ``user_id`` would be the creator."""
    key = id_of(payload.get("id"), name="payload.id")
    creator = event.connection.creator
    Transaction.objects.record(
        creator,
        [
            Payment(
                kind=Transaction.Kind.TIP,
                amount_cents=amount_of(payload, number="amountGross", text="{AMOUNT}"),
                net_cents=cents_of(payload.get("amountNet"), name="payload.amountNet") or None,
                occurred_at=time_of(payload.get("createdAt")),
                source=Transaction.Source.EVENT,
                fan=fan_of(creator, payload.get("user"), name="payload.user"),
                currency="USD",
                event_key=f"tip:{key}",
            )
        ],
    )


def _transaction(event: WebhookEvent, payload: Payload) -> None:
    """Money moved. An unlock, a tip or a subscription was told of by an event of its own, before or after."""
    payments.take_in(event.connection.creator, [payment_of(payload)], source=Transaction.Source.EVENT)


# --- Subscriptions


def _subscription(kind: SubscriptionEvent.Kind) -> "Reader":
    def read(event: WebhookEvent, payload: Payload) -> None:
        ended = kind == SubscriptionEvent.Kind.EXPIRED and payload.get("expiredAt") is not None
        prices = record(payload.get("replacePairs"))
        SubscriptionEvent.objects.record(
            fan_of(event.connection.creator, payload.get("user"), name="payload.user"),
            kind,
            occurred_at=time_of(payload.get("expiredAt" if ended else "createdAt")),
            price_cents=amount_of(payload, number="price", text="{PRICE}") if _names_price(payload, prices) else None,
            platform_id=id_of(payload["id"], name="payload.id") if payload.get("id") else "",
        )

    return read


def _names_price(payload: Payload, prices: Payload) -> bool:
    return payload.get("price") is not None or words(prices, "{PRICE}").startswith("$")


# --- The account itself

#: Why nothing can be sent, in words for those who write messages.
LOST = {
    "accounts.disconnected": gettext_noop("The account was disconnected at the provider."),
    "accounts.session_expired": gettext_noop("The platform has ended the session."),
    "accounts.authentication_failed": gettext_noop("Signing in to the platform failed."),
    "accounts.otp_code_required": gettext_noop("The platform asks for a one-time code."),
    "accounts.face_otp_required": gettext_noop("The platform asks for a face check."),
    "connection.expired": gettext_noop("The platform has ended the session."),
    "connection.updated": gettext_noop("The provider says that the connection has expired."),
}


def _account_lost(event: WebhookEvent, payload: Payload) -> None:
    at = _when(event, payload, "disconnected_at")
    if event.connection.is_news(at):
        session_lost(event.connection.creator, event.connection, LOST[event.kind], at=at)


def _account_back(event: WebhookEvent, payload: Payload) -> None:
    at = _when(event, record(payload.get("latestAuthAttempt")), "completed_at")
    if event.connection.is_news(at):
        event.connection.came_back(at=at)
        log.info("session is back", creator=event.connection.creator_id)


def _when(event: WebhookEvent, payload: Payload, name: str) -> datetime:
    """The moment that the payload names, else when the event came."""
    return time_of(payload[name], name=f"payload.{name}") if payload.get(name) else event.received_at


def _realtime_message(event: WebhookEvent, payload: Payload) -> None:
    """OFAuth passes the platform's own realtime message on, in a wrapper or without."""
    _message_received(event, record(payload.get("api2_chat_message")) or payload)


def _connection_updated(event: WebhookEvent, payload: Payload) -> None:
    status = words(payload, "status") or words(record(payload.get("connection")), "status")
    if status == "active":
        _account_back(event, payload)
    elif status in ("expired", "disconnected"):
        _account_lost(event, payload)
    else:
        _take_note(event, payload)


def _take_note(event: WebhookEvent, _payload: Payload) -> None:
    """Nothing in the ledger follows from this kind of event."""
    log.info("event without effect", creator=event.connection.creator_id, kind=event.kind)


Reader = Callable[[WebhookEvent, Payload], None]

READERS: Mapping[str, Reader] = {
    "messages.received": _message_received,
    "messages.sent": _message_sent,
    "messages.deleted": _message_deleted,
    "messages.ppv.unlocked": _message_unlocked,
    "tips.received": _tip_received,
    "transactions.new": _transaction,
    "subscriptions.new": _subscription(SubscriptionEvent.Kind.STARTED),
    "subscriptions.renewed": _subscription(SubscriptionEvent.Kind.RENEWED),
    "subscriptions.expired": _subscription(SubscriptionEvent.Kind.EXPIRED),
    "accounts.connected": _account_back,
    "accounts.reconnected": _account_back,
    **dict.fromkeys(LOST, _account_lost),
    # OFAuth's own
    "realtime.chat_message.received": _realtime_message,
    "realtime.chat_message.deleted": _message_deleted,
    "connection.created": _account_back,
    "connection.updated": _connection_updated,
}
