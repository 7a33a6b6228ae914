"""A record and the meaning of its columns, together a row: values by field, or what is wrong with it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext as _

from crm.importing import cells, moments, money
from crm.importing.columns import DATE_FIELDS, Columns, Kind
from crm.importing.encoding import CHOICES, REPAIRS, UNDECODED, looks_doubled, repaired
from crm.importing.problems import BadCell, CannotImport, Problem
from crm.importing.records import Record, Refused
from crm.models.creators import Creator
from crm.models.transactions import Transaction

AS_IT_IS = "none"


@dataclass(frozen=True, slots=True)
class Options:
    """What a person says about a file. Empty: what the file shows by itself."""

    kind: str = ""
    date_order: str = ""
    decimal: str = ""
    text_repair: str = ""
    encoding: str = ""
    mapping: Mapping[str, str] | None = None

    #: What each may be; the names are those of the API.
    ALLOWED = {
        "kind": ("", *Kind.values),
        "dateOrder": ("", moments.DAY_FIRST, moments.MONTH_FIRST),
        "decimal": ("", ".", ","),
        "textRepair": ("", AS_IT_IS, *REPAIRS),
        "encoding": ("", *CHOICES),
    }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Self:
        """From the names of the API. Raises CannotImport for a value that is none."""
        for option, allowed in cls.ALLOWED.items():
            if said.get(option, "") not in allowed:
                words = _("One of: %(choices)s.") % {"choices": ", ".join(filter(None, allowed))}
                raise CannotImport("bad_option", words, option=option)
        return cls(
            kind=said.get("kind", ""),
            date_order=said.get("dateOrder", ""),
            decimal=said.get("decimal", ""),
            text_repair=said.get("textRepair", ""),
            encoding=said.get("encoding", ""),
            mapping=said.get("mapping") or None,
        )

    def as_said(self) -> dict[str, Any]:
        said = {
            "kind": self.kind,
            "dateOrder": self.date_order,
            "decimal": self.decimal,
            "textRepair": self.text_repair,
            "encoding": self.encoding,
            "mapping": dict(self.mapping or {}),
        }
        return {name: value for name, value in said.items() if value}


class Row(NamedTuple):
    """A good row; ``values`` has the fields that say something."""

    row: int
    line: int
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read one file; made by the survey, kept with the import, so that going on later reads the same."""

    encoding: str
    separator: str
    columns: Columns
    decimal: str
    date_order: str
    repair: str

    def as_json(self) -> dict[str, Any]:
        return {
            "encoding": self.encoding,
            "separator": self.separator,
            "kind": self.columns.kind.value,
            "format": self.columns.format,
            "header": self.columns.header,
            "mapping": {str(index): field for index, field in self.columns.mapping.items()},
            "decimal": self.decimal,
            "dateOrder": self.date_order,
            "textRepair": self.repair,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Self:
        columns = Columns(
            kind=Kind(kept["kind"]),
            format=kept["format"],
            header=kept["header"],
            mapping={int(index): field for index, field in kept["mapping"].items()},
        )
        return cls(
            encoding=kept["encoding"],
            separator=kept["separator"],
            columns=columns,
            decimal=kept["decimal"],
            date_order=kept["dateOrder"],
            repair=kept["textRepair"],
        )


Parse = Callable[[str], Any]
_OFTEN_ALIKE = DATE_FIELDS | {"tier", "tags", "subscription"}


class RowReader:
    """Reads rows for one creator: money is in their currency, a time without an offset in their time zone."""

    def __init__(self, reading: Reading, creator: Creator) -> None:
        self._reading = reading
        self._header = reading.columns.header
        self._repair = "" if reading.repair == AS_IT_IS else reading.repair
        self._creator_currency = self._currency = creator.currency
        self._decimal = reading.decimal or None
        parsers = self._parsers(zone_of(creator))
        clear = cells.CLEAR if reading.columns.kind == Kind.FANS else {}
        columns = [
            (index, field, clear[field].fullmatch if field in clear else _never, self._of_cells(field, parsers[field]))
            for index, field in reading.columns.mapping.items()
        ]
        # The currency first: it says how the row's amounts are to be read.
        self._columns = sorted(columns, key=lambda column: column[1] != "currency")
        self._of_kind = _fan if reading.columns.kind == Kind.FANS else _payment

    def read(self, record: Record | Refused) -> Row | list[Problem]:
        """The row, or all that is wrong with it."""
        if isinstance(record, Refused):
            return [Problem(record.row, record.line, "", record.code, record.text.strip(), record.params)]
        found, wanted = len(record.cells), len(self._header)
        if found != wanted:
            value = self._reading.separator.join(record.cells)
            return [Problem(record.row, record.line, "", "cell_count", value, {"found": found, "wanted": wanted})]
        if record.cells[0].endswith(self._header[0]) and self._is_header(record.cells):
            return [Problem(record.row, record.line, "", "header_again", self._reading.separator.join(record.cells))]
        values, problems = self._values(record)
        if not problems:
            try:
                self._of_kind(values)
            except BadCell as bad:
                problems.append(Problem(record.row, record.line, "", bad.code, "", bad.params))
        return problems or Row(record.row, record.line, values)

    def _is_header(self, cells: list[str]) -> bool:
        """Two files put together: then the second one's mark of the encoding stands before its header."""
        return [cells[0].lstrip("\ufeff"), *cells[1:]] == self._header

    def _values(self, record: Record) -> tuple[dict[str, Any], list[Problem]]:
        self._currency = self._creator_currency
        values: dict[str, Any] = {}
        problems: list[Problem] = []
        for index, field, is_clear, parse in self._columns:
            cell = record.cells[index]
            if is_clear(cell):
                values[field] = cell
            elif cell:
                try:
                    value = parse(cell)
                except BadCell as bad:
                    column, shown = self._header[index], printable(cell)
                    problems.append(Problem(record.row, record.line, column, bad.code, shown, bad.params))
                else:
                    if value is not None and value != "" and value != ():
                        values[field] = value
        return values, problems

    def _of_cells(self, field: str, parse: Parse) -> Parse:
        """``parse`` for cells as they stand in the file; what many rows say alike is parsed once."""

        def parse_cell(cell: str) -> Any:
            return parse(self._clean(cell))

        return lru_cache(4096)(parse_cell) if field in _OFTEN_ALIKE else parse_cell

    def _parsers(self, zone: ZoneInfo) -> dict[str, Parse]:
        moment = partial(moments.moment, zone=zone, order=self._reading.date_order or None)
        parsers: dict[str, Parse] = {
            "platform_id": cells.platform_id,
            "handle": cells.handle,
            "name": cells.name,
            "email": cells.email,
            "tier": cells.tag,
            "tags": cells.tags,
            "value": partial(_not_negative, self._money),
            "subscription": cells.subscription,
            "subscription_price": partial(_not_negative, self._money),
            "fan_id": partial(_if_any, cells.platform_id),
            "key": partial(_if_any, cells.own_key),
            "kind": str.casefold,
            "amount": self._money,
            "fee": self._money,
            "net": self._money,
            "currency": self._currency_said,
            "status": cells.settled,
            "description": partial(cells.short_text, limit=cells.DESCRIPTION_MAX),
            "origin": cells.import_id,
        }
        parsers |= dict.fromkeys(DATE_FIELDS, moment)
        if self._reading.columns.kind == Kind.TRANSACTIONS:
            parsers["handle"] = partial(_if_any, cells.handle)
        return parsers

    def _clean(self, cell: str) -> str:
        if not (cell.isascii() and cell.isprintable()):
            if UNDECODED.search(cell) or ("\ufffd" in cell and self._reading.encoding.startswith("utf-16")):
                raise BadCell("undecodable", encoding=self._reading.encoding)
            if self._repair and looks_doubled(cell):
                cell = repaired(cell, self._repair)
            cells.forbid_control(cell)
        text = cell.strip()
        return cells.unguarded(text) if text[:1] in "'=" else text

    def _currency_said(self, text: str) -> str:
        self._currency = money.currency_code(text) or self._creator_currency
        return self._currency

    def _money(self, text: str) -> int | None:
        return money.money(text, decimal=self._decimal, currency=self._currency)


def _never(_cell: str) -> None:
    return None


def zone_of(creator: Creator) -> ZoneInfo:
    try:
        return ZoneInfo(creator.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def _not_negative(parse: Parse, text: str) -> int | None:
    amount: int | None = parse(text)
    if amount is not None and amount < 0:
        raise BadCell("negative")
    return amount


def _if_any(parse: Parse, text: str) -> Any:
    return None if text.casefold() in cells.NOTHING else parse(text)


def _fan(values: dict[str, Any]) -> None:
    if "platform_id" not in values and "handle" not in values:
        raise BadCell("no_identity")
    tier = values.pop("tier", "")
    if tier:
        values["tags"] = tuple(dict.fromkeys((*values.get("tags", ()), tier)))


def _payment(values: dict[str, Any]) -> None:
    for field in ("occurred_at", "amount"):
        if field not in values:
            raise BadCell(f"no_{field}")


_KINDS = {
    **dict.fromkeys(
        ("subscription", "subscriptions", "subscribe", "renewal", "rebill", "resubscription"), "subscription"
    ),
    **dict.fromkeys(("tip", "tips"), "tip"),
    **dict.fromkeys(("message", "messages", "ppv", "paid message", "chat message", "chat_messages", "dm"), "message"),
    **dict.fromkeys(("post", "posts"), "post"),
    **dict.fromkeys(("stream", "streams", "live", "live stream"), "stream"),
}


def payment_kind(word: str) -> str:
    """One of ``Transaction.Kind``; words that we do not know are ``other``."""
    return _KINDS.get(word, Transaction.Kind.OTHER.value)


def printable(cell: str) -> str:
    """Undecodable bytes and NULs as something that a database and JSON take."""
    return UNDECODED.sub("\ufffd", cell).replace("\0", "␀")


def with_options(reading: Reading, options: Options) -> Reading:
    """``reading`` with what a person has answered since."""
    return replace(
        reading,
        date_order=options.date_order or reading.date_order,
        decimal=options.decimal or reading.decimal,
        repair=options.text_repair or reading.repair,
    )
