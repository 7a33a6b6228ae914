"""Bytes to text: the encoding, and text that somebody encoded twice."""

import codecs
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, TextIO

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.importing.problems import BadCell, CannotImport

PIECE = 1 << 16
BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What people rename to .csv: ZIP and with it .xlsx, old .xls, gzip, PDF, pictures.
NOT_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"%PDF", b"\x89PNG", b"\xff\xd8\xff")
NOT_CSV = gettext_lazy("This is not a CSV file but something else with its name changed. Save it as CSV.")
#: What a person may choose when they know better than the bytes say.
CHOICES = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252")
REPAIRS = ("cp1252", "cp1254")


def encoding_of(stream: BinaryIO) -> str:
    """The codec of the whole stream, which is read to its end. Raises CannotImport for what is no text.

    A BOM decides. Without one it is UTF-16 when every second byte is NUL, and UTF-8 when it can be. Bytes that are
    not UTF-8 in a file that has no UTF-8 beyond ASCII are Windows-1252; in a file that has some, they are damage
    and found row by row.
    """
    head = stream.read(PIECE)
    if head.startswith(NOT_TEXT):
        raise CannotImport("not_text", NOT_CSV)
    for bom, name in BOMS:
        if head.startswith(bom):
            return name
    if sample := head[:2048]:
        even, odd = sample[::2].count(0), sample[1::2].count(0)
        if max(even, odd) > len(sample) / 4 and min(even, odd) < len(sample) / 40:
            return "utf-16-le" if odd > even else "utf-16-be"
    return _eight_bits(head, stream)


def encoding_said(said: str, stream: BinaryIO) -> str:
    """What a person says that it is; which UTF-16, the bytes say. Raises CannotImport when they say that it is none."""
    if said != "utf-16":
        return said
    found = encoding_of(stream)
    if not found.startswith(said):
        words = _("It does not begin as UTF-16 does. If it is, say utf-16-le or utf-16-be.")
        raise CannotImport("bad_option", words, option="encoding")
    return found


def _eight_bits(head: bytes, rest: BinaryIO) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    found_utf8 = found_other = False
    for piece in _pieces(head, rest):
        if piece.isascii() and not decoder.getstate()[0]:
            continue
        text = decoder.decode(piece)
        found_other = found_other or bool(UNDECODED.search(text))
        found_utf8 = found_utf8 or bool(_BEYOND_ASCII.search(text))
    found_other = found_other or bool(decoder.getstate()[0])
    return "cp1252" if found_other and not found_utf8 else "utf-8"


def _pieces(head: bytes, rest: BinaryIO) -> Iterable[bytes]:
    while head:
        yield head
        head = rest.read(PIECE)


def text_of(stream: BinaryIO, encoding: str) -> TextIO:
    """The stream as text, line breaks as they are. Bytes that cannot be decoded become what ``UNDECODED`` finds."""
    errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
    return io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="")


UNDECODED = re.compile("[\ud800-\udfff]")
_BEYOND_ASCII = re.compile("[^\x00-\x7f\ud800-\udfff]")


# --- Text that was UTF-8, was read as Windows-1252 or -1254, and was written as UTF-8 again


def _as_byte(error: UnicodeError) -> tuple[bytes, int]:
    """The control characters that a lenient reader made of the bytes which those encodings leave out."""
    assert isinstance(error, UnicodeEncodeError)
    wrong = error.object[error.start : error.end]
    if all("\x80" <= character <= "\x9f" for character in wrong):
        return wrong.encode("latin-1"), error.end
    raise error


codecs.register_error("huntaze.c1", _as_byte)


def _characters(codec: str, first: int, last: int) -> str:
    return re.escape("".join(bytes([byte]).decode(codec, "ignore") for byte in range(first, last + 1)))


#: What a multi-byte character of UTF-8 looks like when it is read as one of these.
_DOUBLED = re.compile(
    "|".join(f"[{_characters(codec, 0xC2, 0xF4)}][{_characters(codec, 0x80, 0xBF)}\x80-\x9f]" for codec in REPAIRS)
)


def looks_doubled(text: str) -> bool:
    return not text.isascii() and _DOUBLED.search(text) is not None


def repaired(text: str, codec: str) -> str:
    """What the text was before it was encoded twice. Raises BadCell when it is damaged beyond that."""
    try:
        return text.encode(codec, "huntaze.c1").decode("utf-8")
    except UnicodeError as error:
        raise BadCell("damaged_text") from error


@dataclass
class Doubled:
    """Counts, over a whole file, which repair would bring back how many texts."""

    counts: dict[str, int]
    examples: dict[str, list[str]]

    @classmethod
    def none(cls) -> "Doubled":
        return cls(dict.fromkeys(REPAIRS, 0), {codec: [] for codec in REPAIRS})

    def see(self, text: str) -> None:
        for codec in REPAIRS:
            try:
                before = repaired(text, codec)
            except BadCell:
                continue
            self.counts[codec] += 1
            if len(self.examples[codec]) < 3:
                self.examples[codec].append(f"{text} → {before}")

    @property
    def choices(self) -> list[str]:
        """The repairs that bring back most, best first; of two equal ones the more usual."""
        best = max(self.counts.values())
        return [codec for codec in REPAIRS if self.counts[codec] == best] if best else []
