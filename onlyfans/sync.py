"""Reading an account: its fans, its chats, and the messages and payments that no webhook told.

One task reads one page and writes where it was (``Connection.sync_cursor``), so a reading can stop anywhere and goes on
from there; whatever is read twice is known by its id. A reading goes back to where the last complete one began, and a
little further: what came while webhooks were away lies between messages that are known. Each chat goes back to where it
was last read itself (``ReadChat``), for a reading may pass over one: the list goes by the latest message, so a chat
whose fan writes leaves the pages that are yet to come.

Readings wait for uploads and for open outcomes, one page at a time and a pause after each, so that they never take the
workers from the messages.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Self
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from crm.clock import database_now
from crm.merging import identify
from crm.models import Dispatch, Fan, Line, Transaction
from onlyfans import errands
from onlyfans.chats import StillSending, take_in
from onlyfans.delivery import session_lost
from onlyfans.gateway import (
    ChatHead,
    ChatMessage,
    FanRecord,
    Gateway,
    NoGateway,
    Page,
    PaymentRecord,
    Rejected,
    SessionLost,
    Throttled,
    Trouble,
    gateway_for,
)
from onlyfans.models import Connection, Provider
from onlyfans.payments import take_in as take_in_payments
from onlyfans.queue import Carrier

log = structlog.get_logger(__name__)

READABLE = (Provider.OFAPI, Provider.OFAUTH)
#: Between two pages of one account: far below what providers allow, and a pause in which anything else goes first.
PAUSE = timedelta(seconds=2)
#: Errands of all creators together beside which no page is read.
ERRANDS_MAX = 2
#: A reading begins this long before the last one did: clocks differ, and a message may be late in its chat.
OVERLAP = timedelta(minutes=10)
#: The list of fans is long and changes slowly.
FANS_EVERY = timedelta(days=1)
AGAIN_FIRST, AGAIN_MAX = timedelta(seconds=30), timedelta(hours=1)
#: A provider that forgets where a list was would give its first page for ever.
LIST_PAGES_MAX, CHAT_PAGES_MAX = 2_000, 500
#: What a reading counts on its way.
COUNTS = ("fans_read", "chats_read", "messages_read", "payments_read")


@dataclass(slots=True)
class Reading:
    """Where the reading of an account is: in a list, or in the first of the ``chats`` that are yet to read."""

    began: str
    since: str
    stage: str = "chats"
    cursor: str = ""
    list_pages: int = 0
    chats: list[str] = field(default_factory=list)
    chat_cursor: str = ""
    chat_pages: int = 0
    fans_read: int = 0
    chats_read: int = 0
    messages_read: int = 0
    payments_read: int = 0

    @classmethod
    def begin(cls, connection: Connection, now: datetime) -> Self:
        since = connection.synced_at - OVERLAP if connection.synced_at else _history_begins(now)
        fans_are_old = connection.fans_synced_at is None or connection.fans_synced_at <= now - FANS_EVERY
        return cls(now.isoformat(), since.isoformat(), stage="fans" if fans_are_old else "chats")

    @property
    def is_over(self) -> bool:
        return self.stage == "done" and not self.chats

    def goes_back_to(self) -> datetime:
        return datetime.fromisoformat(self.since)

    def began_at(self) -> datetime:
        return datetime.fromisoformat(self.began)

    def turn_list(self, *, to: str, then: str) -> None:
        """On to the list's next page, or from its last one to what comes ``then``."""
        self.cursor, self.list_pages = to, self.list_pages + 1
        if not to or self.list_pages >= LIST_PAGES_MAX:
            self.stage, self.cursor, self.list_pages = then, "", 0

    def turn_chat(self, *, to: str) -> None:
        """On to the chat's next page, or from its last one to the next chat."""
        self.chat_cursor, self.chat_pages = to, self.chat_pages + 1
        if not to or self.chat_pages >= CHAT_PAGES_MAX:
            self.chats.pop(0)
            self.chat_cursor, self.chat_pages, self.chats_read = "", 0, self.chats_read + 1


def begin_anew(connection: Connection) -> None:
    """Forget where readings of this account were: the next one goes back as far as the first one did."""
    _write(connection, sync_cursor={}, synced_at=None, fans_synced_at=None)
    connection.read_chats.all().delete()


def _history_begins(now: datetime) -> datetime:
    return now - timedelta(days=settings.SYNC_HISTORY_DAYS) - OVERLAP


