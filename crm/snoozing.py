"""The moments until which a conversation is put off: what people call later, by the creator's clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

LATER = timedelta(hours=3)
MORNING = time(9)
MONDAY = 0


@dataclass(frozen=True, slots=True)
class Later:
    """One choice by its ``name``, and the moment it means now."""

    name: str
    words: "StrPromise"
    until: datetime


def choices(now: datetime, zone: ZoneInfo) -> Iterator[Later]:
    """Those that make sense at this hour: no “today” that is tomorrow, no Monday twice."""
    here = now.astimezone(zone)
    later = (now + LATER).astimezone(zone).replace(second=0, microsecond=0)
    tomorrow = here.date() + timedelta(days=1)
    if later.date() == here.date():
        yield Later("today", _("Later today"), later)
    yield Later("tomorrow", _("Tomorrow morning"), _morning(tomorrow, zone))
    if tomorrow.weekday() != MONDAY:
        monday = here.date() + timedelta(days=7 - here.weekday())
        yield Later("monday", _("Monday morning"), _morning(monday, zone))


def _morning(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, MORNING, zone)
