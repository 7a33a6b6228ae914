"""Cells that are taken as they stand, because a closer look would find nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.importing import cells, moments
from crm.importing.problems import BadCell
from crm.importing.rows import zone_of
from crm.models import Creator

PARSERS = {"platform_id": cells.platform_id, "handle": cells.handle, "name": cells.name, "email": cells.email}


@pytest.mark.parametrize("field", cells.CLEAR)
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_clear_cell_says_what_stands_there(field: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(cells.CLEAR[field], fullmatch=True))

    assert text.isascii()
    assert text.isprintable()
    assert cells.unguarded(text.strip()) == text
    assert PARSERS[field](text) == text


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("platform_id", "7.00E+17"),
        ("platform_id", "1" * 65),
        ("handle", "@ava"),
        ("handle", "a" * 121),
        ("name", "u123456789"),
        ("name", "Ava "),
        ("name", "<b>Ava</b>"),
        ("email", "n/a"),
        ("email", "ava@example"),
        ("email", "ava@-example.com"),
    ],
)
def test_what_needs_a_closer_look_is_not_clear(field: str, text: str) -> None:
    assert cells.CLEAR[field].fullmatch(text) is None


def test_no_field_is_quicker_to_read_than_its_limit_allows() -> None:
    assert cells.CLEAR["name"].fullmatch("a" * cells.NAME_MAX)
    assert not cells.CLEAR["name"].fullmatch("a" * (cells.NAME_MAX + 1))


@pytest.mark.parametrize(
    "text",
    ["2025-11-01T18:30:00Z", "2025-11-01T18:30:00.250000Z", "2025-11-01T18:30:00+02:00", "2025-02-29T00:00:00Z",
     "2025-11-01T24:00:00Z", "1999-12-31T23:59:59Z", "2025-11-01T18:30:00+25:00"],
)  # fmt: skip
def test_a_moment_in_full_is_read_as_any_other_spelling_of_it(text: str) -> None:
    def read(spelling: str) -> object:
        try:
            return moments.moment(spelling, zone=zone_of(Creator()), order=None)
        except BadCell as bad:
            return bad.code

    assert moments._WHOLE.fullmatch(text)
    assert read(text) == read(text.replace("T", " ", 1))
