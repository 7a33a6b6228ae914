"""The documented HTTP API of onlyfansapi.com."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import Any

from django.conf import settings

from onlyfans.gateway import http
from onlyfans.gateway.contract import (
    Chat,
    ChatMessage,
    Outcome,
    Parcel,
    Rejected,
    Sent,
    SessionLost,
    Throttled,
    Trouble,
    Unknown,
    Unreachable,
    Uploaded,
)
from onlyfans.gateway.http import Answer, NeverLeft, NoAnswer, Reply
from onlyfans.gateway.notation import Unreadable, cents_of, dollars_of, id_of, markup_of, text_of, time_of

WORDS_MAX = 300
MEDIA_ID_MAX = 128
PAGES_MAX, PAGE_LIMIT = 20, 100
#: Seconds to wait after "too fast": when nothing says how long, and the bounds of what is believed.
WAIT_DEFAULT, WAIT_MIN, WAIT_MAX = 10.0, 1.0, 3600.0

#: Codes of a 403 which mean that a person must reconnect the account; any other 403 refuses this one request.
SESSION_CODES = frozenset(
    {
        "AUTHENTICATION_FAILED",
        "FACE_OTP_REQUIRED",
        "OTP_CODE_REQUIRED",
        "SESSION_EXPIRED",
        "SESSION_LOST",
        "SESSION_NOT_PROVIDED",
        "SYNC_LOST",
    }
)
#: 408: somebody on the way gave up waiting, perhaps for the platform's answer. 409: undocumented for a send;
#: elsewhere it says "the first one is still being worked on". Neither says that nothing was accepted.
AMBIGUOUS = frozenset({408, 409})

_ALLOW = re.compile(r"\ballow (\d{1,6}) seconds?\b", re.IGNORECASE)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODE = re.compile(r"[\w.-]{1,40}")
_KEY = re.compile(r"[\x21-\x7e]+")


class OfapiGateway:
    """Speaks to onlyfansapi.com for one account."""

    def __init__(self, *, account_id: str, api_key: str) -> None:
        self.account_id = account_id
        self.api_key = api_key

    def send(self, parcel: Parcel) -> Outcome:
        body: dict[str, object] = {"text": markup_of(parcel.text)}
        if parcel.price_cents:
            body["price"] = dollars_of(parcel.price_cents)
        if parcel.media_ids:
            body["mediaFiles"] = list(parcel.media_ids)
        answer = self._ask("POST", "chats", parcel.chat_id, "messages", document=body)
        if not isinstance(answer, Answer):
            return answer
        try:
            return Sent(platform_id=id_of(_data(answer).get("id")))
        except Unreadable:
            return _not_readable(answer)

    def upload(self, url: str) -> Uploaded | Trouble:
        """Have the provider fetch ``url``. It documents that the id may be used in one message only."""
        answer = self._ask("POST", "media", "upload", document={"file_url": url})
        if not isinstance(answer, Answer):
            return answer
        media_id = _data(answer).get("prefixed_id") or _record(answer.document).get("prefixed_id")
        if not isinstance(media_id, str) or not media_id or len(media_id) > MEDIA_ID_MAX:
            return _not_readable(answer)
        return Uploaded(media_id=media_id)

    def read_chat(self, chat_id: str, *, since: datetime) -> Chat | Trouble:
        """The chat's messages since then, rounded down: the platform's times are whole seconds."""
        reading = _Reading(chat_id, since=since.replace(microsecond=0))
        ends_at = monotonic() + settings.GATEWAY_DEADLINE_SECONDS
        for _page in range(PAGES_MAX):
            if reading.is_over or (remaining := ends_at - monotonic()) <= 0:
                break
            answer = self._ask("GET", "chats", chat_id, "messages", query=reading.query, deadline=remaining)
            if not isinstance(answer, Answer):
                return answer
            try:
                reading.take(answer.document)
            except Unreadable:
                return _not_readable(answer)
        return reading.chat

    def ping(self) -> Trouble | None:
        verdict = self._call("GET", "whoami")
        return None if isinstance(verdict, Answer) else verdict

    def _ask(
        self,
        method: str,
        *segments: str,
        query: Mapping[str, str] | None = None,
        document: object = None,
        deadline: float | None = None,
    ) -> Answer | Trouble:
        """Call the account's address made of these segments; an Answer is a success."""
        if not all(_ID.fullmatch(segment) for segment in (self.account_id, *segments)):
            return Rejected("bad_address", "The account's or the fan's platform id is not one the platform gives.")
        return self._call(
            method, "/".join((self.account_id, *segments)), query=query, document=document, deadline=deadline
        )

    def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        document: object = None,
        deadline: float | None = None,
    ) -> Answer | Trouble:
        if not _KEY.fullmatch(self.api_key):
            return SessionLost("no_key", "The connection has no usable API key. Enter the provider's key again.")
        reply = http.call(
            method,
            f"{settings.OFAPI_BASE_URL.rstrip('/')}/{path}",
            deadline=settings.GATEWAY_DEADLINE_SECONDS if deadline is None else deadline,
            headers={"Authorization": f"Bearer {self.api_key}"},
            query=query,
            document=document,
        )
        return _verdict(reply)


