"""What the operators' commands have in common: one answer, to read or as JSON, and an exit code to go by."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q

from crm.models import Creator, Message
from crm.models.messages import MessageQuerySet

WRONG_ARGUMENTS = 2


@dataclass(frozen=True, slots=True)
class Answer:
    """The same facts twice: for a program and for a person. ``is_well`` decides the exit code."""

    document: Mapping[str, Any]
    lines: Sequence[str]
    is_well: bool = True


class OperatorCommand(BaseCommand):
    """Looks or acts once, and says what it found or did."""

    # Settings that a check refuses must not keep anybody from stopping or looking.
    requires_system_checks = ()
    #: What the command does, called with its options.
    answer: Callable[..., Answer]
    #: When the exit code is 1, in words.
    fails_when = "it could not be done"

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        options.setdefault("epilog", f"Exit code 0; 1 when {self.fails_when}; 2 for wrong arguments.")
        return super().create_parser(prog_name, subcommand, **options)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object instead of words.")

    def handle(self, *args: Any, **options: Any) -> None:
        answer = self.answer(**options)
        if options["json"]:
            self.stdout.write(json.dumps(answer.document, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(answer.lines))
        if not answer.is_well:
            raise SystemExit(1)


# --- Whom and what a command is about


def creator_named(words: str) -> Creator:
    """The creator with this id, handle or name. Raises CommandError."""
    named = Q(name__iexact=words) | Q(handle__iexact=words.removeprefix("@"))
    found = list(Creator.objects.filter(Q(public_id=uuid) if (uuid := _uuid(words)) else named)[:2])
    if not found:
        raise CommandError(f"No creator has the id, handle or name “{words}”.", returncode=WRONG_ARGUMENTS)
    if len(found) > 1:
        raise CommandError(f"Several creators are called “{words}”: name one by id.", returncode=WRONG_ARGUMENTS)
    return found[0]


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


# --- How it is said


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


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """Columns as wide as what is in them; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    to_the_right = [bool(rows) and all(isinstance(row[place], int) for row in rows) for place in range(len(headings))]

    def line(row: Sequence[str]) -> str:
        placed = zip(row, widths, to_the_right, strict=True)
        return "  ".join(cell.rjust(width) if right else cell.ljust(width) for cell, width, right in placed).rstrip()

    return [line(headings), *map(line, cells)]


def moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "-"


def _uuid(words: str) -> UUID | None:
    try:
        return UUID(words)
    except ValueError:
        return None
