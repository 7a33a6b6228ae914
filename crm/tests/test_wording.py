"""Amounts and days as people write them."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.utils import formats, timezone, translation

from crm.templatetags.inbox import full_moment, short_moment, written_day
from crm.tests.factories import make_creator
from crm.wording import amount, rule_in_words


@pytest.mark.parametrize(
    ("minor", "currency", "english", "french"),
    [
        (123_456, "USD", "$1,234.56", "1\u00a0234,56\u00a0$"),
        (1_200, "EUR", "€12", "12\u00a0€"),
        (-550, "USD", "−$5.50", "−5,50\u00a0$"),
        (1_200, "JPY", "1,200\u00a0JPY", "1\u00a0200\u00a0JPY"),
    ],
)
def test_an_amount_is_written_as_its_reader_writes_it(minor: int, currency: str, english: str, french: str) -> None:
    with translation.override("en"):
        assert amount(minor, currency) == english
    with translation.override("fr"):
        assert amount(minor, currency).replace("\u202f", "\u00a0") == french


@pytest.mark.django_db
def test_long_times_of_a_rule_have_groups_of_digits() -> None:
    rule = {"silentForDays": 1_200, "messagedWithinHours": 2_400}

    assert rule_in_words(rule, creator=make_creator()) == (
        "not seen for 1,200 days and was written to in the last 2,400 hours"
    )


@pytest.mark.parametrize(
    ("written", "english", "french"),
    [
        (short_moment, "5 Sep 2024", "5 sept. 2024"),
        (written_day, "5 Sep 2024", "5 sept. 2024"),
        (full_moment, "5 Sep 2024 at 14:30", "5 sept. 2024 à 14:30"),
        # The admin, and every page that has no word of its own for a moment.
        (formats.localize, "5 Sep 2024, 14:30", "5 sept. 2024, 14:30"),
    ],
)
def test_a_day_is_written_as_its_reader_writes_it(
    written: Callable[[datetime], str], english: str, french: str
) -> None:
    september = timezone.now().replace(year=2024, month=9, day=5, hour=14, minute=30)

    with translation.override("en"):
        assert written(september) == english
    with translation.override("fr"):
        assert written(september) == french


def test_the_year_is_left_away_while_it_is_this_one() -> None:
    today = timezone.now()

    assert str(today.year) not in written_day(today)
