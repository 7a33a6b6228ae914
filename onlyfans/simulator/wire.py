"""How the simulated platform writes its answers: as onlyfansapi.com documents them."""

import html
import zlib
from collections.abc import Mapping
from typing import Any

from onlyfans.gateway.notation import dollars_of
from onlyfans.simulator.ledger import ChatEntry

CANCEL_SECONDS = 119


def envelope(data: object) -> dict[str, Any]:
    return {
        "data": data,
        "_meta": {"_credits": {"used": 1, "balance": 25_000}, "_cache": {"is_cached": False}},
    }


def message_json(account: str, entry: ChatEntry) -> dict[str, Any]:
    """A message as answers and events have it: text in HTML, price in USD, time in whole seconds."""
    created_at = entry.created_at.replace(microsecond=0).isoformat()
    return {
        "responseType": "message",
        "id": int(entry.message_id),
        "text": _markup(entry.text),
        "lockedText": False,
        "price": dollars_of(entry.price),
        "isFree": not entry.price,
        "mediaCount": entry.media_count,
        "isFromQueue": False,
        "isOpened": False,
        "isNew": False,
        "canPurchase": bool(entry.price),
        "cancelSeconds": CANCEL_SECONDS if entry.from_creator else 0,
        "createdAt": created_at,
        "changedAt": created_at,
        "fromUser": _creator_json(account) if entry.from_creator else _fan_json(entry),
    }


def chat_json(account: str, entry: ChatEntry) -> dict[str, Any]:
    """A chat by its latest message."""
    return {
        "fan": {"id": _number(entry.chat)},
        "lastMessage": message_json(account, entry),
        "canSendMessage": True,
    }


def _creator_json(account: str) -> Mapping[str, Any]:
    return {"id": zlib.crc32(account.encode()), "_view": "s"}


def _fan_json(entry: ChatEntry) -> Mapping[str, Any]:
    return {"id": _number(entry.chat), "name": entry.name, "username": entry.username, "_view": "b"}


def _number(chat: str) -> int | str:
    """The provider writes ids as numbers in messages."""
    return int(chat) if chat.isdecimal() and not chat.startswith("0") else chat


def _markup(text: str) -> str:
    """As the platform's PHP does it: quotes escaped too, and "<br />" before each new line."""
    return "<p>" + html.escape(text).replace("\n", "<br />\n") + "</p>"
