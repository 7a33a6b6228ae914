"""The fans or the transactions of a creator, as a CSV file that imports back unchanged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser

from crm.exporting import export
from crm.management.operating import WRONG_ARGUMENTS, Answer, OperatorCommand, Progress, creator_named
from crm.models import Creator, ImportKind


class Command(OperatorCommand):
    help = "Export a creator's fans or transactions as CSV, to a file or to the standard output."
    examples = (
        '--creator "Ava Laurent" --out fans.csv',
        "--creator @avalaurent --kind transactions --out revenue.csv --json",
        "--creator @avalaurent | gzip > fans.csv.gz",
    )
    fails_when = "the file cannot be written; a file of that name is then as it was"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--creator", required=True, help="Id, handle or name.")
        parser.add_argument("--kind", choices=ImportKind.values, default=ImportKind.FANS)
        parser.add_argument("--out", type=Path, help="The file, for example fans.csv; else the standard output.")

    def answer(self, *, creator: str, kind: str, out: Path | None, **options: Any) -> Answer:
        whom, progress = creator_named(creator), self.progress(options)
        if out is None:
            if options["json"]:
                raise CommandError(
                    "--json says what was written to --out; without --out there is only the CSV.",
                    returncode=WRONG_ARGUMENTS,
                )
            for line in _counted(whom, kind, progress):
                self.stdout.write(line, ending="")
            return Answer({}, [])
        try:
            with _whole(out) as file:
                rows = sum(1 for line in _counted(whom, kind, progress) if file.write(line)) - 2
        except OSError as error:
            raise CommandError(f"{out}: {error.strerror}") from error
        return Answer({"file": str(out), "kind": kind, "rows": rows}, [f"{rows:,} rows in {out}."])


def _counted(creator: Creator, kind: str, progress: Progress) -> Iterator[str]:
    """The mark of the encoding, the header, and the rows."""
    rows = creator.fans if kind == ImportKind.FANS else creator.transactions
    total = rows.count()
    for number, line in enumerate(export(creator, ImportKind(kind))):
        progress(max(number - 1, 0), total)
        yield line


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file that has its name once it is whole: one that was interrupted is taken for nothing."""
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8", newline="") as device:
            yield device
        return
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
