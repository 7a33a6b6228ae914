"""What the operators' commands have in common: one answer, to read or as JSON, and an exit code to go by."""

import json
import os
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
    OutputWrapper,
)
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError, ProgrammingError
from django.db.models import Q
from django.urls import reverse

from crm import teaming
from crm.models import Creator, Membership

FAILED, WRONG_ARGUMENTS = 1, 2
#: As shells have it, 128 and the signal: SIGINT, and SIGPIPE.
INTERRUPTED, NOBODY_READS = 130, 141


@dataclass(frozen=True, slots=True)
class Answer:
    """The same facts twice: for a program and for a person. ``code`` is the exit code unless it ``is_well``."""

    document: Mapping[str, Any]
    lines: Sequence[str]
    is_well: bool = True
    code: int = FAILED


class _Paragraphs(DjangoHelpFormatter):
    """Fills each paragraph, and leaves one that is indented as it is written: examples are copied from it."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part if part.startswith(" ") else super(_Paragraphs, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )


class ExplainedCommand(BaseCommand):
    """Its help has examples and exit codes, and however it ends, it ends with words and one of these codes."""

    # Settings that a check refuses must not keep anybody from stopping or looking.
    requires_system_checks: tuple[str, ...] | Literal["__all__"] = ()
    #: As they are typed, after ``python manage.py <command>``.
    examples: Sequence[str] = ()
    #: When the exit code is 1, in words.
    fails_when = "it could not be done"
    #: Further exit codes, in words.
    further_codes: Mapping[int, str] = {}
    #: It goes on until it is told to stop: that is no interruption.
    is_a_process = False

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        options.setdefault("formatter_class", _Paragraphs)
        options.setdefault("epilog", self._epilog(subcommand))
        return super().create_parser(prog_name, subcommand, **options)

    def _epilog(self, name: str) -> str:
        shown = "\n".join(f"  python manage.py {name} {example}".rstrip() for example in self.examples)
        codes = {FAILED: f"when {self.fails_when}", WRONG_ARGUMENTS: "for wrong arguments", **self.further_codes}
        if not self.is_a_process:
            codes[INTERRUPTED] = "when it was interrupted"
        said = "; ".join(f"{code} {words}" for code, words in sorted(codes.items()))
        return f"Examples:\n\n{shown}\n\nExit code 0; {said}."

    def run_from_argv(self, argv: list[str]) -> None:
        try:
            try:
                super().run_from_argv(argv)
            finally:
                sys.stdout.flush()
        except KeyboardInterrupt:
            self.stderr.write("Interrupted.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # Whoever reads has enough, as in `| head`. The interpreter flushes once more at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(NOBODY_READS)
        except (OperationalError, ProgrammingError) as error:
            if "--traceback" in argv:
                raise
            self.stderr.write(f"The database cannot be used (--traceback shows where): {error}")
            sys.exit(FAILED)


class OperatorCommand(ExplainedCommand):
    """Looks or acts once, and says what it found or did."""

    #: What the command does, called with its options.
    answer: Callable[..., Answer]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="One JSON object instead of words.")

    def handle(self, *args: Any, **options: Any) -> None:
        answer = self.answer(**options)
        if options["json"]:
            self.stdout.write(json.dumps(answer.document, cls=DjangoJSONEncoder))
        elif answer.lines:
            self.stdout.write("\n".join(answer.lines))
        if not answer.is_well:
            raise SystemExit(answer.code)

    def progress(self, options: Mapping[str, Any]) -> "Progress":
        """How far it is, for a person who watches; for a program, which asked for JSON, nothing."""
        return Progress(self.stderr, is_watched=not options["json"] and options["verbosity"] > 0)


class Progress:
    """How far long work is, on the standard error, every two seconds: of how many, percent, and how many a second."""

    EVERY_SECONDS = 2.0

    def __init__(self, stream: OutputWrapper, *, is_watched: bool) -> None:
        self._stream, self._is_watched = stream, is_watched
        self._what, self._first, self._began, self._told = "", 0, 0.0, time.monotonic()

    def __call__(self, done: int, total: int, what: str = "rows") -> None:
        """``done`` of ``total`` so far. Another ``what`` is another piece of work, with a speed of its own."""
        now = time.monotonic()
        if what != self._what:
            self._what, self._first, self._began = what, done, now
        rate = (done - self._first) / (now - self._began) if now > self._began else 0.0
        speed = f", {rate:,.0f} a second" if rate >= 1 else ""
        self.say(f"{done:,} of {total:,} {what}, {done * 100 // total if total else 100} %{speed}")

    def say(self, words: str) -> None:
        """The same in other words, no more often."""
        now = time.monotonic()
        if self._is_watched and now - self._told >= self.EVERY_SECONDS:
            self._told = now
            self._stream.write(words)
            self._stream.flush()


def at_least_one(written: str) -> int:
    """A type of argument. Raises ArgumentTypeError in words."""
    number = int(written) if written.isdecimal() else 0
    if not number:
        raise ArgumentTypeError(f"“{written}” is not a whole number from 1 on.")
    return number


def creator_named(words: str) -> Creator:
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
            f"There is {how_many} called “{words}”; use the id. There are: {known or 'none'}.",
            returncode=WRONG_ARGUMENTS,
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
