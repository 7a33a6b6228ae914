"""The process in which imports run: not the web's, which has people waiting, and not the worker's, which sends."""

import os
import signal
import threading
from typing import Any

import structlog
from django.core.management.base import CommandParser
from django.db import Error as DatabaseUnavailable
from django.db import close_old_connections, connection

from crm.clock import database_now
from crm.importing.running import work
from crm.management.operating import ExplainedCommand
from crm.models import Import

log = structlog.get_logger(__name__)

LOOK_AGAIN_SECONDS = 1.0
#: Between two chunks, so that on SQLite whoever waits to write gets in.
PAUSE_SECONDS = 0.02


class Command(ExplainedCommand):
    help = "Run the imports that were uploaded, one after the other, until SIGTERM. Any number of these may run."
    examples = ("", "--once")
    fails_when = "a check refuses the settings"
    requires_system_checks = "__all__"
    is_a_process = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Do what waits now, and end.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            # From a thread: the handler may interrupt this very thread inside ``stop.wait()``, which holds its lock.
            signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
        if not once:
            # Whoever sends or answers pages goes first.
            os.nice(10)
        while not stop.is_set():
            close_old_connections()
            try:
                worked = run_next(stop)
            except DatabaseUnavailable as error:
                log.error("the database did not answer", error=str(error))
                connection.close_if_unusable_or_obsolete()
                worked = False
            if not worked:
                if once:
                    return
                stop.wait(LOOK_AGAIN_SECONDS)


def run_next(stop: threading.Event) -> bool:
    """Work on the import that waits longest; False when there is none."""
    job = Import.objects.to_work_on(database_now()).first()
    return job is not None and work(job, stop=stop, pause=PAUSE_SECONDS)
