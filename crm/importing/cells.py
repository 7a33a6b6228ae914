"""What one cell says: money, moments, ids, names. What it does not say clearly is refused, never guessed."""

import html
import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from crm.importing.problems import BadCell

#: How people and programs write that there is nothing.
NOTHING = frozenset({"", "-", "–", "—", "n/a", "#n/a", "na", "nan", "null", "none"})

# --- Cells that a spreadsheet would run as a formula

_FORMULA = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")
_TEXT_FORMULA = re.compile('="([^"]*)"')


def guarded(text: str) -> str:
    """``text`` as a spreadsheet shows it and never runs it; ``unguarded`` brings it back."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(text: str) -> str:
    if text.startswith("'") and _FORMULA.match(text):
        return text[1:]
    if text.startswith("=") and (said := _TEXT_FORMULA.fullmatch(text)):
        return said[1]
    return text


# --- Text

_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,500}>|<!--.{0,500}?-->", re.DOTALL)
_ENTITY = re.compile(r"&(?:[a-zA-Z][a-zA-Z0-9]{1,30}|#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6});")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def plain(text: str) -> str:
    """Without HTML, which platforms put into names and descriptions."""
    if "<" in text:
        text = _TAG.sub("", text)
    return html.unescape(text) if "&" in text and _ENTITY.search(text) else text


def as_plain(text: str) -> str:
    """What ``plain`` reads as exactly this text: HTML that is meant as such is escaped."""
    return html.escape(text, quote=False) if plain(text) != text else text


def short_text(text: str, limit: int) -> str:
    text = plain(text).strip() if "<" in text or "&" in text else text
    if len(text) > limit:
        raise BadCell("too_long", found=len(text), limit=limit)
    return text


def forbid_control(text: str) -> None:
    if found := _CONTROL.search(text):
        raise BadCell("nul" if found[0] == "\0" else "control")


NAME_MAX, HANDLE_MAX, ID_MAX, EMAIL_MAX, TAG_MAX, DESCRIPTION_MAX, TAGS_MAX = 200, 120, 64, 254, 60, 300, 50
_ID = re.compile(rf"[A-Za-z0-9_.:\-]{{1,{ID_MAX}}}")
_ROUNDED = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+|[0-9]+[.,]0+")
#: What the platform calls people who never chose a name.
_NO_NAME = re.compile(r"u[0-9]{5,}")
_SPACE = re.compile(r"\s")


def platform_id(text: str) -> str:
    """Ids go beyond 2^53, so they are text from end to end, and one that a spreadsheet has rounded is refused."""
    if _ROUNDED.fullmatch(text):
        raise BadCell("scientific")
    if not _ID.fullmatch(text):
        raise BadCell("bad_id", limit=ID_MAX)
    return text


def handle(text: str) -> str:
    text = text.lstrip("@")
    if not text or len(text) > HANDLE_MAX or _SPACE.search(text):
        raise BadCell("bad_username", limit=HANDLE_MAX)
    return text


def name(text: str) -> str:
    """Empty for the name that the platform makes up, so that nobody is greeted as “u123456789”."""
    text = short_text(text, NAME_MAX)
    return "" if _NO_NAME.fullmatch(text) else text


def email(text: str) -> str:
    if text.casefold() in NOTHING:
        return ""
    try:
        validate_email(text)
    except ValidationError as error:
        raise BadCell("bad_email") from error
    if len(text) > EMAIL_MAX:
        raise BadCell("too_long", found=len(text), limit=EMAIL_MAX)
    return text


def tag(text: str) -> str:
    return "" if text.casefold() in NOTHING else short_text(text, TAG_MAX)


_TAG_SPLIT = re.compile(r"(?:\\[\\;]|[^;])+")


def tags(text: str) -> tuple[str, ...]:
    """Split at ``;``; a tag's own one is written ``\\;``."""
    parts = (re.sub(r"\\([\\;])", r"\1", part).strip() for part in _TAG_SPLIT.findall(text))
    found = {short.casefold(): short for part in reversed(list(parts)) if (short := tag(part))}
    if len(found) > TAGS_MAX:
        raise BadCell("too_many_tags", limit=TAGS_MAX)
    return tuple(reversed(found.values()))


def joined_tags(names: list[str]) -> str:
    return "; ".join(re.sub(r"([\\;])", r"\\\1", as_plain(word)) for word in names)


_PENDING = frozenset({"loading", "pending", "processing", "new", "scheduled", "on hold"})
_VOID = frozenset(
    [
        "refunded",
        "refund",
        "chargeback",
        "charged_back",
        "reversed",
        "undone",
        "undo",
        "returned",
        "failed",
        "declined",
        "cancelled",
        "canceled",
    ]
)


def settled(text: str) -> None:
    """Raises BadCell for a payment that has not come in, or has gone back."""
    status = text.casefold()
    if status in _PENDING:
        raise BadCell("not_settled")
    if status in _VOID:
        raise BadCell("refunded")


_SUBSCRIPTIONS = {
    **dict.fromkeys(("active", "subscribed", "true", "yes", "1", "renewed"), "active"),
    **dict.fromkeys(("expired", "inactive", "cancelled", "canceled", "ended", "false", "no", "0"), "expired"),
    **dict.fromkeys(("never", "none", "free"), "never"),
}


def subscription(text: str) -> str:
    word = text.casefold()
    if word in _SUBSCRIPTIONS:
        return _SUBSCRIPTIONS[word]
    if word in NOTHING:
        return ""
    raise BadCell("bad_status")


