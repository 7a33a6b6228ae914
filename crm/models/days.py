"""What is kept of days, so that a page need not count them again, and of what only that day could know."""

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from crm.models.creators import Creator
from crm.prepared import Given, Prepared

#: No day of any clock is longer.
DAY_MAX = timedelta(days=2)


class DayQuerySet(models.QuerySet["Day"]):
    def forget(self, creator_id: int, moments: Iterable[datetime | None]) -> None:
        """Something at these moments is other than it was: the days that have them will be counted anew.

        In the transaction that writes the rows, with the creator's line locked (``Line.objects.stamp``): who counts a
        day locks it too, so that no count is older than what it stands for.
        """
        changed = sorted(at for at in moments if at is not None)
        if not changed:
            return
        near = _NEAR(creator_id=creator_id, first=changed[0], last=changed[-1])
        touched = [key for key, begins, ends in near if bisect_left(changed, begins) < bisect_left(changed, ends)]
        if touched:
            self.filter(pk__in=touched).delete()


_NEAR: Prepared[tuple[int, datetime, datetime]] = Prepared(
    lambda: Day.objects.filter(
        creator_id=Given("creator_id"), begins__gt=Given("first") - DAY_MAX, begins__lte=Given("last")
    ).values_list("pk", "begins", "ends")
)


class Day(models.Model):
    """What the rows of a finished day come to, as ``crm/counting.py`` counts them; without it they are counted anew.

    It is known by its moments, so a creator whose time zone changes has other days, and these stay true.
    """

    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="days", db_index=False)
    begins = models.DateTimeField()
    ends = models.DateTimeField(help_text="The first moment that is not in it any more.")
    counts = models.JSONField()

    objects = DayQuerySet.as_manager()

    class Meta:
        constraints = [
            # Of two zones a day may begin at one moment and, where a clock changes, end at two.
            models.UniqueConstraint(fields=["creator", "begins", "ends"], name="day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.creator} · {self.begins:%Y-%m-%d %H:%M} UTC"


class Census(models.Model):
    """How a creator's fans stood on a day, as counted last on it: afterwards no row can tell who was active then."""

    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="censuses", db_index=False)
    day = models.DateField(help_text="By the creator's clock.")
    counted_at = models.DateTimeField()
    fans = models.PositiveBigIntegerField()
    active_fans = models.PositiveBigIntegerField(help_text="Seen in the 30 days before.")
    value_cents = models.PositiveBigIntegerField(help_text="What all of them had ever spent.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["creator", "day"], name="census_once_a_day")]
        verbose_name_plural = _("censuses")

    def __str__(self) -> str:
        return f"{self.creator} · {self.day}"
