"""What was wrong with the rows of an import: the first problems, and a file with all bad rows to correct."""

from collections.abc import Iterator, Sequence
from itertools import groupby, islice

from crm import csv_text
from crm.importing.cells import unguarded
from crm.importing.columns import ERROR_COLUMNS
from crm.importing.problems import Problem
from crm.importing.records import Record, Refused, records
from crm.importing.rows import Reading, printable
from crm.importing.survey import Opener, opened
from crm.models import Import, ImportChunk

#: Problems of the row as a whole: its cells cannot be put under the columns of the header.
_OF_THE_LINE = frozenset({"unclosed_quote", "line_too_long", "cell_count"})


def problems_of(job: Import, limit: int | None = None) -> Iterator[Problem]:
    """In the order of the file, read chunk by chunk."""
    chunks = ImportChunk.objects.filter(of=job).exclude(errors=[]).order_by("first_row")
    found = (Problem(*entry) for chunk in chunks.iterator(chunk_size=20) for entry in chunk.errors)
    return islice(found, limit)


def error_file(job: Import, open_file: Opener | None = None) -> Iterator[str]:
    """Every bad row once, as it stands in the file, and why, as a CSV file that can be corrected and imported.

    Without the file, which is not kept for ever, only the reasons.
    """
    if open_file is None and job.has_file:
        open_file = job.open
    if open_file is None:
        return csv_text.lines([ERROR_COLUMNS, *(tuple(_reasons(job, [problem])) for problem in problems_of(job))])
    return csv_text.lines(_bad_rows(job, open_file))


def _bad_rows(job: Import, open_file: Opener) -> Iterator[Sequence[str]]:
    reading = Reading.from_json(job.survey)
    header = reading.columns.header
    # A file that was corrected once has our columns already.
    kept = [index for index, name in enumerate(header) if name not in ERROR_COLUMNS]
    yield [*(printable(header[index]) for index in kept), *ERROR_COLUMNS]
    by_row = groupby(problems_of(job), key=lambda problem: problem.row)
    with opened(open_file, reading.encoding) as text:
        rows = records(text, reading.separator)
        for row, group in by_row:
            problems = list(group)
            record = next((record for record in rows if record.row == row), None)
            if record is None:
                return
            yield [*_cells(record, problems, kept), *_reasons(job, problems, record, reading.separator)]


def _cells(record: Record | Refused, problems: Sequence[Problem], kept: Sequence[int]) -> list[str]:
    if isinstance(record, Refused) or problems[0].code in _OF_THE_LINE:
        return [""] * len(kept)
    return [printable(unguarded(record.cells[index].strip())) for index in kept]


def _reasons(
    job: Import, problems: Sequence[Problem], record: Record | Refused | None = None, separator: str = ","
) -> list[str]:
    first = problems[0]
    value = " | ".join(problem.value for problem in problems if problem.value)
    if isinstance(record, Refused):
        value = printable(record.text.rstrip("\r\n"))
    elif record is not None and first.code in _OF_THE_LINE:
        value = printable(separator.join(record.cells))
    return [
        str(first.row),
        str(first.line),
        " | ".join(dict.fromkeys(problem.column for problem in problems if problem.column)),
        value,
        " | ".join(problem.reason for problem in problems),
        str(job.public_id),
    ]
