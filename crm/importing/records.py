"""Text to cells, in bounded memory: a broken row costs itself, never the rest of the file.

Python's csv.reader in strict mode does the reading, fed line by line. When it refuses a record, say because a quote is
opened and never closed, the record's first line is reported and reading goes on with the line after it.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TextIO

#: Characters of one line; below csv.field_size_limit's 131,072, as is a record.
LINE_MAX = 65_536
RECORD_MAX = 131_000
#: Lines of one record: a name or a note with line breaks in it.
RECORD_LINES_MAX = 100
#: Characters read twice because a record was refused; then records are one line each. It bounds the time that a file
#: made of quotes can take.
READ_TWICE_MAX = 20_000_000
SEPARATORS = (",", ";", "\t")
SEPARATOR_LINE = re.compile(r'"?sep=([,;\t])"?\s*$')


class Record(NamedTuple):
    """One row's cells. ``row`` counts the header as 1, blank lines too; ``line`` is where it begins in the file."""

    row: int
    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is no record, with the code of the reason and the limits that it names."""

    row: int
    line: int
    code: str
    text: str
    params: dict[str, Any] = field(default_factory=dict)


class _TooLong(Exception):
    """One line or one record exceeds what is held in memory."""

    def __init__(self, code: str) -> None:
        self.code = code


class _Lines:
    """The lines of a text for csv.reader; those of a refused record but the first can be read again."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self._again: deque[str] = deque()
        self._may_read_twice = READ_TWICE_MAX
        self.record_lines_max = RECORD_LINES_MAX
        self._size = 0
        self.record: list[str] = []
        self.line = 1

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self.record) >= self.record_lines_max:
            raise _TooLong("unclosed_quote")
        read_before = bool(self._again)
        line = self._again.popleft() if read_before else self._text.readline(LINE_MAX)
        if not line:
            raise StopIteration
        self.record.append(line)
        self._size += len(line)
        if len(line) >= LINE_MAX and line[-1] not in "\r\n":
            if not read_before:
                self._skip_the_rest()
            raise _TooLong("line_too_long")
        if self._size > RECORD_MAX:
            raise _TooLong("unclosed_quote")
        return line

    def done(self) -> None:
        """What was read since the last call was one record."""
        self.line += len(self.record)
        self.record.clear()
        self._size = 0

    def give_back(self) -> None:
        """What was read was no record: all but its first line comes again."""
        again = self.record[1:]
        self._may_read_twice -= self._size
        if self._may_read_twice < 0:
            self.record_lines_max = 1
        self._again.extendleft(reversed(again))
        del self.record[1:]
        self.done()

    def _skip_the_rest(self) -> None:
        while (rest := self._text.readline(LINE_MAX)) and rest[-1] not in "\r\n":
            pass


def records(text: TextIO, separator: str) -> Iterator[Record | Refused]:
    """Every row from the first that is not blank, which is row 1."""
    lines = _Lines(text)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    row = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLong) as error:
            row += 1
            code = error.code if isinstance(error, _TooLong) else "unclosed_quote"
            limits = {"limit": LINE_MAX} if code == "line_too_long" else {"lines": lines.record_lines_max}
            yield Refused(row, lines.line, code, lines.record[0] if lines.record else "", limits)
            lines.give_back()
            continue
        line, first = lines.line, lines.record[0]
        lines.done()
        blank = not any(map(str.strip, cells))
        if not row and (blank or SEPARATOR_LINE.match(first)):
            continue
        row += 1
        if not blank:
            yield Record(row, line, cells)


def separator_of(text: TextIO) -> str:
    """The one that makes most columns of the header; a comma when none makes any.

    A line ``sep=;`` before the header, as spreadsheets write it, says it outright.
    """
    header = "\n"
    while header and not header.strip("\r\n ,;\t"):
        header = text.readline(LINE_MAX)
    if said := SEPARATOR_LINE.match(header):
        return said[1]
    counts = {separator: len(_cells(header, separator)) for separator in SEPARATORS}
    return max(SEPARATORS, key=lambda separator: counts[separator])


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return []
