"""How the provider writes things, read and written."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from onlyfans.gateway.notation import (
    Unreadable,
    cents_of,
    comparable,
    dollars_of,
    id_of,
    markup_of,
    text_of,
    time_of,
)


def test_every_price_goes_over_the_wire_as_the_exact_decimal() -> None:
    for cents in range(20_001):
        written = json.loads(json.dumps(dollars_of(cents)), parse_float=Decimal)
        assert Decimal(written) * 100 == cents
        assert cents_of(written) == cents


def test_a_price_may_be_a_number_its_text_or_nothing() -> None:
    assert cents_of(5) == cents_of("5.00") == cents_of(Decimal("5.0")) == cents_of(5.0) == 500
    assert cents_of(None) == cents_of("") == 0


@pytest.mark.parametrize("value", [True, "free", "$5", -1, "NaN", "1e999999", float("inf"), 4.999, [], 10**12])
def test_a_price_that_is_no_amount_in_cents_is_unreadable(value: object) -> None:
    with pytest.raises(Unreadable):
        cents_of(value)


def test_ids_are_strings_whatever_they_were() -> None:
    assert id_of(9007199254740993) == id_of("9007199254740993") == "9007199254740993"


@pytest.mark.parametrize("value", [None, "", " ", True, 1.5, {}, "x" * 65])
def test_what_is_no_id_is_unreadable(value: object) -> None:
    with pytest.raises(Unreadable):
        id_of(value)


def test_a_time_without_a_zone_is_utc() -> None:
    assert time_of("2025-01-27T23:34:25") == time_of("2025-01-28T00:34:25+01:00")
    assert time_of("2025-01-27T23:34:25Z") == datetime(2025, 1, 27, 23, 34, 25, tzinfo=UTC)
    assert time_of("2025-01-27T23:34:25Z").utcoffset() == timedelta()


@pytest.mark.parametrize("value", [None, 1738020865, "yesterday", ""])
def test_what_is_no_time_is_unreadable(value: object) -> None:
    with pytest.raises(Unreadable):
        time_of(value)


def test_text_goes_out_as_one_paragraph_with_everything_escaped() -> None:
    assert markup_of("I <3 you & me\n“bye” 😘") == "<p>I &lt;3 you &amp; me<br>“bye” 😘</p>"
    assert markup_of("a\r\nb\rc") == "<p>a<br>b<br>c</p>"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>Hi there</p>", "Hi there"),
        ("<p>one<br />\ntwo<br>three</p>", "one\ntwo\nthree"),
        ("<p>one<br /><br />\nthree</p>", "one\n\nthree"),
        ("<p>one</p><p>two</p>", "one\ntwo"),
        ("I &lt;3 you &amp; me &#039;x&#039; &quot;y&quot; &#x1F618;", "I <3 you & me 'x' \"y\" 😘"),
        ("&amp;lt;p&amp;gt;", "&lt;p&gt;"),
        ("no tags at all\nsecond line", "no tags at all\nsecond line"),
        (
            '<p>see <a href="https://x.test">this</a> <span class="m-editor-fs__lg">big</span></p>',
            "see this big",
        ),
        ("a&nbsp;b", "a b"),
        ("I <3 you", "I <3 you"),
        ("<p>unclosed <b", "unclosed <b"),
        ("", ""),
        (None, ""),
    ],
)
def test_markup_reads_as_the_plain_text(markup: str | None, text: str) -> None:
    assert text_of(markup) == text


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "a\nb\n\nc",
        "<p>not a tag</p>",
        "5 < 6 && 7 > 2",
        "&lt; &amp;",
        "👩‍👩‍👧 déjà vu",
        "<br>",
        "x  y",
    ],
)
def test_what_goes_out_comes_back_the_same(text: str) -> None:
    assert text_of(markup_of(text)) == text


def test_texts_that_differ_in_whitespace_or_composition_only_are_the_same_message() -> None:
    assert comparable(" cafe\u0301\r\n  now ") == comparable("caf\u00e9\nnow")
    assert comparable("now") != comparable("Now")
