"""What one cell says: ids, names, words. What it does not say clearly is refused, never guessed."""

import html
import re
from collections.abc import Mapping

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


def has_control(text: str) -> bool:
    return _CONTROL.search(text) is not None


NAME_MAX, HANDLE_MAX, ID_MAX, EMAIL_MAX, TAG_MAX, DESCRIPTION_MAX, TAGS_MAX = 200, 120, 64, 254, 60, 300, 50
#: Plain characters without those in which a file wraps its cells: ' " , ;
_ID = re.compile(rf"[!#-&(-+\--:<-~]{{1,{ID_MAX}}}")
ROUNDED = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]*)?[eE][+-]?[0-9]+|[0-9]+[.,]0+")
#: What the platform calls people who never chose a name.
_NO_NAME = re.compile(r"u[0-9]{5,}")
_SPACE = re.compile(r"\s")


def platform_id(text: str) -> str:
    """Ids go beyond 2^53, so they are text from end to end, and one that a spreadsheet has rounded is refused."""
    if ROUNDED.fullmatch(text):
        raise BadCell("scientific")
    if not _ID.fullmatch(text):
        raise BadCell("bad_id", limit=ID_MAX)
    return text


def own_key(text: str) -> str:
    """By what a payment without an id is known to us, as our own export writes it."""
    if not _OWN_KEY.fullmatch(text):
        raise BadCell("bad_key")
    return text


_OWN_KEY = re.compile("f:[0-9a-f]{64}|e:[!-~]{1,96}")


def import_id(text: str) -> str:
    """Which import left the row out, as our error file says it; empty when a person wrote something else there."""
    return text if _IMPORT_ID.fullmatch(text) else ""


_IMPORT_ID = re.compile("[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


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


_WORD = "[A-Za-z0-9]{1,30}"
#: Cells of which the functions above would say just what stands there. Most are such, and need no closer look.
CLEAR: Mapping[str, re.Pattern[str]] = {
    "platform_id": re.compile(rf"[0-9]{{1,{ID_MAX}}}"),
    "handle": re.compile(rf"[A-Za-z0-9._]{{1,{HANDLE_MAX}}}"),
    "name": re.compile(rf"(?!u[0-9])[A-Za-z](?:[A-Za-z0-9 .-]{{0,{NAME_MAX - 2}}}[A-Za-z0-9.])?"),
    "email": re.compile(rf"{_WORD}(?:[._+-]{_WORD}){{0,3}}@(?:{_WORD}\.){{1,2}}[A-Za-z]{{2,20}}"),
}

_PENDING = re.compile("loading|pending|processing|new|scheduled|on hold")
_VOID = re.compile("refund(ed)?|charged?[ _]?back|reversed|undone|undo|returned|failed|declined|cancell?ed")


def settled(text: str) -> None:
    """Raises BadCell for a payment that has not come in, or has gone back."""
    status = text.casefold()
    if _PENDING.fullmatch(status):
        raise BadCell("not_settled")
    if _VOID.fullmatch(status):
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
