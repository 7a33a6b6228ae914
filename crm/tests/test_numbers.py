"""Whole numbers as people write them."""

import pytest
from django.template import Context, Template
from django.utils import translation

from crm.numbers import change, grouped


def test_a_large_number_is_written_in_groups() -> None:
    with translation.override("en"):
        assert grouped(10_000) == "10,000"
    with translation.override("fr"):
        assert grouped(10_000) == "10\u202f000"


def test_a_number_in_a_sentence_is_written_in_groups() -> None:
    sentence = Template(
        "{% load i18n humane %}{% blocktranslate count many=many with number=many|number %}{{ number }} fan"
        "{% plural %}{{ number }} fans{% endblocktranslate %}"
    )

    with translation.override("en"):
        assert [sentence.render(Context({"many": many})) for many in (1, 3532)] == ["1 fan", "3,532 fans"]
    with translation.override("fr"):
        assert sentence.render(Context({"many": 3532})) == "3\u202f532 fans"


@pytest.mark.parametrize(
    ("value", "before", "words"),
    [
        (120, 100, "+20 %"),
        (100, 100, "±0 %"),
        (60, 100, "−40 %"),
        (-50, 100, "−150 %"),
        (999, 100, "+899 %"),
        (1000, 100, "× 10"),
        (3532, 3, "× 1,177"),
        (5, 0, ""),
        (5, -3, ""),
    ],
)
def test_a_change_is_a_share_until_it_is_a_multiple(value: int, before: int, words: str) -> None:
    with translation.override("en"):
        assert change(value, before).replace("\u00a0", " ") == words
