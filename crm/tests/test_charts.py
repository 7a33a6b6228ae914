"""Bars as numbers."""

import pytest

from crm.charts import Column, chart


def bars(*columns: int | tuple[int, int]) -> list[tuple[float, float]]:
    """(y, height) of each bar."""
    each = [values if isinstance(values, tuple) else (values,) for values in columns]
    drawn = chart([Column([("more", value, "") for value in values]) for values in each])
    return [(bar.y, bar.height) for bar in drawn.bars]


def test_the_highest_bar_is_measured_by_a_number_that_reads_well() -> None:
    assert [round(value) for value, _y in chart([Column([("more", 102_500, "")])]).ticks] == [150_000, 75_000, 0]


def test_bars_stand_on_zero() -> None:
    assert bars(50, 100, 0) == [(50, 50), (0, 100), (100, 0)]


def test_what_was_taken_back_hangs_below() -> None:
    drawn = chart([Column([("more", 100, "")]), Column([("less", -100, "")])])

    assert drawn.zero == 50
    assert [(bar.y, bar.height) for bar in drawn.bars] == [(0, 50), (50, 50)]
    assert [y for _value, y in drawn.ticks] == [0, 50, 100]


def test_bars_side_by_side_do_not_touch() -> None:
    first, second = chart([Column([("more", 1, "")]), Column([("more", 1, "")])]).bars

    assert first.x + first.width < second.x
    assert second.x + second.width < 1000


@pytest.mark.parametrize("highest", [1, 2, 3, 5, 7, 9, 10, 11, 15, 99, 101, 12_345_678])
def test_every_mark_is_a_whole_number(highest: int) -> None:
    top, middle, zero = (value for value, _y in chart([Column([("more", highest, "")])]).ticks)

    assert (top >= highest, middle.is_integer(), zero) == (True, True, 0)
    assert top <= 2 * highest


def test_nothing_at_all_is_a_chart_without_a_bar() -> None:
    assert bars(0, 0) == [(100, 0), (100, 0)]
    assert chart([]).bars == []
