"""The documented HTTP API of onlyfansapi.com."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_noop

from onlyfans.gateway import http, pages
from onlyfans.gateway.contract import (
    Chat,
    ChatHead,
    ChatMessage,
    FanRecord,
    Outcome,
    Page,
    Parcel,
    PaymentRecord,
    Rejected,
    Sent,
    SessionLost,
    Trouble,
    Uploaded,
    always,
)
from onlyfans.gateway.http import Answer
from onlyfans.gateway.notation import Unreadable, dollars_of, id_of, markup_of
from onlyfans.gateway.verdict import not_readable, record, verdict

MEDIA_ID_MAX = 128
CHATS_LIMIT, FANS_LIMIT, PAYMENTS_LIMIT = 100, 50, 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
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
            return not_readable(answer)

    def upload(self, url: str, *, keep: bool = False) -> Uploaded | Trouble:
        """Have the provider fetch ``url``.

        The id of an upload may be used in one message only, as it documents; what is kept goes into the account's
        vault, whose ids are good for any number.
        """
        answer = self._ask("POST", "media", "vault" if keep else "upload", document={"file_url": url})
        if not isinstance(answer, Answer):
            return answer
        known = _data(answer) or record(answer.document)
        media_id = str(known.get("id") or "") if keep else known.get("prefixed_id")
        if not isinstance(media_id, str) or not media_id or len(media_id) > MEDIA_ID_MAX:
            return not_readable(answer)
        return Uploaded(media_id=media_id)

    def read_chat(self, chat_id: str, *, since: datetime, may_ask: Callable[[], bool] = always) -> Chat | Trouble:
        """The chat's messages since then, rounded down: the platform's times are whole seconds."""

        def page(query: Mapping[str, str], deadline: float) -> Answer | Trouble:
            return self._ask("GET", "chats", chat_id, "messages", query={**query, "order": "desc"}, deadline=deadline)

        return pages.read_chat(chat_id, since=since.replace(microsecond=0), page=page, may_ask=may_ask)

    def list_chats(self, cursor: str) -> Page[ChatHead] | Trouble:
        query = {"limit": str(CHATS_LIMIT), "order": "recent", "skip_users": "none"} | _offset(cursor)
        return pages.read(self._ask("GET", "chats", query=query), partial(pages.chats_of, cursor=cursor))

    def list_messages(self, chat_id: str, cursor: str) -> Page[ChatMessage] | Trouble:
        query = pages.messages_query(cursor) | {"order": "desc"}
        answer = self._ask("GET", "chats", chat_id, "messages", query=query)
        return pages.read(answer, partial(pages.messages_of, chat_id=chat_id, cursor=cursor))

    def list_fans(self, cursor: str) -> Page[FanRecord] | Trouble:
        query = {"limit": str(FANS_LIMIT)} | _offset(cursor)
        return pages.read(self._ask("GET", "fans", "all", query=query), partial(pages.fans_of, cursor=cursor))

    def list_payments(self, cursor: str, *, since: datetime) -> Page[PaymentRecord] | Trouble:
        query = {"limit": str(PAYMENTS_LIMIT)} | pages.payments_query(cursor, since=since)
        answer = self._ask("GET", "transactions", query=query)
        return pages.read(answer, partial(pages.payments_of, cursor=cursor))

    def ping(self, *, deadline: float | None = None) -> Trouble | None:
        verdict = self._call("GET", "whoami", deadline=deadline)
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
            return Rejected(
                "bad_address", gettext_noop("The account's or the fan's platform id is not one the platform gives.")
            )
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
            return SessionLost(
                "no_key", gettext_noop("The connection has no usable API key. Enter the provider's key again.")
            )
        reply = http.call(
            method,
            f"{settings.OFAPI_BASE_URL.rstrip('/')}/{path}",
            deadline=settings.GATEWAY_DEADLINE_SECONDS if deadline is None else deadline,
            headers={"Authorization": f"Bearer {self.api_key}"},
            query=query,
            document=document,
        )
        return verdict(reply)


def _offset(cursor: str) -> dict[str, str]:
    return {"offset": cursor} if cursor else {}


def _data(answer: Answer) -> Mapping[str, Any]:
    return record(record(answer.document).get("data"))
