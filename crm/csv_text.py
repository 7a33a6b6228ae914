"""CSV as we write it: for spreadsheets, safe in them, and read back by our own import as it was."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from crm.importing.cells import guarded

#: Without it spreadsheets take UTF-8 for something else.
BOM = "\ufeff"


def lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """One string a row. No cell is a formula to a spreadsheet, whatever people put into names."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    yield BOM
    for row in rows:
        writer.writerow([guarded(cell) for cell in row])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
