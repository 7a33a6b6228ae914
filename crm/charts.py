"""Bar charts as numbers for a template that draws them; nothing here knows what is counted.

A chart is drawn in a box of 1,000 by 100 that is stretched to its place, so words stand beside it and never in it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 1000.0, 100.0
#: Of the room of a bar, what it takes.
FILLED = 0.72
_STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400
#: Seconds whose halves are said in few words, too.
_TIMES = (
    *(2, 4, 10, 20, 30, _MINUTE, 2 * _MINUTE, 4 * _MINUTE, 10 * _MINUTE, 20 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 4 * _DAY, 10 * _DAY, 20 * _DAY, 60 * _DAY),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """``words`` say what it stands for."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    words: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``ticks`` are (value, y), the highest first; ``zero`` is where bars begin."""

    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, float]]
    zero: float


@dataclass(frozen=True, slots=True)
class Column:
    """The bars of one place on the axis, each (kind, value, words); below zero they hang."""

    values: Sequence[tuple[str, int, str]]


def rounded_up(value: float) -> float:
    """The next number that reads well and whose half is whole: one of the steps, with zeros behind it."""
    if value <= 0:
        return 0.0
    power = 10 ** max(len(str(int(value))) - 1, 0)
    tops = (step * power for step in _STEPS if step * power >= value)
    return next(float(top) for top in tops if top % 2 == 0)


def rounded_up_time(seconds: float) -> float:
    """The same for seconds, which are said in minutes, hours and days."""
    if seconds <= 0:
        return 0.0
    longest = rounded_up(seconds / _DAY) * _DAY
    return float(next((step for step in _TIMES if step >= seconds), longest))


def chart(columns: Sequence[Column], *, rounded_up: Callable[[float], float] = rounded_up) -> Chart:
    """Bars side by side, all to one scale that includes zero and ends where ``rounded_up`` says."""
    values = [value for column in columns for _kind, value, _words in column.values]
    top, bottom = rounded_up(max([*values, 0])), -rounded_up(-min([*values, 0]))
    if top == bottom:
        top = 1.0
    scale = HEIGHT / (top - bottom)
    zero = top * scale
    room = WIDTH / max(len(columns), 1)
    bars = [
        Bar(
            x=round(at * room + room * (1 - FILLED) / 2, 2),
            y=round(zero - max(value, 0) * scale, 2),
            width=round(room * FILLED, 2),
            height=round(abs(value) * scale, 2),
            kind=kind,
            words=words,
        )
        for at, column in enumerate(columns)
        for kind, value, words in column.values
    ]
    marks = [top, top / 2, 0.0] if not bottom else [top, 0.0, bottom] if top else [0.0, bottom / 2, bottom]
    return Chart(bars, [(mark, round(zero - mark * scale, 2)) for mark in marks], round(zero, 2))
