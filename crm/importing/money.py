"""Amounts of money as people and programs write them, as whole minor units; decimal arithmetic only."""

import re
from decimal import Decimal

from crm.importing.cells import NOTHING, ROUNDED
from crm.importing.problems import BadCell

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
_WITHOUT_DECIMALS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH_THREE = "BHD IQD JOD KWD LYD OMR TND"


def decimals_of(currency: str) -> int:
    return 0 if currency in _WITHOUT_DECIMALS else 3 if currency in _WITH_THREE else 2


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
        if decimals_of(currency) == 2:
            return _in_range(int(whole + part))
    if text.casefold() in NOTHING:
        return None
    parts = _money_parts(text)
    _same_currency(parts, currency)
    whole, part, _mark = _split(parts["number"], decimal)
    exponent = decimals_of(currency)
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
    if ROUNDED.fullmatch(text) and "e" in text.casefold():
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
