"""Attempts to sign in, counted where no restart and no flush makes anybody forget them."""

import hashlib
from datetime import datetime, timedelta
from typing import Self

from django.db import models, transaction

from crm.clock import database_now


class SignInBucketQuerySet(models.QuerySet["SignInBucket"]):
    def expired(self, now: datetime) -> Self:
        """Those that are full again: to have no row says the same."""
        return self.filter(full_at__lt=now)

    @transaction.atomic
    def take(self, subject: str, *, interval: timedelta, burst: int) -> float:
        """Count one attempt of ``subject``: 0 if there was room, else the seconds until there is, and none is counted.

        ``burst`` at once, then one each ``interval``. The law is that of GCRA, as the bucket in Redis keeps it: an
        attempt moves the time at which the bucket is full by one interval, never further away than a whole burst.
        """
        now = database_now()
        bucket, _new = self.select_for_update().get_or_create(key=_key_of(subject), defaults={"full_at": now})
        full_at = max(bucket.full_at, now) + interval
        if (wait := full_at - now - burst * interval) > timedelta():
            return wait.total_seconds()
        bucket.full_at = full_at
        bucket.save(update_fields=["full_at"])
        return 0

    def give_back(self, subject: str, *, interval: timedelta) -> None:
        """An attempt that was counted was none."""
        self.filter(key=_key_of(subject)).update(full_at=models.F("full_at") - interval)


class SignInBucket(models.Model):
    """How much room an account or an address has left for attempts to sign in that fail.

    The key is a hash, so that the table tells of nobody who they are or where they came from.
    """

    key = models.CharField(max_length=64, unique=True)
    full_at = models.DateTimeField(help_text="From then on none of the attempts counts any more.")

    objects = SignInBucketQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["full_at"], name="sign_in_bucket_full")]

    def __str__(self) -> str:
        return self.key


def _key_of(subject: str) -> str:
    return hashlib.sha256(subject.encode(errors="replace")).hexdigest()
