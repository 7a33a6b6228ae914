"""The French catalogue says what the code says, the way French is written."""

import re

from django.utils import translation

from tests import catalogue

APOSTROPHE = re.compile(r"\w'\w")
#: What French sets apart, it sets apart by a space that does not break.
BREAKING = re.compile(r" [?!;:»%](?!\()|« ")


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
        assert translation.ngettext("%(rows)s row", "%(rows)s rows", 0) == "%(rows)s ligne"
