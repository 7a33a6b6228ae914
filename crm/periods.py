"""Days, weeks and months by a creator's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from crm.numbers import grouped

DAYS_DEFAULT, DAYS_MAX, BUCKETS_MAX = 30, 3660, 400


class Unit(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Period:
    """Days of a creator's clock, both ends included."""

    zone: ZoneInfo
    first: date
    last: date

    @classmethod
    def chosen(cls, zone: ZoneInfo, first: date | None, last: date | None, *, now: datetime) -> "Period":
        """From ``first`` to ``last``; without them the ``DAYS_DEFAULT`` days until today. Raises ValidationError."""
        last = last or now.astimezone(zone).date()
        first = first or last - timedelta(days=DAYS_DEFAULT - 1)
        if not date(1970, 1, 1) < first <= last < date(9000, 1, 1) or (last - first).days >= DAYS_MAX:
            words = _("From 1 to %(max)s days, the first before the last.") % {"max": grouped(DAYS_MAX)}
            raise ValidationError({"from": [words]})
        return cls(zone, first, last)

    @property
    def begins(self) -> datetime:
        return midnight(self.first, self.zone)

    @property
    def ends(self) -> datetime:
        """The first moment that is not in it any more."""
        return midnight(self.last + timedelta(days=1), self.zone)

    @property
    def previous(self) -> "Period":
        """As many days, just before."""
        days = (self.last - self.first).days + 1
        return Period(self.zone, self.first - timedelta(days=days), self.first - timedelta(days=1))

    def days(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    def buckets(self, unit: Unit) -> list[date]:
        """The first day of every bucket that has a day in the period; weeks begin on Monday.

        Raises ValidationError when there are more than ``BUCKETS_MAX``.
        """
        first, found = bucket_of(self.first, unit), []
        while first <= self.last:
            found.append(first)
            first = _next_bucket(first, unit)
        if len(found) > BUCKETS_MAX:
            words = _("At most %(max)d at once: choose fewer days, or weeks or months.") % {"max": BUCKETS_MAX}
            raise ValidationError({"unit": [words]})
        return found

    def within(self, bucket: date, unit: Unit) -> tuple[date, date]:
        """The first and the last of its days that are in the bucket beginning with ``bucket``."""
        return max(bucket, self.first), min(_next_bucket(bucket, unit) - timedelta(days=1), self.last)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When the day begins there, in UTC; where the clock jumps over midnight, at the jump."""
    return datetime.combine(day, time(), zone).astimezone(UTC)


def bucket_of(day: date, unit: Unit) -> date:
    """The first day of the bucket that has this day."""
    if unit == Unit.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if unit == Unit.MONTH else day


def _next_bucket(first: date, unit: Unit) -> date:
    if unit == Unit.MONTH:
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if unit == Unit.WEEK else 1)
