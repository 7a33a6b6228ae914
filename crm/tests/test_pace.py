import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from crm.pace import Allowance, pace_of, parse_pace, steady_interval


def test_ten_a_minute_is_one_every_six_point_zero_three_seconds() -> None:
    (pace,) = parse_pace("10/60")

    assert (pace.limit, pace.burst) == (10, 1)
    assert pace.period == pytest.approx(60.3)
    assert pace.interval == pytest.approx(6.03)


def test_a_cap_never_lets_more_than_its_number_into_any_period() -> None:
    _pace, cap = parse_pace("10/60, 250/86400")

    assert cap.burst + cap.limit * (86_400 / cap.period) == 250


def test_a_cap_of_one_is_one() -> None:
    assert parse_pace("10/60, 1/3600")[1] == Allowance(1, 3600, 1)


def test_the_slowest_allowance_sets_the_long_run() -> None:
    assert steady_interval(parse_pace("10/60, 250/86400")) == pytest.approx(86_400 / 187)


def test_an_empty_pace_is_the_installations_default(settings: Settings) -> None:
    settings.HUNTAZE_PACE = "100/60"

    assert pace_of("")[0].limit == 100


@pytest.mark.parametrize("text", ["", "10", "ten/60", "10/0", "0/60", "10/60:11", "10/60:0", "10/60,", "1/99999999"])
def test_refuses_with_a_sentence_what_is_no_pace(text: str) -> None:
    with pytest.raises(ValidationError, match=r"pace|range"):
        parse_pace(text)
