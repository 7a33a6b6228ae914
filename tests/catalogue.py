"""The catalogues of translations: what the code says in English, and what locale/ says in French.

``python -m tests.catalogue`` (``make messages``) brings locale/ up to date: new strings come in untranslated, those
that nobody says any more go. It needs no gettext tools, so every machine can check that nothing is missing.
"""

import io
import os
import sys
import tokenize
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import django
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.utils.translation.template import templatize

from crm.naming import names

ROOT = Path(__file__).resolve().parent.parent
LANGUAGE = "fr"
PO = ROOT / "locale" / LANGUAGE / "LC_MESSAGES" / "django.po"
MO = PO.with_suffix(".mo")
APPS = ("crm", "huntaze", "onlyfans", "ratelimit")
WITH_MODELS = ("crm", "onlyfans")
#: Read by developers only.
NOT_TRANSLATED = (ROOT / "templates" / "styleguide",)
HEADER = """# What Huntaze says, in French. `make messages` brings it up to date, tests/test_translations.py checks it.
msgid ""
msgstr ""
"Language: fr\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

"""
#: Which arguments of a call are its words; 1c is the context.
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "_text": None,
    "_lazy": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}


def modules() -> Iterator[Path]:
    """The Python files that may speak to people."""
    for app in APPS:
        yield from (path for path in sorted((ROOT / app).rglob("*.py")) if "tests" not in path.parts)


def templates() -> Iterator[Path]:
    for path in sorted((ROOT / "templates").rglob("*")):
        if path.suffix in {".html", ".txt"} and not any(folder in path.parents for folder in NOT_TRANSLATED):
            yield path


def extracted() -> Catalog:
    """Every string that the code and the templates mark for translation."""
    catalogue = Catalog(project="Huntaze", charset="utf-8")
    for path in modules():
        _collect(catalogue, path, path.read_text(encoding="utf-8"))
    for path in templates():
        # Django turns a template into calls among blanked-out text; without indentation Python can read it.
        calls = templatize(path.read_text(encoding="utf-8"), str(path))
        _collect(catalogue, path, "\n".join(line.strip() for line in calls.splitlines()) + "\n")
    for app in WITH_MODELS:
        for name in names(app):
            catalogue.add(name)
    return catalogue


def translated() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale=LANGUAGE, charset="utf-8")


def compiled(catalogue: Catalog) -> bytes:
    """The same bytes for the same catalogue, whenever they are made."""
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


def update() -> Catalog:
    """Bring the French catalogue up to date with the code, and compile it."""
    catalogue = translated() if PO.exists() else Catalog(locale=LANGUAGE, project="Huntaze", charset="utf-8")
    catalogue.update(extracted(), no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    PO.parent.mkdir(parents=True, exist_ok=True)
    file = io.BytesIO()
    # Sorted, without line numbers and dates: two branches that add strings meet in few places.
    write_po(file, catalogue, width=120, no_location=True, sort_output=True, ignore_obsolete=True, omit_header=True)
    PO.write_bytes(HEADER.encode() + file.getvalue())
    MO.write_bytes(compiled(translated()))
    return catalogue


def messages(catalogue: Catalog) -> list[Message]:
    """All but the header."""
    return [message for message in catalogue if message.id]


def strings(message: Message) -> list[str]:
    """Its translations: one, or one for each plural form."""
    return list(message.string or ()) if message.pluralizable else [str(message.string or "")]


def untranslated(catalogue: Catalog) -> list[Message]:
    return [message for message in messages(catalogue) if message.fuzzy or not all(strings(message) or [""])]


def _collect(catalogue: Catalog, path: Path, source: str) -> None:
    try:
        found = extract("python", io.BytesIO(source.encode()), KEYWORDS, options={"encoding": "utf-8"})
        for _line, words, _comments, context in found:
            if words:
                catalogue.add(words, context=context)
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huntaze.settings")
    django.setup()
    missing = untranslated(update())
    sys.stdout.writelines(f"{message.id}\n" for message in missing)
    sys.exit(f"{len(missing)} strings of locale/{LANGUAGE} are to be translated." if missing else 0)
