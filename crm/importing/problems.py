"""What can be wrong with a file and with a row, as codes that a program keeps and sentences that a person reads."""

from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.importing.records import RECORD_LINES_MAX, RECORD_MAX
from crm.numbers import grouped


class CannotImport(Exception):
    """Nothing of this file can be imported as it is. ``option`` is the field or option that would have to change."""

    def __init__(self, code: str, words: str | Promise, *, option: str = "file") -> None:
        super().__init__(str(words))
        self.code, self.option = code, option


class BadCell(ValueError):
    """One cell cannot be read; ``params`` fill the sentence of ``code``."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(code)
        self.code, self.params = code, params


#: Long values are shown shortened; the row in the error file has them whole.
SHOWN_MAX = 120

REASONS: dict[str, str | Promise] = {
    "unclosed_quote": _(
        "A quote is opened in line %(line)s and not closed as it should be within %(lines)s lines and %(characters)s"
        " characters, which is the most that a row can have. Close it, or write it twice."
    ),
    "line_too_long": _("The line is longer than %(limit)s characters."),
    "cell_count": _("The row has %(found)s cells and the header has %(wanted)s columns."),
    "undecodable": _("Some characters are not in the file's encoding (%(encoding)s)."),
    "nul": _("There is a NUL character in it."),
    "control": _("There is a control character in it."),
    "damaged_text": _("The text was encoded twice and then damaged: it cannot be repaired."),
    "too_long": _("It has %(found)s characters; at most %(limit)s are kept."),
    "header_again": _("This is the header once more."),
    "no_identity": _("The row has neither a platform id nor a username, so nobody can say who it is."),
    "duplicate": _("This is the same one as in row %(row)s."),
    "ambiguous_fan": _("Several fans have this username: add their platform id."),
    "scientific": _("A spreadsheet has rounded this number (scientific notation): export it again as text."),
    "bad_id": _("A platform id has no spaces or quotes and only plain letters, digits and signs, at most %(limit)s."),
    "bad_key": _("This is no key of Huntaze's own export: leave it empty."),
    "bad_username": _("A username has no spaces, and at most %(limit)s characters."),
    "bad_email": _("This is not an e-mail address."),
    "bad_money": _("This is not an amount of money."),
    "too_precise": _("The amount has more decimals than %(currency)s has."),
    "negative": _("It cannot be negative."),
    "too_large": _("The amount is too large: at most %(limit)s."),
    "other_currency": _("The amount is in %(found)s, and the creator's currency is %(wanted)s."),
    "bad_currency": _("A currency is three letters, as in USD."),
    "bad_date": _("This is not a date. Write it as 2025-11-01 or 2025-11-01T18:30:00Z."),
    "short_year": _("Write the year with four digits."),
    "day_order": _("There is no such day with %(order)s."),
    "out_of_range": _("The date is not between the years %(first)s and %(last)s."),
    "bad_status": _("This is not a state of a subscription: active, expired or never."),
    "too_many_tags": _("A fan has at most %(limit)s tags in one file."),
    "too_many_tags_in_all": _("The creator would have more than %(limit)s tags in all."),
    "no_occurred_at": _("A payment needs a date."),
    "no_amount": _("A payment needs an amount."),
    "not_settled": _("This payment is not settled yet: import it when it is."),
    "refunded": _("This payment was refunded, so it adds nothing."),
}


#: Parameters that say how much. A row or a line is where to look, and written as a spreadsheet shows it.
_QUANTITIES = {"limit", "found", "wanted", "characters"}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row is not imported. ``row`` counts the header as 1, ``line`` counts lines of the file."""

    row: int
    line: int
    column: str
    code: str
    value: str = ""
    params: dict[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        # The limits of a row for problems that were kept before they were named.
        named = {"line": self.line, "lines": RECORD_LINES_MAX, "characters": RECORD_MAX}
        shown = {
            name: grouped(value) if name in _QUANTITIES and isinstance(value, int) else value
            for name, value in (named | self.params).items()
        }
        return str(REASONS[self.code]) % shown

    def stored(self) -> list[Any]:
        """As it is kept with the import: short, because a file may be nothing but problems."""
        return [self.row, self.line, self.column, self.code, self.value[:SHOWN_MAX], self.params]
