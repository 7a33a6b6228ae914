"""The platform's lists, as its bridges pass them on: chats, messages, fans, payments.

Its paging is not to be trusted: a page is shorter than asked for and overlaps the one before, chats ignore the limit,
and "more" may never come. So a list goes on from what came back, and ends where nothing new comes.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from time import monotonic
from typing import Any, TypeVar

import structlog
from django.conf import settings

from onlyfans.gateway.contract import Chat, ChatHead, ChatMessage, FanRecord, Page, PaymentRecord, Person, Trouble
from onlyfans.gateway.http import Answer
from onlyfans.gateway.notation import Unreadable, cents_of, id_of, text_of, time_of
from onlyfans.gateway.verdict import not_readable, record

PAGES_MAX, MESSAGES_LIMIT = 20, 100
NAME_MAX = 200

log = structlog.get_logger(__name__)

Item = TypeVar("Item")


def read(answer: Answer | Trouble, parse: Callable[[object], Page[Item]]) -> Page[Item] | Trouble:
    """The page that an answer holds."""
    if not isinstance(answer, Answer):
        return answer
    try:
        return parse(answer.document)
    except Unreadable:
        return not_readable(answer)


# --- Chats and fans: by offset


def chats_of(document: object, *, cursor: str) -> Page[ChatHead]:
    """Raises Unreadable."""
    entries, has_more = _entries_of(document)
    return Page(_readable(entries, _chat_of), _next_offset(cursor, entries, has_more))


def fans_of(document: object, *, cursor: str) -> Page[FanRecord]:
    """Raises Unreadable."""
    entries, has_more = _entries_of(document)
    return Page(_readable(entries, _fan_of), _next_offset(cursor, entries, has_more))


def _next_offset(cursor: str, entries: list[Mapping[str, Any]], has_more: bool | None) -> str:
    """As far as what came back reaches, for the limit may have been ignored; a tenth of it once more.

    When an entry leaves the list meanwhile, all below move up by one: without that the next page would begin too late.
    """
    overlap = len(entries) // 10
    return "" if has_more is False or not entries else str(int(cursor or 0) + len(entries) - overlap)


def _readable(entries: list[Mapping[str, Any]], parse: Callable[[Mapping[str, Any]], Item]) -> list[Item]:
    """One odd entry, say of somebody who has left the platform, must not hide all that come after it."""
    items = []
    for entry in entries:
        try:
            items.append(parse(entry))
        except Unreadable as error:
            log.warning("an entry of a list cannot be read", reason=str(error))
    return items


def _chat_of(entry: Mapping[str, Any]) -> ChatHead:
    last = record(entry.get("lastMessage")).get("createdAt")
    return ChatHead(_person_of(entry.get("fan") or entry.get("withUser")), time_of(last) if last else None)


def _fan_of(entry: Mapping[str, Any]) -> FanRecord:
    subscribed, spent = record(entry.get("subscribedByData")), record(entry.get("subscribedOnData"))
    ends_at, joined_at = _moment(subscribed, "expiredAt"), _moment(subscribed, "subscribeAt")
    status = "" if ends_at is None else "active" if ends_at > datetime.now(UTC) else "expired"
    return FanRecord(
        person=_person_of(entry),
        subscription=status,
        price_cents=None if subscribed.get("price") is None else cents_of(subscribed["price"]),
        joined_at=joined_at,
        ends_at=ends_at,
        last_seen_at=_moment(entry, "lastSeen"),
        spent_cents=None if spent.get("totalSumm") is None else cents_of(spent["totalSumm"], name="totalSumm"),
    )


def _person_of(value: object) -> Person:
    person = record(value)
    handle, name = person.get("username"), person.get("name")
    return Person(
        platform_id=id_of(person.get("id")),
        handle=handle if isinstance(handle, str) else "",
        name=name[:NAME_MAX] if isinstance(name, str) else "",
    )


def _moment(entry: Mapping[str, Any], name: str) -> datetime | None:
    return time_of(entry[name], name=name) if entry.get(name) else None


# --- Payments: newest first, by a marker


def payments_query(cursor: str, *, since: datetime) -> dict[str, str]:
    return {"startDate": f"{since.astimezone(UTC):%Y-%m-%d %H:%M:%S}"} | ({"marker": cursor} if cursor else {})


def payments_of(document: object, *, cursor: str) -> Page[PaymentRecord]:
    """Raises Unreadable. A marker that does not move is the end, whatever the provider says about more."""
    entries, has_more = _entries_of(document)
    marker = (record(record(document).get("data")) or record(document)).get("nextMarker")
    following = str(marker) if isinstance(marker, int | str) and has_more is not False and entries else ""
    return Page(_readable(entries, payment_of), "" if following == cursor else following)


def payment_of(entry: Mapping[str, Any]) -> PaymentRecord:
    """A payment as the list has it, and as the event that tells of it. Raises Unreadable."""
    person = record(entry.get("user") or entry.get("fan"))
    kind, status, currency = (str(entry.get(name) or "") for name in ("type", "status", "currency"))
    return PaymentRecord(
        platform_id=id_of(entry.get("id")),
        amount_cents=cents_of(entry.get("amount"), name="amount"),
        occurred_at=time_of(entry.get("createdAt")),
        person=_person_of(person) if person else None,
        kind=kind,
        description=text_of(entry.get("description"), name="description"),
        status=status,
        currency=currency,
        fee_cents=cents_of(entry.get("fee"), name="fee") or None,
        net_cents=cents_of(entry.get("net"), name="net") or None,
    )


# --- Messages: by the id of the oldest that is known


def messages_query(cursor: str) -> dict[str, str]:
    return {"limit": str(MESSAGES_LIMIT)} | ({"first_id": cursor} if cursor else {})


def messages_of(document: object, *, chat_id: str, cursor: str) -> Page[ChatMessage]:
    """Raises Unreadable. A page begins with the cursor's own message, which was on the page before."""
    entries, has_more = _entries_of(document)
    messages = _readable(entries, partial(_message_of, chat_id=chat_id))
    new = [message for message in messages if message.platform_id != cursor]
    return Page(new, "" if has_more is False or not new else new[-1].platform_id)


