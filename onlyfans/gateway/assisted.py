"""Where a person is the way to the platform; onlyfans/assisting.py hands them the work."""

from collections.abc import Callable
from datetime import datetime

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
    Rejected,
    Trouble,
    Uploaded,
    always,
)


class AssistedGateway:
    """Sends nothing by itself and can read nothing: what it is asked about, only a person can know."""

    def send(self, parcel: Parcel) -> Outcome:
        return Rejected("by_hand", gettext_noop("Messages of this account are sent by hand."))

    def upload(self, url: str, *, keep: bool = False) -> Uploaded | Trouble:
        """Whoever sends the message fetches its media from the address."""
        return Uploaded(media_id="by-hand")

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
