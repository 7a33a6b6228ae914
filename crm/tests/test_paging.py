from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from crm.models import Creator, Fan
from crm.paging import Page, always, page_of, page_through, sortings
from crm.tests.factories import make_creator, make_fan

SORTINGS = sortings(value="value_cents", seen="last_seen_at", name="sort_name")
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def fans_of(creator: Creator) -> QuerySet[Fan]:
    return Fan.objects.filter(creator=creator)


def everything(
    creator: Creator, sort: str, limit: int, *, between: Callable[[int], None] = lambda number: None
) -> list[int]:
    """The keys of all rows by following ``next``; ``between`` is called after each page."""
    seen: list[int] = []
    cursor, number = "", 0
    while True:
        page = page_of(fans_of(creator), SORTINGS[sort], cursor=cursor, limit=limit)
        seen += [fan.pk for fan in page.rows]
        between(number)
        cursor, number = page.next, number + 1
        if not cursor:
            return seen


def backwards(creator: Creator, sort: str, limit: int, page: Page[Fan]) -> list[int]:
    """The keys of all rows before ``page``'s by following ``previous``, in the list's order."""
    seen: list[int] = []
    while page.previous:
        page = page_of(fans_of(creator), SORTINGS[sort], cursor=page.previous, limit=limit)
        seen[:0] = [fan.pk for fan in page.rows]
    return seen


class Row:
    """What hypothesis chooses of a fan: few values, so that many are equal or missing."""

    strategy = st.tuples(st.integers(0, 3), st.none() | st.integers(0, 3))


def add(creator: Creator, value: int, seen: int | None) -> Fan:
    return make_fan(
        creator,
        value_cents=value,
        last_seen_at=None if seen is None else BEGIN + timedelta(days=seen),
        name="" if seen is None else f"N{seen}",
    )


def in_order(creator: Creator, sort: str) -> list[int]:
    """The oracle: sorted in Python, what has no value last."""
    sorting = SORTINGS[sort]
    fans = list(Fan.objects.filter(creator=creator))
    valued = [fan for fan in fans if getattr(fan, sorting.column) is not None]
    empty = [fan for fan in fans if getattr(fan, sorting.column) is None]
    valued.sort(key=lambda fan: (getattr(fan, sorting.column), fan.pk), reverse=sorting.descending)
    empty.sort(key=lambda fan: fan.pk, reverse=sorting.descending)
    return [fan.pk for fan in (*valued, *empty)]


class TestProperties(TestCase):
    @given(
        rows=st.lists(Row.strategy, max_size=12),
        sort=st.sampled_from(["value", "-value", "seen", "-seen"]),
        limit=st.integers(1, 5),
    )
    @settings(max_examples=25, deadline=None)
    def test_the_pages_are_the_list_and_lead_back(
        self, rows: list[tuple[int, int | None]], sort: str, limit: int
    ) -> None:
        creator = make_creator()
        for row in rows:
            add(creator, *row)
        expected = in_order(creator, sort)

        assert everything(creator, sort, limit) == expected

        page = page_of(fans_of(creator), SORTINGS[sort], limit=limit)
        while page.next:
            page = page_of(fans_of(creator), SORTINGS[sort], cursor=page.next, limit=limit)
        assert backwards(creator, sort, limit, page) + [fan.pk for fan in page.rows] == expected

    @given(
        rows=st.lists(Row.strategy, min_size=1, max_size=12),
        arrivals=st.lists(Row.strategy, max_size=6),
        leaving=st.lists(st.integers(0, 11), max_size=4),
        sort=st.sampled_from(["value", "-value", "seen", "-seen"]),
        limit=st.integers(1, 4),
    )
    @settings(max_examples=25, deadline=None)
    def test_who_was_there_and_stayed_is_seen_once_whoever_comes_and_goes(
        self,
        rows: list[tuple[int, int | None]],
        arrivals: list[tuple[int, int | None]],
        leaving: list[int],
        sort: str,
        limit: int,
    ) -> None:
        creator = make_creator()
        first = [add(creator, *row).pk for row in rows]
        gone: set[int] = set()

        def meanwhile(number: int) -> None:
            if number < len(arrivals):
                add(creator, *arrivals[number])
            if number < len(leaving) and leaving[number] < len(first):
                gone.add(first[leaving[number]])
                Fan.objects.filter(pk=first[leaving[number]]).delete()

        seen = everything(creator, sort, limit, between=meanwhile)

        assert len(seen) == len(set(seen))
        assert set(first) - gone <= set(seen)


@pytest.mark.django_db
class TestThroughSeveralLists:
    """Creators, then their fans, as one list."""

    WAYS = always(sortings("id"))

    def page(self, creator: Creator, sort: str, **place: Any) -> Page[Any]:
        lists = [Creator.objects.filter(pk=creator.pk), fans_of(creator)]
        return page_through(lists, self.WAYS[sort], **place)

    @pytest.mark.parametrize("limit", [1, 2, 3, 4, 5])
    @pytest.mark.parametrize("sort", ["id", "-id"])
    def test_the_pages_are_one_list_and_lead_back(self, sort: str, limit: int) -> None:
        creator = make_creator()
        expected: list[Any] = [creator, *(make_fan(creator) for _ in range(3))]
        if sort == "-id":
            expected.reverse()

        page = self.page(creator, sort, limit=limit)
        seen = list(page.rows)
        while page.next:
            page = self.page(creator, sort, limit=limit, cursor=page.next)
            seen += page.rows
        assert seen == expected
        back = list(page.rows)
        while page.previous:
            page = self.page(creator, sort, limit=limit, cursor=page.previous)
            back[:0] = page.rows
        assert back == expected

    def test_a_cursor_of_neither_is_refused(self) -> None:
        creator = make_creator()
        make_fan(creator)
        cursor = self.page(creator, "id", limit=1).next

        with pytest.raises(ValidationError):
            page_of(fans_of(creator), self.WAYS["id"], cursor=cursor)


@pytest.mark.django_db
class TestCursors:
    def test_tell_nobody_the_key_of_a_row(self) -> None:
        creator = make_creator()
        for _ in range(2):
            make_fan(creator)

        cursors = {page_of(fans_of(creator), SORTINGS["value"], limit=1).next for _ in range(2)}

        assert len(cursors) == 2
        assert all(cursor.isascii() for cursor in cursors)

    @pytest.mark.parametrize("cursor", ["x", "é", "gAAAAABm", "=" * 50])
    def test_what_is_not_a_cursor_is_refused(self, cursor: str) -> None:
        with pytest.raises(ValidationError) as refusal:
            page_of(fans_of(make_creator()), SORTINGS["value"], cursor=cursor)

        assert list(refusal.value.message_dict) == ["cursor"]

    def test_one_of_another_sorting_is_refused(self) -> None:
        creator = make_creator()
        for _ in range(2):
            make_fan(creator)
        cursor = page_of(fans_of(creator), SORTINGS["value"], limit=1).next

        with pytest.raises(ValidationError):
            page_of(fans_of(creator), SORTINGS["-value"], cursor=cursor)
