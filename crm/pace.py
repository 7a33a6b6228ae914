"""The pace of a creator: what a line of text such as ``10/60, 250/86400`` allows, and how a person would say it.

The first part is the pace: so many messages per so many seconds, evenly spaced. ``10/60:3`` lets three catch up after a
pause, which never makes them come closer than the platform tolerates. Every further part is a cap on a longer period.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from crm.numbers import grouped

# Spacing is stretched by this much, so that network jitter never puts an eleventh message into a rolling minute
# at the platform's side (design, section 4).
SAFETY_MARGIN = 0.005
TEXT_MAX = 120
LIMIT_MAX = 100_000
PERIOD_MIN_SECONDS, PERIOD_MAX_SECONDS = 0.001, 31 * 86_400
MINUTE, HOUR, DAY = 60, 3_600, 86_400
EXAMPLE_RECIPIENTS = 1_000


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

    def most_in(self, seconds: float) -> int:
        """How many messages any so many seconds can hold."""
        # 63 + 86400 / (86400 / 187) is a hair below 250.
        return floor(self.burst + seconds / self.interval + 1e-6)

    def time_for(self, messages: int) -> float:
        """Seconds until so many have gone, begun after a pause."""
        return max(0, messages - self.burst) * self.interval


def parse_pace(text: str) -> tuple[Allowance, ...]:
    """Read ``limit/seconds[:burst], limit/seconds, …`` into allowances: the pace, a burst's gap, the caps.

    Raises ValidationError naming the part that cannot be read or that is out of range.
    """
    if len(text) > TEXT_MAX:
        raise ValidationError(_("A pace has at most %(max)d characters."), params={"max": TEXT_MAX})
    pace, *caps = [part.strip() for part in text.split(",")]
    return (*_pace(pace), *(_cap(part) for part in caps))


def pace_of(text: str) -> tuple[Allowance, ...]:
    """The allowances of a creator whose pace field holds ``text``; an empty field means the default of settings."""
    return parse_pace(text or settings.HUNTAZE_PACE)


def validate_pace(text: str) -> None:
    """Model-field validator: raises ValidationError with a sentence when ``text`` is no pace."""
    parse_pace(text)


def steady_interval(allowances: Sequence[Allowance]) -> float:
    """Seconds between two messages in the long run: the slowest of the allowances decides."""
    return max(allowance.interval for allowance in allowances)


def most_in(allowances: Sequence[Allowance], seconds: float) -> int:
    """How many messages any so many seconds can hold."""
    return min(allowance.most_in(seconds) for allowance in allowances)


def in_words(allowances: Sequence[Allowance]) -> str:
    """What a pace means, for whoever sets it."""
    pace, *others = allowances
    words = [_("One message every %(time)s") % {"time": duration(pace.interval)}]
    if pace.burst > 1 and others and others[0].burst == 1:
        gap, *others = others
        words.append(
            _("after a pause up to %(burst)d with only %(gap)s between them")
            % {"burst": pace.burst, "gap": duration(gap.interval)}
        )
    words.append(_("never more than %(most)d in any minute") % {"most": most_in(allowances, MINUTE)})
    words += [
        _("never more than %(most)d in any %(time)s") % {"most": cap.most_in(cap.period), "time": duration(cap.period)}
        for cap in others
    ]
    example = _("%(recipients)s recipients take about %(time)s.") % {
        "recipients": grouped(EXAMPLE_RECIPIENTS),
        "time": duration(max(allowance.time_for(EXAMPLE_RECIPIENTS) for allowance in allowances), rough=True),
    }
    return f"{', '.join(words)}; {example}"


def duration(seconds: float, *, rough: bool = False) -> str:
    """``6.03 s``, ``1 min``, ``1 h 40 min``, ``24 h``, ``5 days``; ``rough`` leaves small parts out."""
    if rough and seconds >= MINUTE:
        seconds = round(seconds / MINUTE) * MINUTE
    if seconds >= 2 * DAY:
        return _("%(number)s days") % {"number": _short(seconds / DAY, 1)}
    hours, rest = divmod(seconds, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    parts = [_("%(number)d h") % {"number": hours}] if hours else []
    if minutes:
        parts.append(_("%(number)d min") % {"number": minutes})
    if not parts or rest >= 0.005:
        parts.append(_("%(number)s s") % {"number": _short(rest, 2)})
    return " ".join(parts)


def _short(number: float, places: int) -> str:
    return f"{number + 1e-6:.{places}f}".rstrip("0").rstrip(".")


def _pace(part: str) -> tuple[Allowance, ...]:
    limit, period, burst_text = _read(part)
    burst = _whole(burst_text or "1")
    if burst is None or not 1 <= burst <= limit:
        raise ValidationError(_("“%(part)s” is out of range: a burst is 1 up to the messages."), params={"part": part})
    spaced = Allowance(limit, period * (1 + SAFETY_MARGIN), burst)
    gap = settings.HUNTAZE_BURST_GAP_SECONDS
    if burst == 1 or not gap:
        return (spaced,)
    if period / limit < gap:
        raise ValidationError(
            _("“%(part)s” is too fast for a burst, in which %(gap)s stay between messages. Leave “:%(burst)d” out."),
            params={"part": part, "gap": duration(gap), "burst": burst},
        )
    return (spaced, Allowance(1, gap * (1 + SAFETY_MARGIN), 1))


def _cap(part: str) -> Allowance:
    """A cap of N in *any* rolling period: burst + rate * period stays N, hence a quarter at once, the rest spread."""
    limit, period, burst = _read(part)
    if burst:
        raise ValidationError(
            _("“%(part)s”: a cap has no burst of its own, a quarter of it may go at once. Leave “:%(burst)s” out."),
            params={"part": part, "burst": burst},
        )
    if limit == 1:
        return Allowance(1, period, 1)
    at_once = ceil(limit / 4)
    return Allowance(limit - at_once, period, at_once)


def _read(part: str) -> tuple[int, float, str]:
    """Messages, seconds, and what stands behind the colon."""
    rate, _colon, burst = part.partition(":")
    limit_text, _slash, period_text = rate.partition("/")
    limit = _whole(limit_text)
    try:
        period = float(period_text)
    except ValueError:
        period = None
    if limit is None or period is None or (_colon and _whole(burst) is None):
        raise ValidationError(
            _("“%(part)s” is not a pace. Write messages/seconds, for example 10/60."), params={"part": part}
        )
    if not (1 <= limit <= LIMIT_MAX and PERIOD_MIN_SECONDS <= period <= PERIOD_MAX_SECONDS):
        raise ValidationError(
            _("“%(part)s” is out of range: 1 to %(limit)d messages, up to 31 days."),
            params={"part": part, "limit": LIMIT_MAX},
        )
    return limit, period, burst.strip()


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
