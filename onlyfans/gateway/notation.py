"""How onlyfansapi.com writes ids, money, times and text; the gateway, the inbox and the simulator share it.

Their answers and events are somebody else's words: whatever does not read as expected raises Unreadable.
"""

import unicodedata
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from html import escape
from html.parser import HTMLParser

ID_MAX = 64
CENTS_MAX = 2**31 - 1


class Unreadable(ValueError):
    """A value is not what the provider documents; the words say which, for a person."""


def id_of(value: object, *, name: str = "id") -> str:
    """An id: a number in messages, a string in notifications; always a string with us."""
    text = str(value).strip() if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not text or len(text) > ID_MAX:
        raise Unreadable(f"{name} is missing or is no id.")
    return text


def cents_of(value: object, *, name: str = "price") -> int:
    """Dollars as a number or its text, in exact cents; nothing is 0."""
    if value is None or value == "":
        return 0
    try:
        dollars = Decimal(str(value))
    except InvalidOperation:
        raise Unreadable(f"{name} is no amount.") from None
    if isinstance(value, bool) or not dollars.is_finite() or dollars < 0 or dollars.adjusted() > 9:
        raise Unreadable(f"{name} is no amount.")
    cents = dollars * 100
    if cents != int(cents) or cents > CENTS_MAX:
        raise Unreadable(f"{name} is no amount in cents.")
    return int(cents)


def dollars_of(cents: int) -> int | float:
    """The number to write into JSON: 500 is 5, 1999 is 19.99.

    The shortest text of the nearest float is those two decimals again, so what goes over the wire is exact.
    """
    return cents / 100 if cents % 100 else cents // 100


def time_of(value: object, *, name: str = "createdAt") -> datetime:
    """An ISO 8601 moment, aware; one without a zone is UTC."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        if moment and moment.tzinfo:
            moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        moment = None
    # Nobody wrote before the platforms began, and arithmetic at the end of the calendar overflows.
    if moment is None or not 2000 <= moment.year < 9000:
        raise Unreadable(f"{name} is no time.")
    return moment.replace(tzinfo=UTC)


def markup_of(text: str) -> str:
    """Plain text as the provider wants it: one ``<p>``, lines parted by ``<br>``, the rest escaped."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return f"<p>{'<br>'.join(escape(line, quote=False) for line in lines)}</p>"


def text_of(markup: object, *, name: str = "text") -> str:
    """The plain text of a message; nothing is the empty text."""
    if markup is None:
        return ""
    if not isinstance(markup, str):
        raise Unreadable(f"{name} is no text.")
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    return "".join(reader.parts).replace("\N{NO-BREAK SPACE}", " ").strip()


def comparable(text: str) -> str:
    """Two texts are the same message when these are equal: a platform may change whitespace."""
    return " ".join(unicodedata.normalize("NFC", text).split())


class _Reader(HTMLParser):
    """Keeps the words, turns breaks and paragraphs into new lines, drops every other tag."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._after_break = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "br" or (tag == "p" and self.parts):
            self.parts.append("\n")
        self._after_break = tag == "br"

    def handle_data(self, data: str) -> None:
        # The platform writes "<br />\n" for one new line.
        self.parts.append(data.removeprefix("\n") if self._after_break else data)
        self._after_break = False
