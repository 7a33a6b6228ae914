"""The gateway of RATE_LIMITER_ENABLED=false: it writes to the log and sends nothing."""

import uuid
from collections.abc import Callable
from datetime import datetime

import structlog
from django.utils.translation import gettext_noop

from onlyfans.gateway.contract import (
    Chat,
    ChatHead,
    ChatMessage,
    FanRecord,
    Outcome,
    Page,
    Parcel,
    PaymentRecord,
    Sent,
    Trouble,
    Uploaded,
    always,
)

log = structlog.get_logger(__name__)


class LogGateway:
    """Takes everything, sends nothing, and says so."""

    def send(self, parcel: Parcel) -> Outcome:
        log.info("written to the log, not sent", chat=parcel.chat_id, characters=len(parcel.text))
        return Sent(
            platform_id=f"log-{uuid.uuid4().hex}",
            note_code="logged",
            note=gettext_noop("Written to the log, not sent."),
        )

    def upload(self, url: str, *, keep: bool = False) -> Uploaded | Trouble:
        return Uploaded(media_id=f"log-{uuid.uuid4().hex}")

    def read_chat(self, chat_id: str, *, since: datetime, may_ask: Callable[[], bool] = always) -> Chat | Trouble:
        return Chat(messages=(), complete=True)

    def list_chats(self, cursor: str) -> Page[ChatHead] | Trouble:
        return Page(())

    def list_messages(self, chat_id: str, cursor: str) -> Page[ChatMessage] | Trouble:
        return Page(())

    def list_fans(self, cursor: str) -> Page[FanRecord] | Trouble:
        return Page(())

    def list_payments(self, cursor: str, *, since: datetime) -> Page[PaymentRecord] | Trouble:
        return Page(())

    def ping(self, *, deadline: float | None = None) -> Trouble | None:
        return None
