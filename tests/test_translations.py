"""English and French are complete: what the code marks, the catalogue says; the templates leave nothing unmarked."""

import ast
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.template.base import Lexer, TokenType
from django.utils import translation

from tests import catalogue

#: Names and forms that are the same in every language.
NAMES = {"Huntaze", "API", "CSV", "UTC"}
#: Attributes that people read or hear.
SPOKEN = {"alt", "aria-description", "aria-label", "placeholder", "title"}
#: Elements in which nothing is said to people.
SILENT = {"code", "script", "style"}
APOSTROPHE = re.compile(r"\w'\w")
#: What French sets apart, it sets apart by a space that does not break.
BREAKING = re.compile(r" [?!;:»%](?!\()|« ")


def test_every_string_is_in_the_french_catalogue_and_nothing_else_is() -> None:
    said, known = (
        {(m.context, m.id) for m in catalogue.messages(each)}
        for each in (catalogue.extracted(), catalogue.translated())
    )

    assert said - known == set(), "make messages, then translate"
    assert known - said == set(), "make messages"


def test_no_module_marks_strings_by_a_name_that_the_catalogue_does_not_know() -> None:
    renamed = re.compile(r"gettext\w* as (\w+)")

    names = {name for path in catalogue.modules() for name in renamed.findall(path.read_text(encoding="utf-8"))}

    assert names - catalogue.KEYWORDS.keys() == set()


def test_no_cause_is_kept_that_the_catalogue_does_not_know() -> None:
    kept = [
        f"{path.name}: {ast.unparse(given.value)}"
        for path in catalogue.modules()
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for given in call.keywords
        if given.arg in {"cause", "reason", "note"}
        if isinstance(given.value, ast.JoinedStr)
        or (isinstance(given.value, ast.Constant) and " " in str(given.value.value))
    ]

    assert kept == [], "gettext_noop marks it; one with gaps belongs to crm/causes.py"


def test_every_string_has_its_french() -> None:
    assert [message.id for message in catalogue.untranslated(catalogue.translated())] == []


def test_french_has_the_same_placeholders() -> None:
    french = catalogue.translated()

    assert {
        m.id: [str(error) for error in m.check(french)] for m in catalogue.messages(french) if [*m.check(french)]
    } == {}


def test_french_is_set_as_french_is() -> None:
    texts = [text for m in catalogue.messages(catalogue.translated()) for text in catalogue.strings(m)]

    assert [text for text in texts if APOSTROPHE.search(text) or BREAKING.search(text)] == []


def test_what_runs_is_what_is_written() -> None:
    assert catalogue.MO.read_bytes() == catalogue.compiled(catalogue.translated()), "make messages"
    with translation.override("fr"):
        assert translation.gettext("Messages of this conversation") == "Messages de cette conversation"
        assert translation.ngettext("%(number)s row", "%(number)s rows", 0) == "%(number)s ligne"


class _Reader(HTMLParser):
    """Collects what people read or hear."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in SILENT
        self.heard += [value for name, value in attrs if name in SPOKEN and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in SILENT

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.heard.append(data)


@pytest.mark.parametrize("path", list(catalogue.templates()), ids=lambda path: str(path.relative_to(catalogue.ROOT)))
def test_a_template_says_nothing_that_is_not_marked(path: Path) -> None:
    reader, in_block = _Reader(), False
    source = re.sub(r"{% block body_?class %}.*?{% endblock %}", "", path.read_text(encoding="utf-8"))
    for token in Lexer(source).tokenize():
        first = token.contents.split(maxsplit=1)[:1]
        if token.token_type == TokenType.BLOCK:
            in_block = first in (["blocktranslate"], ["plural"]) or (in_block and first != ["endblocktranslate"])
        elif token.token_type == TokenType.TEXT and not in_block:
            reader.feed(token.contents)

    words = {word for text in reader.heard for word in re.findall(r"[^\W\d_]{2,}", text)}
    assert words <= NAMES
