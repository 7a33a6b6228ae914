"""A CSV file of any size into the ledger, by the verb of the API and of the page."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError, CommandParser

from crm.clock import database_now
from crm.importing.accepting import Unanswered, at_hand
from crm.importing.problems import CannotImport
from crm.importing.report import error_file, problems_of
from crm.importing.rows import Options
from crm.importing.running import work
from crm.importing.survey import Opener
from crm.management.operating import (
    FAILED,
    INTERRUPTED,
    WRONG_ARGUMENTS,
    Answer,
    OperatorCommand,
    Progress,
    creator_named,
)
from crm.models import Creator, Import, ImportState

SHOWN_PROBLEMS = 20
LEFT_OUT = 3
#: How it went, by the state in which the import is now, unless every row is in.
CODES: Mapping[str, int] = {
    ImportState.DONE: LEFT_OUT,
    ImportState.CHECKED: LEFT_OUT,
    ImportState.RUNNING: INTERRUPTED,
    ImportState.CHECKING: INTERRUPTED,
}
TICK_SECONDS = 0.5
FLAGS = {"kind": "--kind", "dateOrder": "--date-order", "decimal": "--decimal", "textRepair": "--text-repair"}


class Command(OperatorCommand):
    help = (
        "Import fans or transactions from a CSV file of any size. Interrupted, the same command goes on where it was;"
        " run again, it changes nothing."
    )
    examples = (
        'fans.csv --creator "Ava Laurent" --dry-run',
        'fans.csv --creator "Ava Laurent" --date-order dmy --errors left-out.csv',
        'list.csv --creator @avalaurent --map "Nick=handle" --map "Junk=" --json',
    )
    fails_when = "nothing was done, or it did not come to its end"
    further_codes = {LEFT_OUT: "when some rows were left out, and all others are in"}
    # It writes thousands of rows: not with settings that a check refuses.
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="For example fans.csv.")
        parser.add_argument("--creator", required=True, help="Id, handle or name.")
        parser.add_argument("--kind", choices=["fans", "transactions"], default="", help="Else the header says it.")
        parser.add_argument("--date-order", choices=["dmy", "mdy"], default="", help="What 03/04/2025 means.")
        parser.add_argument("--decimal", choices=[".", ","], default="", help="The decimal mark, if 1,234 is unclear.")
        parser.add_argument(
            "--text-repair", choices=["cp1252", "cp1254", "none"], default="", help="For text that was encoded twice."
        )
        parser.add_argument("--encoding", default="", help="utf-8, utf-16, cp1252; else the file shows it.")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="HEADER=FIELD",
            help="What a column means, for example Nick=handle; HEADER= leaves it out.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen; write nothing.")
        parser.add_argument("--errors", type=Path, help="Write the rows that were left out here, to be corrected.")

    def answer(self, *, file: Path, creator: str, errors: Path | None, **options: Any) -> Answer:
        whom = creator_named(creator)
        if file.exists() and not file.is_file():
            raise CommandError(f"{file}: not a file. It is read several times, so it cannot come by a pipe.")
        if errors:
            # Before anything is imported: afterwards it would be too late to hear that this cannot be written.
            _write(errors, [])

        def open_file() -> BinaryIO:
            return file.open("rb")

        progress = self.progress(options)
        began = time.monotonic()
        with _ticking(lambda: progress.say(f"Looking at {file.name} for {time.monotonic() - began:.0f} s.")):
            job = _at_hand(whom, file.name, open_file, options)
        if not job.is_at_work:
            job.move(ImportState.CHECKING if options["dry_run"] else ImportState.RUNNING, now=database_now())
        _run(job, open_file, progress)
        if errors:
            _write(errors, error_file(job, open_file))
        is_well = job.state in (ImportState.DONE, ImportState.CHECKED) and not job.skipped_count
        return Answer(_summary(job), _lines(job), is_well, code=CODES.get(job.state, FAILED))


def _at_hand(creator: Creator, name: str, open_file: Opener, options: dict[str, Any]) -> Import:
    try:
        return at_hand(creator, open_file, name=name, options=Options.read(_said(options)), now=database_now())
    except OSError as error:
        raise CommandError(f"{error.filename}: {error.strerror}") from error
    except Unanswered as error:
        words = "\n".join(f"{FLAGS[asked.option]}: {asked.words_and_choices}" for asked in error.questions)
        raise CommandError(f"Nothing was imported; say first:\n{words}") from error
    except CannotImport as error:
        raise CommandError(f"Nothing was imported. {error}") from error


def _run(job: Import, open_file: Opener, progress: Progress) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
    # What this process has counted; the database is not asked.
    with _ticking(lambda: progress(job.rows_done, job.rows_total)):
        worked = work(job, open_file=open_file, stop=stop)
    if not worked:
        raise CommandError("Somebody else is importing this very file. Wait a minute if that was killed.")


@contextmanager
def _ticking(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` now and then meanwhile."""
    ended = threading.Event()

    def tick() -> None:
        while not ended.wait(TICK_SECONDS):
            tell()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _write(path: Path, lines: Iterable[str]) -> None:
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error


def _said(options: dict[str, Any]) -> dict[str, Any]:
    mapping = {}
    for pair in options["map"]:
        header, equals, field = pair.rpartition("=")
        if not equals:
            raise CommandError(f"--map {pair}: write HEADER=FIELD.", returncode=WRONG_ARGUMENTS)
        mapping[header] = field
    return {
        "kind": options["kind"],
        "dateOrder": options["date_order"],
        "decimal": options["decimal"],
        "textRepair": options["text_repair"],
        "encoding": options["encoding"],
        "mapping": mapping,
    }


def _shown(value: str) -> str:
    """On one line, and without what a terminal would take for its own."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in value)


def _summary(job: Import) -> dict[str, Any]:
    return {
        "importId": str(job.public_id),
        "state": job.state,
        "kind": job.kind,
        "totalRows": job.rows_total,
        "successfulInserts": job.created_count,
        "updated": job.updated_count,
        "unchanged": job.unchanged_count,
        "skipped": job.skipped_count,
        "errors": [
            {"row": found.row, "line": found.line, "column": found.column, "value": found.value, "error": found.reason}
            for found in problems_of(job, SHOWN_PROBLEMS)
        ],
    }


def _lines(job: Import) -> list[str]:
    lines = [
        f"{job.get_state_display()}: {job.rows_done:,} of {job.rows_total:,} rows of {job.get_kind_display()}.",
        f"{job.created_count:,} created, {job.updated_count:,} updated, {job.unchanged_count:,} unchanged,"
        f" {job.skipped_count:,} left out.",
        *(
            f"  row {found.row} (line {found.line}) {found.column}".rstrip() + f": {found.reason} {_shown(found.value)}"
            for found in problems_of(job, SHOWN_PROBLEMS)
        ),
    ]
    if job.state == ImportState.RUNNING:
        lines.append("Stopped. The same command goes on from here.")
    if job.state == ImportState.CHECKING:
        lines.append("Stopped. Nothing was written.")
    if job.reason:
        lines.append(job.reason)
    return lines
