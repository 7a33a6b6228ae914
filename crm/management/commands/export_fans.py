"""The fans or the transactions of a creator, as a CSV file that imports back unchanged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.exporting import export
from crm.management.operating import creator_named
from crm.models import ImportKind

PROGRESS_EVERY = 50_000


class Command(BaseCommand):
    help = (
        "Export a creator's fans or transactions as CSV, to a file or to the standard output. Exit code 1: it failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--creator", required=True, help="Id, username or name.")
        parser.add_argument("--kind", choices=ImportKind.values, default=ImportKind.FANS)
        parser.add_argument("--out", type=Path, help="Without it the standard output.")
        parser.add_argument("--json", action="store_true", help="With --out: say how many rows as one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        creator, out = creator_named(options["creator"], returncode=1), options["out"]
        lines = export(creator, ImportKind(options["kind"]))
        if out is None:
            for line in lines:
                self.stdout.write(line, ending="")
            return
        try:
            with out.open("w", encoding="utf-8", newline="") as file:
                rows = sum(1 for line in self._counted(lines) if file.write(line)) - 2
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror}") from error
        self.stdout.write(
            json.dumps({"file": str(out), "kind": options["kind"], "rows": rows})
            if options["json"]
            else f"{rows:,} rows in {out}."
        )

    def _counted(self, lines: Iterator[str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            if number and number % PROGRESS_EVERY == 0:
                self.stderr.write(f"{number:,} rows")
            yield line