def read_chat(
    chat_id: str,
    *,
    since: datetime,
    page: Callable[[Mapping[str, str], float], Answer | Trouble],
    may_ask: Callable[[], bool],
) -> Chat | Trouble:
    """The chat's messages since then, in as many pages as the deadline of one call, and whoever may stop it, allow."""
    reading = _Reading(chat_id, since=since)
    ends_at = monotonic() + settings.GATEWAY_DEADLINE_SECONDS
    for _page in range(PAGES_MAX):
        if reading.is_over or not may_ask() or (remaining := ends_at - monotonic()) <= 0:
            break
        answer = page(messages_query(reading.cursor), remaining)
        if not isinstance(answer, Answer):
            return answer
        try:
            reading.take(answer.document)
        except Unreadable:
            return not_readable(answer)
    return reading.chat


class _Reading:
    """A chat being read backwards, page by page."""

    def __init__(self, chat_id: str, *, since: datetime) -> None:
        self.chat_id = chat_id
        self.since = since
        self.cursor = ""
        self.is_over = False
        self._complete = False
        self._seen: dict[str, ChatMessage] = {}

    @property
    def chat(self) -> Chat:
        messages = [message for message in self._seen.values() if message.created_at >= self.since]
        # Within one second the later message has the longer or larger id.
        messages.sort(key=lambda entry: (entry.created_at, len(entry.platform_id), entry.platform_id), reverse=True)
        return Chat(messages=messages, complete=self._complete)

    def take(self, document: object) -> None:
        """Add one page. Raises Unreadable."""
        page, has_more = _messages_in(document, self.chat_id)
        new = [message for message in page if message.platform_id not in self._seen]
        self._seen |= {message.platform_id: message for message in new}
        if has_more is False or any(message.created_at < self.since for message in page):
            self.is_over = self._complete = True
        elif not new:
            # "More" that never comes is a provider going in circles; a page that begins at our cursor and
            # holds nothing new is the chat's beginning.
            self.is_over = True
            self._complete = has_more is None and (not page or page[0].platform_id == self.cursor)
        else:
            self.cursor = page[-1].platform_id


def _messages_in(document: object, chat_id: str) -> tuple[list[ChatMessage], bool | None]:
    entries, has_more = _entries_of(document)
    return [_message_of(entry, chat_id) for entry in entries], has_more


def _message_of(entry: Mapping[str, Any], chat_id: str) -> ChatMessage:
    return ChatMessage(
        platform_id=id_of(entry.get("id")),
        text=text_of(entry.get("text")),
        price_cents=cents_of(entry.get("price")),
        created_at=time_of(entry.get("createdAt")),
        from_creator=id_of(record(entry.get("fromUser")).get("id"), name="fromUser.id") != chat_id,
    )


def _entries_of(document: object) -> tuple[list[Mapping[str, Any]], bool | None]:
    """The entries of one page, and whether there are more; None when it does not say.

    Documented are ``{data: [...], _pagination: {next_page}}`` and ``{list: [...], hasMore}``, in ``data`` or not.
    """
    page = record(document)
    entries = page.get("data", page)
    has_more: bool | None = None
    if isinstance(entries, dict):
        has_more = entries["hasMore"] if isinstance(entries.get("hasMore"), bool) else None
        entries = entries.get("list")
    elif "next_page" in record(page.get("_pagination")):
        has_more = page["_pagination"]["next_page"] is not None
    if not isinstance(entries, list):
        raise Unreadable("data is no list.")
    return [record(entry) for entry in entries], has_more
