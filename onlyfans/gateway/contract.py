"""The contract with a provider: what we ask, and the six answers a send can have.

Each answer has one fate (design, section 3.5); ``onlyfans/delivery.py`` is where the fates are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar


@dataclass(frozen=True, slots=True)
class Sent:
    """The platform has it, under this id. The note says when it did not really leave the house."""

    platform_id: str
    note_code: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The platform will never take it as it is."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """Too fast. ``after`` is the number of seconds to wait."""

    after: float
    words: str = ""


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The provider cannot act for this account until a person reconnects it."""

    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The request never left: name not found, connection refused, no TLS."""

    words: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request left and no readable answer came. It may or may not have been accepted."""

    words: str


Trouble = Rejected | Throttled | SessionLost | Unreachable | Unknown
Outcome = Sent | Trouble


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message as a provider needs it. Money in cents; ``media_ids`` are the provider's own."""

    chat_id: str
    text: str
    price_cents: int
    media_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The provider has the media, under this id."""

    media_id: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message as the provider's chat shows it. ``text`` is plain, without HTML."""

    platform_id: str
    text: str
    price_cents: int
    created_at: datetime
    from_creator: bool


@dataclass(frozen=True, slots=True)
class Chat:
    """What was read of a chat, newest first; ``complete`` when nothing since the asked time was left out."""

    messages: Sequence[ChatMessage]
    complete: bool


@dataclass(frozen=True, slots=True)
class Person:
    """A fan as the provider names them; handle and name may be empty."""

    platform_id: str
    handle: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class ChatHead:
    """A chat of the list: with whom, and when something was last written; None when the provider does not say."""

    person: Person
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class FanRecord:
    """A fan of the list. None, or an empty subscription, is what the provider does not say. Money in cents."""

    person: Person
    subscription: str = ""
    price_cents: int | None = None
    joined_at: datetime | None = None
    ends_at: datetime | None = None
    last_seen_at: datetime | None = None
    spent_cents: int | None = None


@dataclass(frozen=True, slots=True)
class PaymentRecord:
    """A payment of the account's list. Money in cents; None, or an empty text, is what the provider does not say."""

    platform_id: str
    amount_cents: int
    occurred_at: datetime
    person: Person | None = None
    kind: str = ""
    description: str = ""
    status: str = ""
    currency: str = ""
    fee_cents: int | None = None
    net_cents: int | None = None


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """One page of a list; ``next`` is the cursor of the next one, empty at the end."""

    items: Sequence[Item]
    next: str = ""


def always() -> bool:
    return True


class Gateway(Protocol):
    """One provider, for one connection. Every call ends within GATEWAY_DEADLINE_SECONDS and raises nothing.

    A list is read page by page, from the empty cursor on: chats by the latest message, messages and payments backwards.
    """

    def send(self, parcel: Parcel) -> Outcome: ...

    def upload(self, url: str, *, keep: bool = False) -> Uploaded | Trouble:
        """Have the provider fetch ``url``; with ``keep`` the id must serve for any number of messages."""
        ...

    def read_chat(self, chat_id: str, *, since: datetime, may_ask: Callable[[], bool] = always) -> Chat | Trouble:
        """Each page is a call of its own, and ``may_ask`` is asked before each; without it the reading ends there."""
        ...

    def list_chats(self, cursor: str) -> Page[ChatHead] | Trouble: ...

    def list_messages(self, chat_id: str, cursor: str) -> Page[ChatMessage] | Trouble: ...

    def list_fans(self, cursor: str) -> Page[FanRecord] | Trouble: ...

    def list_payments(self, cursor: str, *, since: datetime) -> Page[PaymentRecord] | Trouble: ...

    def ping(self, *, deadline: float | None = None) -> Trouble | None:
        """Ask for something that sends nothing; None is an answer. ``deadline`` is the most seconds it waits."""
        ...
