"""What a provider's events are made of: records, people, moments. Whatever is missing raises Unreadable."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from crm.clock import database_now
from crm.merging import identify
from crm.models import Creator, Fan
from onlyfans.gateway.notation import Unreadable, cents_of, id_of

Payload = Mapping[str, Any]

#: "$45.00", "$1,234.50": how notifications write an amount. Anything else is no amount we would guess at.
_DOLLARS = re.compile(r"\$(\d{1,3}(?:,\d{3})*|\d+)(\.\d{2})?")
#: Where a notification about a message links to: the chat is the fan, firstId the message.
_MESSAGE_LINK = re.compile(r"/chats/chat/(\d+)/?\?(?:[^'\"\s]*&(?:amp;)?)?firstId=(\d+)")


def record(value: object) -> Payload:
    return value if isinstance(value, dict) else {}


def words(payload: Payload, name: str) -> str:
    value = payload.get(name)
    return value.strip() if isinstance(value, str) else ""


def fan_of(creator: Creator, person: object, *, name: str) -> Fan:
    """The fan whom this record of a person is about; ``name`` says where it stood, for a person who reads the error."""
    fan = record(person)
    platform_id = id_of(fan.get("id"), name=f"{name}.id")
    return identify(creator, platform_id, handle=words(fan, "username"), name=words(fan, "name"))


def linked_message(payload: Payload) -> tuple[str, str]:
    """(fan's id, message's id) as a notification links to them; empty where it does not."""
    found = _MESSAGE_LINK.search(words(record(payload.get("replacePairs")), "{MESSAGE_LINK}"))
    return (found[1], found[2]) if found else ("", "")


def amount_of(payload: Payload, *, number: str, text: str) -> int:
    """Cents: the number if there is one, else the notification's own words, as "$45.00"."""
    if payload.get(number) is not None:
        return cents_of(payload[number], name=f"payload.{number}")
    found = _DOLLARS.fullmatch(words(record(payload.get("replacePairs")), text))
    if not found:
        raise Unreadable(f"payload.replacePairs {text} is no amount.")
    return cents_of(found[1].replace(",", "") + (found[2] or ""))


def end_of_second(moment: datetime) -> datetime:
    """The end of the second that the provider names, but never the future.

    Providers cut the fraction off: taken to the letter, a quick answer would stand above the message it answers. And a
    clock ahead of ours must not pin a conversation to the top of the list.
    """
    return min(moment.replace(microsecond=999_999) if not moment.microsecond else moment, database_now())
