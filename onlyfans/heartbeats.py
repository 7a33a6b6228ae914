"""The worker's sign of life, in the database, because a Celery worker on SQS cannot be asked anything.

It is written by the event loop that also polls SQS and feeds the pool, so a worker whose loop hangs falls silent; when
SQS last answered a poll is written beside it. The loop's own thread is also the one that forks the pool's processes,
and the database connection is closed before anything else happens in it: no child ever inherits one.
"""

import os
from datetime import timedelta
from time import monotonic
from typing import Any

import structlog
from celery.bootsteps import StartStopStep
from django.db import Error as DatabaseUnavailable
from django.db import connection

from crm.clock import database_now
from crm.models import Worker
from onlyfans.broker import PollingConnection

log = structlog.get_logger(__name__)

BEAT_SECONDS = 5.0


class Heartbeat(StartStopStep):
    """A step of the worker's consumer; huntaze/celery.py adds it by name."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None
        self._fails = False

    def start(self, consumer: Any) -> None:
        # The pid, because several workers of one host may have the same node name.
        name = f"{consumer.hostname} {os.getpid()}"
        self._beat(name)
        self._timer = consumer.timer.call_repeatedly(BEAT_SECONDS, self._beat, (name,))

    def stop(self, consumer: Any) -> None:
        """Also called before the consumer is started anew, which forgets all timers."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _beat(self, name: str) -> None:
        try:
            now, answered = database_now(), PollingConnection.answered_at
            ago = None if answered is None else timedelta(seconds=monotonic() - answered)
            Worker.beat(name, now=now, polled_at=None if ago is None else now - ago)
        except DatabaseUnavailable as error:
            if not self._fails:
                log.error("no heartbeat written", error=str(error))
            self._fails = True
        else:
            self._fails = False
        finally:
            connection.close()
