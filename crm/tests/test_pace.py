import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from crm.pace import Allowance, in_words, pace_of, parse_pace, steady_interval


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


@pytest.mark.parametrize(
    "text",
    ["", "10", "ten/60", "10/0", "0/60", "10/60:", "10/60:x", "10/60:11", "10/60:0", "10/60,", "1/99999999", "1/nan"],
)
def test_refuses_with_a_sentence_what_is_no_pace(text: str) -> None:
    with pytest.raises(ValidationError, match=r"pace|range"):
        parse_pace(text)


def test_a_pace_has_at_most_120_characters() -> None:
    with pytest.raises(ValidationError, match="120 characters"):
        parse_pace("10/60" + 20 * ", 250/86400")


def test_a_burst_on_a_cap_is_refused() -> None:
    with pytest.raises(ValidationError, match="“250/86400:9”: a cap has no burst"):
        parse_pace("10/60, 250/86400:9")


class TestBurst:
    @pytest.fixture(autouse=True)
    def _as_shipped(self, settings: Settings) -> None:
        settings.HUNTAZE_BURST_GAP_SECONDS = 3.0

    def test_keeps_three_seconds_between_messages(self) -> None:
        pace, gap, _cap = parse_pace("10/60:3, 250/86400")

        assert (pace.burst, gap.burst) == (3, 1)
        assert gap.interval == pytest.approx(3.015)

    def test_needs_a_pace_that_leaves_them(self) -> None:
        with pytest.raises(ValidationError, match="too fast for a burst, in which 3 s stay between messages"):
            parse_pace("30/60:2")

    def test_without_one_there_is_no_gap_to_keep(self) -> None:
        assert len(parse_pace("30/60")) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "10/60",
            "One message every 6.03 s, never more than 10 in any minute; 1,000 recipients take about 1 h 40 min.",
        ),
        (
            "10/60:3",
            "One message every 6.03 s, after a pause up to 3 with only 3.02 s between them, never more than 12 in any"
            " minute; 1,000 recipients take about 1 h 40 min.",
        ),
        (
            "10/60, 80/3600, 250/86400",
            "One message every 6.03 s, never more than 10 in any minute, never more than 80 in any 1 h, never more than"
            " 250 in any 24 h; 1,000 recipients take about 5 days.",
        ),
        (
            "1/90",
            "One message every 1 min 30.45 s, never more than 1 in any minute; 1,000 recipients take about 25 h 6 min.",
        ),
    ],
)
def test_says_what_it_means(text: str, words: str, settings: Settings) -> None:
    settings.HUNTAZE_BURST_GAP_SECONDS = 3.0

    assert in_words(parse_pace(text)) == words
