"""A CSV file of any size into the ledger, by the verb of the API and of the page."""

import json
import signal
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.clock import database_now
from crm.importing.accepting import Unanswered, at_hand
from crm.importing.problems import CannotImport
from crm.importing.report import error_file, problems_of
from crm.importing.rows import Options
from crm.importing.running import work
from crm.management.operating import creator_named
from crm.models import Import, ImportState

SHOWN_PROBLEMS = 20
LEFT_OUT = 2
PROGRESS_SECONDS = 10


class Command(BaseCommand):
    help = (
        "Import fans or transactions from a CSV file of any size. Interrupted, the same command goes on where it was;"
        " run again, it changes nothing. Exit code 0: every row is in; 2: some rows were left out; 1: nothing was done"
        " or it did not end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--creator", required=True, help="Id, username or name.")
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
            help="What a column means; HEADER= ignores.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Say what would happen; write nothing.")
        parser.add_argument("--errors", type=Path, help="Write the rows that were left out here, to be corrected.")
        parser.add_argument("--json", action="store_true", help="One JSON object instead of words.")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        creator = creator_named(options["creator"], returncode=1)
        if options["errors"]:
            # Before anything is imported: afterwards it would be too late to hear that this cannot be written.
            _write(options["errors"], [])

        def open_file() -> BinaryIO:
            return path.open("rb")

        try:
            said = Options.read(_said(options))
            job = at_hand(creator, open_file, name=path.name, options=said, now=database_now())
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from error
        except Unanswered as error:
            words = "\n".join(f"{_flag(asked.option)}: {asked.words}" for asked in error.questions)
            raise CommandError(f"Nothing was imported; say first:\n{words}") from error
        except CannotImport as error:
            raise CommandError(f"Nothing was imported. {error}") from error
        if not job.is_at_work:
            job.move(ImportState.CHECKING if options["dry_run"] else ImportState.RUNNING, now=database_now())
        self._run(job, open_file, quiet=options["json"] or not options["verbosity"])
        if options["errors"]:
            _write(options["errors"], error_file(job, open_file))
        self.stdout.write(json.dumps(_summary(job)) if options["json"] else _words(job))
        if job.state not in (ImportState.DONE, ImportState.CHECKED):
            raise SystemExit(1)
        if job.skipped_count:
            raise SystemExit(LEFT_OUT)

    def _run(self, job: Import, open_file: Any, *, quiet: bool) -> None:
        stop, ended = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
        progress = threading.Thread(target=self._show_progress, args=(job, ended), daemon=True)
        if not quiet:
            progress.start()
        try:
            worked = work(job, open_file=open_file, stop=stop)
        finally:
            ended.set()
        if not worked:
            raise CommandError("Somebody else is importing this very file. Wait a minute if that was killed.")

    def _show_progress(self, job: Import, ended: threading.Event) -> None:
        """What this process has counted; the database is not asked."""
        began = time.monotonic()
        while not ended.wait(PROGRESS_SECONDS):
            rate = job.rows_done / (time.monotonic() - began)
            self.stderr.write(f"{job.rows_done:,} of {job.rows_total:,} rows, {rate:,.0f} a second")
            self.stderr.flush()


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
            raise CommandError(f"--map {pair}: write HEADER=FIELD.")
        mapping[header] = field
    return {
        "kind": options["kind"],
        "dateOrder": options["date_order"],
        "decimal": options["decimal"],
        "textRepair": options["text_repair"],
        "encoding": options["encoding"],
        "mapping": mapping,
    }


def _flag(option: str) -> str:
    return {"dateOrder": "--date-order", "decimal": "--decimal", "textRepair": "--text-repair"}[option]


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


def _words(job: Import) -> str:
    lines = [
        f"{job.get_state_display()}: {job.rows_done:,} of {job.rows_total:,} rows of {job.get_kind_display()}.",
        f"{job.created_count:,} created, {job.updated_count:,} updated, {job.unchanged_count:,} unchanged,"
        f" {job.skipped_count:,} left out.",
        *(
            f"  row {found.row} (line {found.line}) {found.column}: {found.reason} {found.value}"
            for found in problems_of(job, SHOWN_PROBLEMS)
        ),
    ]
    if job.state == ImportState.RUNNING:
        lines.append("Stopped. The same command goes on from here.")
    if job.reason:
        lines.append(job.reason)
    return "\n".join(lines)
