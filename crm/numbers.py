"""Whole numbers as people write them."""

from django.utils.formats import number_format

#: From so many times as much on, a percentage says nothing any more.
MANIFOLD = 10


def grouped(number: int) -> str:
    """In groups of three digits: “10,000”, “10 000”."""
    return number_format(number, force_grouping=True)


def change(value: int, before: int) -> str:
    """How ``value`` stands to what was before: “+12 %”, “−40 %”, “× 1,177”; nothing where there was nothing."""
    if before <= 0:
        return ""
    if value >= MANIFOLD * before:
        return f"×\u00a0{grouped(round(value / before))}"
    percent = round((value - before) * 100 / before)
    return f"{'+' if percent > 0 else '−' if percent < 0 else '±'}{abs(percent)}\u00a0%"
