"""How the simulated platform writes its answers: as onlyfansapi.com documents them."""

import html
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
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
    name = {"name": entry.name, "username": entry.username} if entry.name else {}
    return {
        "fan": {"id": _number(entry.chat), **name},
        "lastMessage": message_json(account, entry),
        "canSendMessage": True,
    }


def sent_json(account: str, entry: ChatEntry) -> dict[str, Any]:
    """What the event of a creator's message has: whom it went to."""
    return message_json(account, entry) | {"toUser": {"id": _number(entry.chat), "_view": "s"}}


def notification_json(account: str, chat: str, *, number: int, **details: Any) -> dict[str, Any]:
    """What events of money and subscriptions have: strings for ids; ``user_id`` is the creator's."""
    return {
        "id": str(number),
        "createdAt": _now(),
        "user_id": _creator_json(account)["id"],
        "user": {"id": str(chat), "name": f"Fan {chat}", "username": f"u{chat}"},
    } | details


def unlocked_json(account: str, chat: str, *, number: int, message_id: str, cents: int) -> dict[str, Any]:
    """A message that was bought: the amount as text; of live events the fan stands in the link alone."""
    link = f"<a href='https://onlyfans.com/my/chats/chat/{chat}?firstId={message_id}'>message</a>"
    pairs = {"{AMOUNT}": f"${cents / 100:.2f}"} | ({"{MESSAGE_LINK}": link} if message_id else {})
    payload = notification_json(account, chat, number=number, subType="payments", replacePairs=pairs)
    return payload if not message_id else {name: value for name, value in payload.items() if name != "user"}


def tip_json(account: str, chat: str, *, number: int, cents: int) -> dict[str, Any]:
    gross = dollars_of(cents)
    return notification_json(
        account, chat, number=number, subType="new_tips", amountGross=gross, amountNet=dollars_of(cents * 4 // 5)
    )


def transaction_json(chat: str, *, number: int, what: str, cents: int) -> dict[str, Any]:
    return {
        "id": f"{number:032x}",
        "amount": dollars_of(cents),
        "net": dollars_of(cents * 4 // 5),
        "fee": dollars_of(cents - cents * 4 // 5),
        "vatAmount": 0,
        "currency": "USD",
        "createdAt": _now(),
        "description": f'{what} from <a href="https://onlyfans.com/u{chat}">Fan {chat}</a>',
        "status": "loading",
        "user": {"id": _number(chat), "name": f"Fan {chat}", "username": f"u{chat}"},
    }


def fan_json(chat: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """A subscriber as the list of fans has them."""
    active = facts.get("state", "active") == "active"
    return {
        "id": _number(chat),
        "name": facts.get("name") or f"Fan {chat}",
        "username": facts.get("username") or f"u{chat}",
        "displayName": "",
        "lastSeen": facts.get("last_seen"),
        "subscribedByData": {
            "price": facts.get("price", 9.99),
            "subscribeAt": facts.get("since"),
            "expiredAt": facts.get("until"),
            "isActive": active,
        },
        "subscribedOnData": {"totalSumm": facts.get("total", 0)},
    }


def _now() -> str:
    return datetime.now(UTC).replace(microsecond=0).isoformat()


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
