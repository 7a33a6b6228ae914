"""The pace of a creator: what a line of text such as ``10/60, 250/86400`` allows.

The first part is the pace: so many messages per so many seconds, evenly spaced; ``10/60:3`` allows three at once.
Every further part is a cap on a longer period.
"""

from dataclasses import dataclass
from math import ceil

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

# Spacing is stretched by this much, so that network jitter never puts an eleventh message into a rolling minute
# at the platform's side (design, section 4).
SAFETY_MARGIN = 0.005
LIMIT_MAX = 100_000
PERIOD_MAX_SECONDS = 31 * 86_400


@dataclass(frozen=True, slots=True)
class Allowance:
    """``limit`` messages per ``period`` seconds, ``burst`` at once. The law: grants in t <= burst + t * rate."""

    limit: int
    period: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds between two messages once the burst is spent."""
        return self.period / self.limit


def parse_pace(text: str) -> tuple[Allowance, ...]:
    """Read ``limit/seconds[:burst], ...`` into allowances; the first is the pace, the others are caps.

    Raises ValidationError naming the part that cannot be read or that is out of range.
    """
    parts = [part.strip() for part in text.split(",")]
    pace, *caps = [_read(part) for part in parts]
    spaced = Allowance(pace.limit, pace.period * (1 + SAFETY_MARGIN), pace.burst)
    return (spaced, *(_cap(cap.limit, cap.period) for cap in caps))


def pace_of(text: str) -> tuple[Allowance, ...]:
    """The allowances of a creator whose pace field holds ``text``; an empty field means the default of settings."""
    return parse_pace(text or settings.HUNTAZE_PACE)


def validate_pace(text: str) -> None:
    """Model-field validator: raises ValidationError with a sentence when ``text`` is no pace."""
    parse_pace(text)


def steady_interval(allowances: tuple[Allowance, ...]) -> float:
    """Seconds between two messages in the long run: the slowest of the allowances decides."""
    return max(allowance.interval for allowance in allowances)


def _cap(limit: int, period: float) -> Allowance:
    """A cap of N in *any* rolling period: burst + rate * period stays N, hence a quarter at once, the rest spread."""
    if limit == 1:
        return Allowance(1, period, 1)
    burst = ceil(limit / 4)
    return Allowance(limit - burst, period, burst)


def _read(part: str) -> Allowance:
    rate, _colon, burst_text = part.partition(":")
    limit_text, _slash, period_text = rate.partition("/")
    try:
        limit, period, burst = int(limit_text), float(period_text), int(burst_text or 1)
    except ValueError:
        raise ValidationError(
            _("“%(part)s” is not a pace. Write messages/seconds, for example 10/60."), params={"part": part}
        ) from None
    if not (1 <= limit <= LIMIT_MAX and 0.001 <= period <= PERIOD_MAX_SECONDS and 1 <= burst <= limit):
        raise ValidationError(
            _("“%(part)s” is out of range: 1 to %(limit)d messages, up to 31 days, a burst of 1 up to the messages."),
            params={"part": part, "limit": LIMIT_MAX},
        )
    return Allowance(limit, period, burst)
