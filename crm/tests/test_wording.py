"""Amounts and days as people write them."""

import pytest
from django.utils import timezone, translation

from crm.templatetags.inbox import short_moment
from crm.wording import amount


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


def test_a_day_is_written_as_its_reader_writes_it() -> None:
    september = timezone.now().replace(year=2024, month=9, day=5)

    with translation.override("en"):
        assert short_moment(september) == "5 Sep 2024"
    with translation.override("fr"):
        assert short_moment(september) == "5 sept. 2024"
