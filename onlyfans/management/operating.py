"""Which messages an operator's command is about, and what it may say of them."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser

from crm.management.operating import WRONG_ARGUMENTS, creator_named, moment, table
from crm.models import Message
from crm.models.messages import MessageQuerySet


def add_selection(parser: CommandParser) -> None:
    """Arguments that choose messages; ``selected`` reads them."""
    parser.add_argument("message", nargs="*", type=UUID, help="Ids of messages.")
    parser.add_argument("--creator", help="Id, handle or name: only this creator's.")
    parser.add_argument("--cause", help="Only those with this cause code, for example http_500 or poison.")


def selected(messages: MessageQuerySet, options: Mapping[str, Any]) -> MessageQuerySet:
    """Those of the messages that were chosen, oldest first. Raises CommandError for an id that is none of them."""
    if ids := options["message"]:
        messages = messages.filter(public_id__in=ids)
        if missing := set(ids) - set(messages.values_list("public_id", flat=True)):
            names = ", ".join(sorted(map(str, missing)))
            raise CommandError(f"There is no such message in that state: {names}", returncode=WRONG_ARGUMENTS)
    if options["creator"]:
        messages = messages.filter(creator=creator_named(options["creator"]))
    if options["cause"]:
        messages = messages.filter(cause_code=options["cause"])
    return messages.select_related("creator").order_by("pk")


def message_facts(message: Message) -> dict[str, Any]:
    """What an operator may know of a message: never its text."""
    return {
        "messageId": message.public_id,
        "creator": message.creator.name,
        "status": message.status,
        "causeCode": message.cause_code,
        "cause": message.cause,
        "queuedAt": message.created_at,
        "calledAt": message.sending_at,
    }


def message_table(messages: Iterable[Message]) -> list[str]:
    rows = [
        (
            str(message.public_id),
            message.creator.name[:24],
            message.status,
            moment(message.sending_at or message.created_at),
            f"{message.cause_code}: {message.cause}" if message.cause_code else message.cause,
        )
        for message in messages
    ]
    return table(("message", "creator", "status", "since (UTC)", "cause"), rows)
