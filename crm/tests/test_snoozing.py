from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from crm.snoozing import choices

PARIS = ZoneInfo("Europe/Paris")


def said(*now: int) -> dict[str, str]:
    """What the choices mean at this hour of Paris."""
    moment = datetime(*now, tzinfo=PARIS).astimezone(UTC)  # type: ignore[misc,arg-type]
    return {each.name: f"{each.until.astimezone(PARIS):%a %d %H:%M}" for each in choices(moment, PARIS)}


@pytest.mark.parametrize(
    ("now", "means"),
    [
        ((2026, 11, 20, 10, 12), {"today": "Fri 20 13:12", "tomorrow": "Sat 21 09:00", "monday": "Mon 23 09:00"}),
        ((2026, 11, 20, 21, 30), {"tomorrow": "Sat 21 09:00", "monday": "Mon 23 09:00"}),
        ((2026, 11, 22, 10, 0), {"today": "Sun 22 13:00", "tomorrow": "Mon 23 09:00"}),
        ((2026, 11, 23, 10, 0), {"today": "Mon 23 13:00", "tomorrow": "Tue 24 09:00", "monday": "Mon 30 09:00"}),
        # The night in which clocks go back.
        ((2026, 10, 24, 20, 0), {"today": "Sat 24 23:00", "tomorrow": "Sun 25 09:00", "monday": "Mon 26 09:00"}),
    ],
)
def test_later_is_by_the_creators_clock_and_never_said_twice(now: tuple[int, ...], means: dict[str, str]) -> None:
    assert said(*now) == means
