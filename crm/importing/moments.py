"""Dates and times as people and programs write them, as moments in UTC."""

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from crm.importing.cells import NOTHING
from crm.importing.problems import BadCell

YEAR_MIN, YEAR_MAX = 2000, 2100
#: As programs write it; Python reads it by itself.
_WHOLE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{6})?(?:Z|[+-][0-9]{2}:[0-9]{2})")
_ISO = re.compile(
    r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})"
    r"(?:(?:T|\s+)([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?\s*(Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})?)?",
    re.IGNORECASE,
)
_NUMERIC = re.compile(r"([0-9]{1,2})([./-])([0-9]{1,2})\2([0-9]{4}|[0-9]{2})(?:,?\s+(.+))?")
_WORDED = re.compile(
    r"(?:([0-9]{1,2})(?:st|nd|rd|th)?\s+([A-Za-z]{3,9})\.?|([A-Za-z]{3,9})\.?\s+([0-9]{1,2})(?:st|nd|rd|th)?),?\s+([0-9]{4})"
    r"(?:,?\s+(?:at\s+)?(.+))?"
)
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?\s*([AaPp])?(?:\.?[Mm]\.?)?")
_MONTHS = " jan feb mar apr may jun jul aug sep oct nov dec"
_EPOCH = re.compile(r"([0-9]{9,10})(?:\.[0-9]+)?|[0-9]{12,13}")
DAY_FIRST, MONTH_FIRST = "dmy", "mdy"


class UndecidedDate(BadCell):
    """``03/04/2025``: in March or in April?"""

    def __init__(self) -> None:
        super().__init__("bad_date")


def needs_day_order(text: str) -> bool:
    """True for a day, a month and a year in figures, whatever the figures: one file is written one way."""
    return not text[:4].isdigit() and bool((found := _NUMERIC.fullmatch(text)) and len(found[4]) == 4)


def moment(text: str, *, zone: tzinfo, order: str | None) -> datetime | None:
    """A moment in UTC, None for nothing. Without an offset it is of ``zone``, without a time it is midnight there.

    Raises UndecidedDate for a date that needs ``order`` when that is None, BadCell for what is no date.
    """
    if _WHOLE.fullmatch(text):
        return _in_years(_whole(text))
    if found := _ISO.fullmatch(text):
        return _in_years(_iso(found, zone))
    if text.casefold() in NOTHING:
        return None
    if found := _EPOCH.fullmatch(text):
        seconds = Decimal(text) if found[1] else Decimal(text) / 1000
        return _in_years(datetime.fromtimestamp(float(seconds), UTC))
    if found := _NUMERIC.fullmatch(text):
        return _in_years(_numeric(found, zone, order))
    if found := _WORDED.fullmatch(text):
        # Four characters each; what is no month is found at -1 and makes month 0, which no date has.
        month = (_MONTHS.find(f" {(found[2] or found[3])[:3].casefold()}") + 4) // 4
        return _in_years(_local(int(found[5]), month, int(found[1] or found[4]), found[6], zone))
    raise BadCell("bad_date")


def _whole(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise BadCell("bad_date") from error


def _iso(found: re.Match[str], zone: tzinfo) -> datetime:
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    try:
        at = datetime(  # noqa: DTZ001 — the zone follows
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0),
            int((fraction or "").ljust(6, "0")[:6]),
        )  # fmt: skip
        return at.replace(tzinfo=_offset(offset, zone))
    except ValueError as error:
        raise BadCell("bad_date") from error


def _offset(offset: str | None, zone: tzinfo) -> tzinfo:
    if not offset:
        return zone
    if offset[0] not in "+-":
        return UTC
    stated = datetime.strptime(offset.replace(":", ""), "%z").tzinfo
    assert stated
    return stated


def _numeric(found: re.Match[str], zone: tzinfo, order: str | None) -> datetime:
    first, _separator, second, year, clock = found.groups()
    if len(year) == 2:
        raise BadCell("short_year")
    if order is None:
        raise UndecidedDate
    day, month = (first, second) if order == DAY_FIRST else (second, first)
    if int(month) > 12:
        raise BadCell("day_order", order=order)
    return _local(int(year), int(month), int(day), clock, zone)


def _local(year: int, month: int, day: int, clock: str | None, zone: tzinfo) -> datetime:
    hour = minute = second = 0
    if clock:
        read = _CLOCK.fullmatch(clock.strip())
        if read is None or (read[4] and not 1 <= int(read[1]) <= 12):
            raise BadCell("bad_date")
        hour, minute, second = int(read[1]), int(read[2]), int(read[3] or 0)
        if read[4]:
            hour = hour % 12 + (12 if read[4] in "pP" else 0)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=zone)
    except ValueError as error:
        raise BadCell("bad_date") from error


def _in_years(at: datetime) -> datetime:
    if not YEAR_MIN <= at.year <= YEAR_MAX:
        raise BadCell("out_of_range", first=YEAR_MIN, last=YEAR_MAX)
    return at.astimezone(UTC)
