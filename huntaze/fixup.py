"""Celery's fixup for Django, but for one thing: a worker's process keeps its database connection from task to task.

Celery's own closes it before and after every task, and a new one costs as much as all that a delivery asks: SQLite
reads the schema anew, PostgreSQL starts a process.
"""

from functools import cached_property
from typing import Any

from celery import Celery
from celery.fixups.django import DjangoFixup, DjangoWorkerFixup  # type: ignore[attr-defined]  # not in the stubs
from django.db import close_old_connections


class KeptConnections(DjangoWorkerFixup):  # type: ignore[misc]  # for the same reason
    """A task is to the connection what a request is: one that broke, or is older than CONN_MAX_AGE, is opened anew."""

    def on_task_prerun(self, sender: Any, **_signal: Any) -> None:
        close_old_connections()

    def on_task_postrun(self, sender: Any, **_signal: Any) -> None:
        close_old_connections()


class Fixup(DjangoFixup):
    @cached_property
    def worker_fixup(self) -> KeptConnections:
        return KeptConnections(self.app)


def fixup(app: Celery) -> Fixup:
    """What ``Celery(fixups=...)`` names."""
    ours = Fixup(app)
    ours.install()
    return ours