def hand_over(carry: Carrier) -> int:
    """Hand the accounts whose next page is due to workers, few at a time. Raises QueueUnavailable."""
    now = database_now()
    if not settings.SYNC_MINUTES or not settings.RATE_LIMITER_ENABLED:
        return 0
    due = readable().filter(Q(sync_at__isnull=True) | Q(sync_at__lte=now), creator__line__paused_at__isnull=True)
    next_ones = list(due.order_by("sync_at", "pk").values_list("pk", "creator", "creator__line")[:ERRANDS_MAX])
    if not next_ones:
        return 0
    for _pk, creator_id, line in next_ones:
        if line is None:
            # Nothing was ever written or received: the errand needs the creator's line, too.
            Line.objects.get_or_create(creator_id=creator_id)
    room = ERRANDS_MAX - Line.objects.filter(errand_until__gt=now).count()
    return errands.hand_over(
        due.filter(pk__in=[pk for pk, *_rest in next_ones[: max(room, 0)]]),
        creator="creator",
        due="sync_at",
        until=lambda _connection: now + errands.LEASE,
        carry=carry,
    )


def readable() -> Any:
    """Connections whose provider can be asked."""
    return Connection.objects.filter(provider__in=READABLE, state=Connection.State.CONNECTED)


def read_next(public_id: UUID) -> None:
    """Read one page of an account, and say when the next one is due."""
    connection = Connection.objects.select_related("creator__line").filter(public_id=public_id).first()
    if connection is None:
        return
    try:
        if not Dispatch.is_stopped() and not connection.creator.line.paused_at:
            step(connection)
    finally:
        Line.objects.end_errand(connection.creator_id)


def step(connection: Connection) -> tuple[Reading, Trouble | NoGateway | None]:
    """Read one page and write what it says, where the reading is and when it goes on, in one transaction.

    The answer is where the reading is now, and what kept it from going on; ``sync_trouble`` says that in words.
    """
    now = database_now()
    reading = Reading(**connection.sync_cursor) if connection.sync_cursor else Reading.begin(connection, now)
    try:
        trouble = _read_page(connection, gateway_for(connection), reading)
    except NoGateway as error:
        _again(connection, str(error), AGAIN_FIRST)
        return reading, error
    if trouble is not None:
        _in_trouble(connection, trouble)
    return reading, trouble


def _read_page(connection: Connection, gateway: Gateway, reading: Reading) -> Trouble | None:
    if reading.chats:
        chat_id = reading.chats[0]
        messages = gateway.list_messages(chat_id, reading.chat_cursor)
        if isinstance(messages, Rejected):
            # A chat that is gone: the others are not.
            log.info("chat not read", creator=connection.creator_id, chat=chat_id, code=messages.code)
            reading.turn_chat(to="")
            _went_on(connection, reading)
            return None
        if not isinstance(messages, Page):
            return messages
        with transaction.atomic():
            _take_in_messages(connection, reading, messages)
            _went_on(connection, reading)
    elif reading.stage == "fans":
        fans = gateway.list_fans(reading.cursor)
        if not isinstance(fans, Page):
            return fans
        with transaction.atomic():
            _take_in_fans(connection, reading, fans)
            _went_on(connection, reading)
    elif reading.stage == "payments":
        payments = gateway.list_payments(reading.cursor, since=reading.goes_back_to())
        if isinstance(payments, Rejected):
            # A key that may not see the money: messages are no less worth reading.
            log.warning("payments not read", creator=connection.creator_id, code=payments.code)
            payments = Page(())
        if not isinstance(payments, Page):
            return payments
        with transaction.atomic():
            _take_in_payments(connection, reading, payments)
            _went_on(connection, reading)
    else:
        chats = gateway.list_chats(reading.cursor)
        if not isinstance(chats, Page):
            return chats
        with transaction.atomic():
            _take_in_chats(connection, reading, chats)
            _went_on(connection, reading)
    return None


def _went_on(connection: Connection, reading: Reading) -> None:
    now = database_now()
    changes: dict[str, Any] = {"sync_failures": 0, "sync_trouble": ""}
    if reading.is_over:
        changes |= {"sync_cursor": {}, "synced_at": reading.began_at()}
        changes["sync_at"] = now + timedelta(minutes=settings.SYNC_MINUTES or 15)
        counts = {name: getattr(reading, name) for name in COUNTS}
        log.info("account read", creator=connection.creator_id, **counts)
    else:
        changes |= {"sync_cursor": asdict(reading), "sync_at": now + PAUSE}
    _write(connection, **changes)


def _write(connection: Connection, **changes: Any) -> None:
    Connection.objects.filter(pk=connection.pk).update(**changes)
    for name, value in changes.items():
        setattr(connection, name, value)


# --- What a page says


