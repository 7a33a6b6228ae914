"""What the operators' commands have in common: one answer, to read or as JSON, and an exit code to go by."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q
from django.urls import reverse

from crm import teaming
from crm.models import Creator, Membership

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


def creator_named(words: str, *, returncode: int = WRONG_ARGUMENTS) -> Creator:
    """The creator with this id, handle or name. Raises CommandError unless it is exactly one."""
    try:
        wanted = Q(public_id=UUID(words))
    except ValueError:
        wanted = Q(handle__iexact=words.removeprefix("@")) | Q(name__iexact=words)
    found = list(Creator.objects.filter(wanted)[:2])
    if len(found) != 1:
        how_many = "no creator" if not found else "more than one creator"
        known = ", ".join(Creator.objects.values_list("name", flat=True)[:10])
        raise CommandError(
            f"There is {how_many} called “{words}”; use the id. There are: {known or 'none'}.", returncode=returncode
        )
    return found[0]


def way_in(membership: Membership) -> str:
    """The path at which a new member chooses a password; empty for who has one."""
    token = teaming.invitation(membership, by=None)
    return reverse("welcome", args=[membership.user.public_id, token]) if token else ""


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