class _Reading:
    """A chat being read backwards, page by page.

    Pages are shorter than asked for and overlap: each begins with the oldest message of the one before.
    """

    def __init__(self, chat_id: str, *, since: datetime) -> None:
        self.chat_id = chat_id
        self.since = since
        self.is_over = False
        self._complete = False
        self._cursor = ""
        self._seen: dict[str, ChatMessage] = {}

    @property
    def query(self) -> Mapping[str, str]:
        query = {"limit": str(PAGE_LIMIT), "order": "desc"}
        return query | {"first_id": self._cursor} if self._cursor else query

    @property
    def chat(self) -> Chat:
        messages = [message for message in self._seen.values() if message.created_at >= self.since]
        # Within one second the later message has the longer or larger id.
        messages.sort(key=lambda entry: (entry.created_at, len(entry.platform_id), entry.platform_id), reverse=True)
        return Chat(messages=messages, complete=self._complete)

    def take(self, document: object) -> None:
        """Add one page. Raises Unreadable."""
        page, has_more = _page_of(document, self.chat_id)
        new = [message for message in page if message.platform_id not in self._seen]
        self._seen |= {message.platform_id: message for message in new}
        if has_more is False or any(message.created_at < self.since for message in page):
            self.is_over = self._complete = True
        elif not new:
            # "More" that never comes is a provider going in circles; a page that begins at our cursor and
            # holds nothing new is the chat's beginning.
            self.is_over = True
            self._complete = has_more is None and (not page or page[0].platform_id == self._cursor)
        else:
            self._cursor = page[-1].platform_id


def _verdict(reply: Reply) -> Answer | Trouble:
    """What a reply means (design, section 3.5); a success is the answer itself."""
    match reply:
        case NeverLeft(words):
            return Unreachable(words)
        case NoAnswer(words):
            return Unknown(words)
    if reply.is_success:
        return reply
    code, words = _complaint(reply)
    match reply.status:
        case 429:
            return Throttled(_wait(reply, words), words)
        case 401 | 424:
            return SessionLost(code, words)
        case 403 if _is_session_code(code):
            return SessionLost(code, words)
        case status if 400 <= status < 500 and status not in AMBIGUOUS:
            return Rejected(code, words)
    return Unknown(words)


def _is_session_code(code: str) -> bool:
    return re.sub(r"\W", "_", code).upper() in SESSION_CODES


def _not_readable(answer: Answer) -> Unknown:
    return Unknown(f"The provider answered {answer.status} with something that cannot be read.")


def _complaint(answer: Answer) -> tuple[str, str]:
    """(code, words for a person) of an error, in any of the shapes that providers of this API use."""
    document = _record(answer.document)
    inner = _record(document.get("error"))
    codes = [record.get(key) for record in (inner, document) for key in ("code", "type", "error")]
    texts = [inner.get("message"), document.get("message"), document.get("detail"), document.get("error")]
    words = next((" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()), "")
    words = " ".join(part for part in (words, *_field_errors(document)) if part)
    code = next((code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)), "")
    return code or f"http_{answer.status}", (words or f"The provider answered {answer.status}.")[:WORDS_MAX]


def _field_errors(document: Mapping[str, Any]) -> list[str]:
    """The sentences of ``{"errors": {field: [sentence, ...]}}`` that the message does not say already."""
    said = str(document.get("message", ""))
    groups = _record(document.get("errors")).values()
    sentences = [line for group in groups for line in (group if isinstance(group, list) else [group])]
    return [line for line in sentences if isinstance(line, str) and line not in said]


def _wait(answer: Answer, words: str) -> float:
    """Seconds to wait: as the header says, else as "Allow N seconds" in the text says, else a default."""
    asked = _retry_after(answer.headers)
    if asked is None and (found := _ALLOW.search(words)):
        asked = float(found[1])
    return WAIT_DEFAULT if asked is None else min(max(asked, WAIT_MIN), WAIT_MAX)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    # Their clock against their clock: ours may differ.
    now = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    return (until - now).total_seconds()


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _page_of(document: object, chat_id: str) -> tuple[list[ChatMessage], bool | None]:
    """The messages of one page, and whether there are older ones; None when it does not say.

    Documented are ``{data: [...], _pagination: {next_page}}`` and ``{data: {list: [...], hasMore}}``.
    """
    page = _record(document)
    data = page.get("data")
    has_more: bool | None = None
    if isinstance(data, dict):
        has_more = data["hasMore"] if isinstance(data.get("hasMore"), bool) else None
        data = data.get("list")
    elif "next_page" in _record(page.get("_pagination")):
        has_more = page["_pagination"]["next_page"] is not None
    if not isinstance(data, list):
        raise Unreadable("data is no list of messages.")
    return [_message_of(_record(entry), chat_id) for entry in data], has_more


def _message_of(entry: Mapping[str, Any], chat_id: str) -> ChatMessage:
    return ChatMessage(
        platform_id=id_of(entry.get("id")),
        text=text_of(entry.get("text")),
        price_cents=cents_of(entry.get("price")),
        created_at=time_of(entry.get("createdAt")),
        from_creator=id_of(_record(entry.get("fromUser")).get("id"), name="fromUser.id") != chat_id,
    )


def _data(answer: Answer) -> Mapping[str, Any]:
    return _record(_record(answer.document).get("data"))


def _record(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