def _take_in_fans(connection: Connection, reading: Reading, page: Page[FanRecord]) -> None:
    Line.objects.stamp(connection.creator_id)
    now = database_now()
    stated = []
    for told in page.items:
        fan = identify(connection.creator, told.person.platform_id, handle=told.person.handle, name=told.person.name)
        this_fan = Fan.objects.filter(pk=fan.pk)
        if told.subscription:
            this_fan.learn_subscription(
                told.subscription, as_of=now, price_cents=told.price_cents, ends_at=told.ends_at
            )
        if told.joined_at:
            this_fan.joined(told.joined_at)
        if told.last_seen_at:
            this_fan.filter(Q(last_seen_at__isnull=True) | Q(last_seen_at__lt=told.last_seen_at)).update(
                last_seen_at=told.last_seen_at
            )
        # What somebody stated here is not overruled; from then on the money itself counts.
        if told.spent_cents and this_fan.filter(stated_value_cents__isnull=True).update(
            stated_value_cents=told.spent_cents, stated_value_at=now
        ):
            stated.append(fan.pk)
    Transaction.objects.recount_fans(stated)
    reading.fans_read += len(page.items)
    reading.turn_list(to=page.next, then="chats")
    if reading.stage != "fans":
        _write(connection, fans_synced_at=now)


def _take_in_chats(connection: Connection, reading: Reading, page: Page[ChatHead]) -> None:
    since = reading.goes_back_to()
    active = [head for head in page.items if head.last_at is None or head.last_at >= since]
    for head in active:
        identify(connection.creator, head.person.platform_id, handle=head.person.handle, name=head.person.name)
    chats = list(dict.fromkeys(head.person.platform_id for head in active))
    # Pages overlap, and a chat that moves up pushes others down into the next one.
    been = connection.read_chats.filter(chat_id__in=chats, read_until=reading.began_at())
    read_already = set(been.values_list("chat_id", flat=True))
    reading.chats = [chat_id for chat_id in chats if chat_id not in read_already]
    # The list goes by the latest message: where nothing is new, nothing after it is.
    reading.turn_list(to=page.next if active else "", then="payments")


def _take_in_payments(connection: Connection, reading: Reading, page: Page[PaymentRecord]) -> None:
    since = reading.goes_back_to()
    young = [payment for payment in page.items if payment.occurred_at >= since]
    take_in_payments(connection.creator, young, source=Transaction.Source.SYNC)
    reading.payments_read += len(young)
    reading.turn_list(to=page.next if young else "", then="done")


def _take_in_messages(connection: Connection, reading: Reading, page: Page[ChatMessage]) -> None:
    chat_id, began = reading.chats[0], reading.began_at()
    read_until = connection.read_chats.filter(chat_id=chat_id).values_list("read_until", flat=True).first()
    since = read_until - OVERLAP if read_until else _history_begins(began)
    fan = identify(connection.creator, chat_id)
    for entry in _oldest_first(page.items, since):
        try:
            take_in(fan, entry, is_news=entry.created_at > connection.created_at)
        except StillSending:
            # Its own answer settles it; the next reading goes back this far.
            log.info("left to its own answer", creator=connection.creator_id, message=entry.platform_id)
    reading.messages_read += len(page.items)
    reached_known = any(entry.created_at < since for entry in page.items)
    reading.turn_chat(to="" if reached_known else page.next)
    if chat_id not in reading.chats:
        connection.read_chats.update_or_create(chat_id=chat_id, defaults={"read_until": began})


def _oldest_first(entries: Iterable[ChatMessage], since: datetime) -> list[ChatMessage]:
    young = [entry for entry in entries if entry.created_at >= since]
    return sorted(young, key=lambda entry: (entry.created_at, len(entry.platform_id), entry.platform_id))


# --- When it cannot be read


def _in_trouble(connection: Connection, trouble: Trouble) -> None:
    """Readings wait by themselves: whatever they meet, sending goes its own way. But a lost session is one for both."""
    match trouble:
        case Throttled(after, words):
            _again(connection, words, timedelta(seconds=after))
        case SessionLost(_code, words):
            _again(connection, words, AGAIN_MAX)
            session_lost(connection.creator, connection, words)
        case _:
            wait = AGAIN_FIRST * 2 ** min(connection.sync_failures, 10)
            _again(connection, trouble.words, min(wait, AGAIN_MAX), failures=connection.sync_failures + 1)


def _again(connection: Connection, words: str, wait: timedelta, *, failures: int = 0) -> None:
    log.warning("account not read", creator=connection.creator_id, reason=words, again_in=wait.total_seconds())
    _write(connection, sync_at=database_now() + wait, sync_trouble=words[:300], sync_failures=failures)
