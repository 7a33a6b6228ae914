"""Who takes messages from the queue: every worker's own sign of life."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import F, Max
from django.db.models.functions import Coalesce

from crm.causes import DEAF_WORKERS, NO_WORKER_SEEN, NO_WORKER_SINCE


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self, now: datetime) -> Self:
        """Workers that were heard of a moment ago."""
        return self.filter(seen_at__gte=now - Worker.SILENT_AFTER)

    def listening(self, now: datetime) -> Self:
        """Workers that are alive, and to whom the queue has answered lately: a live process may hear nothing."""
        heard = self.alive(now).annotate(heard_at=Coalesce(F("polled_at"), F("started_at")))
        return heard.filter(heard_at__gte=now - Worker.DEAF_AFTER)


class Worker(models.Model):
    """One worker with its pool. It writes its row itself every few seconds, also while it has nothing to do."""

    SILENT_AFTER = timedelta(seconds=30)
    # A worker whose pool is busy does not ask for more; a task is killed after 90 s (CELERY_TASK_TIME_LIMIT).
    DEAF_AFTER = timedelta(seconds=120)
    FORGOTTEN_AFTER = timedelta(minutes=10)
    NAME_MAX = 200

    name = models.CharField(max_length=NAME_MAX, unique=True, help_text="Its node name and process id.")
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    polled_at = models.DateTimeField(null=True, blank=True, help_text="When the queue last answered it.")

    objects = WorkerQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def beat(cls, name: str, *, now: datetime, polled_at: datetime | None) -> None:
        """Write the sign of life of the worker ``name``. The first one forgets those that ended long ago."""
        name = name[: cls.NAME_MAX]
        if cls.objects.filter(name=name).update(seen_at=now, polled_at=polled_at):
            return
        cls.objects.filter(seen_at__lt=now - cls.FORGOTTEN_AFTER).delete()
        cls.objects.create(name=name, started_at=now, seen_at=now, polled_at=polled_at)

    @classmethod
    def trouble(cls, now: datetime) -> str:
        """Why nobody takes messages from the queue, for an operator to read; empty when somebody does."""
        if cls.objects.listening(now).exists():
            return ""
        if cls.objects.alive(now).exists():
            return DEAF_WORKERS % {"seconds": cls.DEAF_AFTER.seconds}
        last: datetime | None = cls.objects.aggregate(at=Max("seen_at"))["at"]
        return NO_WORKER_SINCE % {"moment": f"{last:%Y-%m-%d %H:%M:%S}"} if last else NO_WORKER_SEEN