# --- Money

_SYMBOLS = {"$": "", "us$": "USD", "€": "EUR", "£": "GBP"}
_MONEY = re.compile(
    r"(?P<open>\()?(?P<sign>[-+−])?(?P<before>[A-Za-z]{3}|[A-Za-z]{0,2}\$|[€£])?(?P<sign2>[-+−])?"
    r"(?P<number>[0-9][0-9.,'’_]*|[.,][0-9]+)"
    r"(?P<after>[A-Za-z]{3}|\$|[€£])?(?P<close>\))?"
)
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]+")
_PLAIN_MONEY = re.compile(r"\$?([0-9]{1,11})(?:\.([0-9]{2}))?")
_GROUPED = re.compile(r"[0-9]{1,3}(?:[.,_][0-9]{3})+")
#: Above any fan's lifetime, below what a database integer holds.
MINOR_MAX = 10**13
#: ISO 4217: currencies that do not have two decimals.
DECIMALS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


class UndecidedMoney(BadCell):
    """``1,234`` or ``1.234``: a thousand and more, or one and a little?"""

    def __init__(self) -> None:
        super().__init__("bad_money")


def money(text: str, *, decimal: str | None, currency: str) -> int | None:
    """An amount in minor units of ``currency``, None for nothing. ``decimal`` decides what can be read in two ways.

    Raises UndecidedMoney for such an amount when ``decimal`` is None, BadCell for what is no amount.
    """
    if simple := _PLAIN_MONEY.fullmatch(text):
        whole, part = simple[1], simple[2] or "00"
        if currency not in DECIMALS:
            return _in_range(int(whole + part))
    if text.casefold() in NOTHING:
        return None
    parts = _money_parts(text)
    _same_currency(parts, currency)
    whole, part, _mark = _split(parts["number"], decimal)
    exponent = DECIMALS.get(currency, 2)
    if len(part.rstrip("0")) > exponent:
        raise BadCell("too_precise", currency=currency)
    amount = int(Decimal(f"{whole or 0}.{part or 0}").scaleb(exponent))
    is_negative = bool(parts["open"] or parts["sign"] or parts["sign2"])
    return _in_range(-amount if is_negative else amount)


def decimal_mark_of(text: str) -> str:
    """The decimal mark that this amount shows; empty when it shows none. Raises UndecidedMoney, BadCell."""
    if _PLAIN_MONEY.fullmatch(text):
        return "." if "." in text else ""
    if text.casefold() in NOTHING:
        return ""
    return _split(_money_parts(text)["number"], None)[2]


def _money_parts(text: str) -> dict[str, str | None]:
    if _ROUNDED.fullmatch(text) and "e" in text.casefold():
        raise BadCell("scientific")
    # Spaces group thousands; elsewhere they say nothing.
    found = _MONEY.fullmatch(_SPACES.sub("", re.sub(r"(?<=[0-9])[\s\u00a0\u202f\u2009](?=[0-9])", "_", text)))
    if found is None or bool(found["open"]) != bool(found["close"]) or (found["sign"] and found["sign2"]):
        raise BadCell("bad_money")
    return {**found.groupdict(), "number": re.sub("['’]", "_", found["number"])}


def _same_currency(parts: dict[str, str | None], currency: str) -> None:
    for said in filter(None, (parts["before"], parts["after"])):
        code = _SYMBOLS.get(said.casefold(), said.upper().removesuffix("$"))
        if len(code) == 3 and code != currency:
            raise BadCell("other_currency", found=code, wanted=currency)


def _split(number: str | None, decimal: str | None) -> tuple[str, str, str]:
    """Whole part, decimals, and the decimal mark that the amount shows by itself."""
    number = number or ""
    marks = [character for character in number if character in ".,"]
    if not marks:
        return _grouped(number), "", ""
    last = marks[-1]
    if len(set(marks)) == 2:
        if marks.count(last) > 1:
            raise BadCell("bad_money")
        whole, _mark, part = number.rpartition(last)
        return _grouped(whole), _digits(part), last
    if len(marks) > 1:
        return _grouped(number), "", "," if last == "." else "."
    whole, _mark, part = number.partition(last)
    if len(part) == 3 and re.fullmatch("[1-9][0-9]{0,2}", whole):
        if decimal is None:
            raise UndecidedMoney
        return (whole, part, "") if decimal == last else (whole + part, "", "")
    return _grouped(whole), _digits(part), last


def _grouped(whole: str) -> str:
    if whole.isdigit() or not whole:
        return whole
    if not _GROUPED.fullmatch(whole) or len(set(re.sub("[0-9]", "", whole))) > 1:
        raise BadCell("bad_money")
    return re.sub("[.,_]", "", whole)


def _digits(part: str) -> str:
    if not part.isdigit():
        raise BadCell("bad_money")
    return part


def _in_range(amount: int) -> int:
    if abs(amount) > MINOR_MAX:
        raise BadCell("too_large", limit=MINOR_MAX // 100)
    return amount


def currency_code(text: str) -> str:
    if text.casefold() in NOTHING:
        return ""
    code = text.upper()
    if not re.fullmatch("[A-Z]{3}", code):
        raise BadCell("bad_currency")
    return code


# --- Moments

YEAR_MIN, YEAR_MAX = 2000, 2100
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
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
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
        month = _MONTHS.get((found[2] or found[3])[:3].casefold(), 0)
        return _in_years(_local(int(found[5]), month, int(found[1] or found[4]), found[6], zone))
    raise BadCell("bad_date")


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
