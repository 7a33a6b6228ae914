"""The documented HTTP API of OFAuth."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

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
from onlyfans.gateway.notation import Unreadable, dollars_of, id_of
from onlyfans.gateway.verdict import not_readable, record, verdict

LIMIT = 50
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HEADER = re.compile(r"[\x21-\x7e]+")


class OfauthGateway:
    """Speaks to OFAuth for one connection, ``conn_...``."""

    def __init__(self, *, account_id: str, api_key: str) -> None:
        self.account_id = account_id
        self.api_key = api_key

    def send(self, parcel: Parcel) -> Outcome:
        body: dict[str, object] = {"text": parcel.text, "isMarkdown": False}
        if parcel.price_cents:
            body["price"] = dollars_of(parcel.price_cents)
        if parcel.media_ids:
            body["mediaItems"] = list(parcel.media_ids)
        answer = self._ask("POST", "chats", parcel.chat_id, "messages", document=body)
        if not isinstance(answer, Answer):
            return answer
        document = record(answer.document)
        try:
            return Sent(platform_id=id_of((record(document.get("data")) or document).get("id")))
        except Unreadable:
            return not_readable(answer)

    def upload(self, url: str, *, keep: bool = False) -> Uploaded | Trouble:
        """A message names its media by https address: OFAuth fetches it then, and nothing goes through this machine."""
        if not url.startswith("https://"):
            return Rejected("media_not_https", gettext_noop("OFAuth fetches media from https addresses only."))
        return Uploaded(media_id=url)

    def read_chat(self, chat_id: str, *, since: datetime, may_ask: Callable[[], bool] = always) -> Chat | Trouble:
        def page(query: Mapping[str, str], deadline: float) -> Answer | Trouble:
            return self._ask("GET", "chats", chat_id, "messages", query=query, deadline=deadline)

        return pages.read_chat(chat_id, since=since.replace(microsecond=0), page=page, may_ask=may_ask)

    def list_chats(self, cursor: str) -> Page[ChatHead] | Trouble:
        query = {"limit": str(LIMIT), "offset": cursor or "0", "order": "recent"}
        return pages.read(self._ask("GET", "chats", query=query), partial(pages.chats_of, cursor=cursor))

    def list_messages(self, chat_id: str, cursor: str) -> Page[ChatMessage] | Trouble:
        answer = self._ask("GET", "chats", chat_id, "messages", query=pages.messages_query(cursor))
        return pages.read(answer, partial(pages.messages_of, chat_id=chat_id, cursor=cursor))

    def list_fans(self, cursor: str) -> Page[FanRecord] | Trouble:
        query = {"type": "all", "limit": str(LIMIT), "offset": cursor or "0"}
        return pages.read(self._ask("GET", "subscribers", query=query), partial(pages.fans_of, cursor=cursor))

    def list_payments(self, cursor: str, *, since: datetime) -> Page[PaymentRecord] | Trouble:
        answer = self._ask("GET", "earnings", "transactions", query=pages.payments_query(cursor, since=since))
        return pages.read(answer, partial(pages.payments_of, cursor=cursor))

    def ping(self, *, deadline: float | None = None) -> Trouble | None:
        answer = self._ask("GET", "chats", query={"limit": "1", "offset": "0"}, deadline=deadline)
        return None if isinstance(answer, Answer) else answer

    def _ask(
        self,
        method: str,
        *segments: str,
        query: Mapping[str, str] | None = None,
        document: object = None,
        deadline: float | None = None,
    ) -> Answer | Trouble:
        """Call the address made of these segments; an Answer is a success."""
        if not all(_ID.fullmatch(segment) for segment in segments):
            return Rejected("bad_address", gettext_noop("The fan's platform id is not one the platform gives."))
        if not _HEADER.fullmatch(self.api_key) or not _HEADER.fullmatch(self.account_id):
            return SessionLost(
                "no_key", gettext_noop("The connection has no usable API key or id. Enter the provider's again.")
            )
        reply = http.call(
            method,
            "/".join((settings.OFAUTH_BASE_URL.rstrip("/"), "v2/access", *segments)),
            deadline=settings.GATEWAY_DEADLINE_SECONDS if deadline is None else deadline,
            headers={"apiKey": self.api_key, "x-connection-id": self.account_id},
            query=query,
            document=document,
        )
        return verdict(reply)
