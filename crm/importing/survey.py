"""The first look at a file: what it is, how many rows it has, and what it leaves open. It writes nothing.

Whatever the file does not decide by itself is asked: the order of day and month, the decimal mark, the repair of text
that was encoded twice.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, BinaryIO, TextIO

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.importing import cells, moments, money
from crm.importing.columns import DATE_FIELDS, MONEY_FIELDS, Columns, Kind, columns_of
from crm.importing.encoding import NOT_CSV, Doubled, encoding_of, encoding_said, looks_doubled, text_of
from crm.importing.problems import BadCell, CannotImport
from crm.importing.records import LINE_MAX, RECORD_LINES_MAX, RECORD_MAX, Record, Refused, records, separator_of
from crm.importing.rows import AS_IT_IS, Options, Reading, printable
from crm.numbers import grouped

#: Opens the file's bytes anew, from the beginning.
Opener = Callable[[], BinaryIO]

FILE_MAX_BYTES = 10 * 1024 * 1024
FILE_MAX_WORDS = gettext_lazy("The file is larger than 10 MB, which is the most that can be uploaded.")
ENDINGS = (".csv", ".tsv", ".txt")
SAMPLES = EXAMPLES = 3
#: When none of so many rows has as many cells as the header, nothing of the file would come in but complaints.
FIT_WITHIN = 10_000
#: So many headers are named.
SHOWN = 20
#: An error file comes from one import; somebody may put a few of them together.
ORIGINS_MAX = 20


@dataclass(frozen=True, slots=True)
class Question:
    """What the file leaves open. ``option`` is the name under which it is answered."""

    option: str
    choices: tuple[str, ...]
    examples: list[str]

    def as_json(self) -> dict[str, Any]:
        return {"option": self.option, "choices": list(self.choices), "examples": self.examples}

    @property
    def words(self) -> str:
        return str(QUESTIONS[self.option]) % {"examples": ", ".join(self.examples)}

    @property
    def words_and_choices(self) -> str:
        """For whoever sees no choices beside it: programs, the command line."""
        return _("%(question)s Say one of: %(choices)s.") % {
            "question": self.words,
            "choices": " ".join(self.choices),
        }


QUESTIONS: dict[str, str | Promise] = {
    "kind": gettext_lazy(
        "No column says who the fans are, or when what was paid: %(examples)s. Say what the file has, then which column"
        " is which."
    ),
    "dateOrder": gettext_lazy("Is the day or the month first in dates such as %(examples)s?"),
    "decimal": gettext_lazy("In amounts such as %(examples)s: is the decimal mark a point or a comma?"),
    "textRepair": gettext_lazy("Some text seems to be encoded twice: %(examples)s. How is it to be repaired?"),
}


@dataclass(frozen=True, slots=True)
class Survey:
    """What the first look found. ``questions`` are open; those that are ``answered`` may be answered differently."""

    reading: Reading
    rows: int
    questions: list[Question]
    answered: list[Question]
    samples: list[list[str]]
    origins: list[str]

    def as_json(self) -> dict[str, Any]:
        return {
            **self.reading.as_json(),
            "rows": self.rows,
            "questions": [asked.as_json() for asked in self.questions],
            "answered": [asked.as_json() for asked in self.answered],
            "samples": self.samples,
            "origins": self.origins,
            "ignored": self.reading.columns.ignored,
        }


def check_name(name: str) -> None:
    """Raises CannotImport for a file that does not call itself a CSV file."""
    if not name.casefold().endswith(ENDINGS):
        raise CannotImport(
            "wrong_extension",
            _("The file's name must end with %(endings)s; this is “%(name)s”.")
            % {"endings": ", ".join(ENDINGS), "name": name[:100]},
        )


@contextmanager
def opened(open_file: Opener, encoding: str) -> Iterator[TextIO]:
    """The file as text, closed in the end."""
    with open_file() as stream:
        yield text_of(stream, encoding)


def survey(open_file: Opener, options: Options, *, may_ask: bool = False) -> Survey:
    """Read the whole file once. Raises CannotImport when nothing of it can be imported.

    Columns of which nobody knows what they are may be all there is where somebody can be asked.
    """
    with open_file() as stream:
        encoding = encoding_said(options.encoding, stream) if options.encoding else encoding_of(stream)
    with opened(open_file, encoding) as text:
        separator = separator_of(text)
    with opened(open_file, encoding) as text:
        rows = records(text, separator)
        columns = _header(next(rows, None), options)
        if columns.lacks and not may_ask:
            raise CannotImport("no_identity_column", columns.lacks)
        look = _Look(columns)
        for record in rows:
            look.at(record)
            if look.rows == FIT_WITHIN and not look.fitting:
                raise CannotImport("no_row_fits", _misfits(columns))
    reading = Reading(
        encoding=encoding,
        separator=separator,
        columns=columns,
        decimal=options.decimal or look.decimal,
        date_order=options.date_order,
        repair=options.text_repair,
    )
    said = options.as_said()
    # Of a file in which a needed column is not known, the kind stays a question until the columns have been told, too.
    answered = [asked for asked in look.questions() if asked.option in said and asked.option != "kind"]
    return Survey(
        reading=reading,
        rows=look.rows,
        questions=[asked for asked in look.questions() if asked not in answered],
        answered=answered,
        samples=look.samples,
        origins=list(look.origins),
    )


def _header(record: Record | Refused | None, options: Options) -> Columns:
    if record is None:
        raise CannotImport("empty", _("The file is empty."))
    if isinstance(record, Refused):
        raise CannotImport("bad_header", _unreadable(record))
    if any("\0" in cell for cell in record.cells):
        raise CannotImport("bad_header", _("There is a NUL character in the header."))
    if any(map(cells.has_control, record.cells)):
        raise CannotImport("not_text", NOT_CSV)
    names = [printable(cell.strip()) for cell in record.cells]
    return columns_of(names, kind=options.kind, mapping=options.mapping)


def _unreadable(header: Refused) -> str:
    if header.code == "line_too_long":
        return _(
            "The header in line %(line)s is longer than %(limit)s characters, which is the most that a line can have."
        ) % {"line": header.line, "limit": grouped(LINE_MAX)}
    return _(
        "A quote in the header in line %(line)s is not closed within %(lines)s lines and %(limit)s characters."
    ) % {"line": header.line, "lines": RECORD_LINES_MAX, "limit": grouped(RECORD_MAX)}


def _misfits(columns: Columns) -> str:
    return _(
        "None of the first %(rows)s rows has as many cells as the header, which has %(wanted)s. Save the file as CSV"
        " again, with one separator for all rows."
    ) % {"rows": grouped(FIT_WITHIN), "wanted": len(columns.header)}


@lru_cache(65_536)
def _decimal_mark(cell: str) -> str:
    """The mark that an amount shows; ``?`` when it could be either; empty when it shows none or is no amount."""
    try:
        return money.decimal_mark_of(cells.unguarded(cell.strip()))
    except money.UndecidedMoney:
        return "?"
    except BadCell:
        return ""


@dataclass
class _Look:
    """Gathers evidence, row by row."""

    columns: Columns
    rows: int = 0
    fitting: int = 0
    samples: list[list[str]] = field(default_factory=list)
    marks: set[str] = field(default_factory=set)
    undecided: list[str] = field(default_factory=list)
    unordered: list[str] = field(default_factory=list)
    doubled: Doubled = field(default_factory=Doubled.none)
    #: The imports whose error files this one was made of, in order.
    origins: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mapping = self.columns.mapping
        self._money = [index for index, name in mapping.items() if name in MONEY_FIELDS]
        self._dates = [index for index, name in mapping.items() if name in DATE_FIELDS]
        self._origin = next((index for index, name in mapping.items() if name == "origin"), None)
        self.samples = [[] for _name in self.columns.header]

    @property
    def decimal(self) -> str:
        """The mark, when every amount that shows one shows the same."""
        return next(iter(self.marks)) if len(self.marks) == 1 else ""

    def at(self, record: Record | Refused) -> None:
        self.rows += 1
        if isinstance(record, Refused) or len(record.cells) != len(self.columns.header):
            return
        self.fitting += 1
        for index in self._money:
            if mark := _decimal_mark(record.cells[index]):
                self._see_amount(mark, record.cells[index])
        if len(self.unordered) < EXAMPLES:
            self._see_dates(record)
        if self.rows <= 20:
            self._sample(record)
        if self._origin is not None and len(self.origins) < ORIGINS_MAX:
            self._see_origin(record.cells[self._origin])
        if not "".join(record.cells).isascii():
            for cell in filter(looks_doubled, record.cells):
                self.doubled.see(cell)

    def _see_origin(self, cell: str) -> None:
        if origin := cells.import_id(cell.strip()):
            self.origins[origin] = None

    def _see_dates(self, record: Record) -> None:
        for index in self._dates:
            text = record.cells[index].strip()
            if moments.needs_day_order(text) and text not in self.unordered:
                self.unordered.append(text)

    def _see_amount(self, mark: str, text: str) -> None:
        if mark != "?":
            self.marks.add(mark)
        elif len(self.undecided) < EXAMPLES and text not in self.undecided:
            self.undecided.append(text)

    def _sample(self, record: Record) -> None:
        for kept, cell in zip(self.samples, record.cells, strict=True):
            sample = cell.strip().replace("\0", "␀").encode("utf-8", "replace").decode()[:80]
            if sample and len(kept) < SAMPLES and sample not in kept:
                kept.append(sample)

    def questions(self) -> list[Question]:
        """All that the file leaves to a person."""
        asked = []
        if self.columns.lacks:
            asked.append(Question("kind", tuple(Kind.values), [name for name in self.columns.header if name][:SHOWN]))
        if self.unordered:
            asked.append(Question("dateOrder", (moments.DAY_FIRST, moments.MONTH_FIRST), self.unordered[:EXAMPLES]))
        if self.undecided and not self.decimal:
            asked.append(Question("decimal", (".", ","), self.undecided))
        if repairs := self.doubled.choices:
            asked.append(Question("textRepair", (*repairs, AS_IT_IS), self.doubled.examples[repairs[0]]))
        return asked
