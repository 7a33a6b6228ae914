"""The loop that hands due messages to SQS."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from crm.management.operating import WRONG_ARGUMENTS, ExplainedCommand
from crm.models import Dispatch
from onlyfans import redriving
from onlyfans.dispatching import (
    KEEP_SECONDS,
    SAMPLE_SECONDS,
    WATCH_SECONDS,
    Beside,
    DispatchLoop,
    begin,
    keep_figures,
    sample,
    watch,
)


class Command(ExplainedCommand):
    help = "Hand due messages to SQS until SIGTERM. Any number may run; without the rate limiter it writes to the log."
    examples = ("",)
    fails_when = "a check refuses the settings"
    requires_system_checks = "__all__"
    is_a_process = True

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--resume",
            action="store_true",
            help="Send after a long silence without asking. Only with DEBUG, where the platform is the simulator.",
        )

    def handle(self, *args: Any, resume: bool, **options: Any) -> None:
        if resume and not settings.DEBUG:
            raise CommandError(
                "--resume is for DEBUG. Look at what is due, then run manage.py resume_sending.",
                returncode=WRONG_ARGUMENTS,
            )
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            # From a thread: the handler may interrupt this very thread inside ``stop.wait()``, which holds its lock.
            signal.signal(number, lambda *_: threading.Thread(target=stop.set).start())
        begin(resume=resume)
        threads = [
            Beside(watch, every=WATCH_SECONDS, stop=stop),
            Beside(keep_figures, every=KEEP_SECONDS, stop=stop),
        ]
        if settings.RATE_LIMITER_ENABLED:
            threads += [
                Beside(sample, every=SAMPLE_SECONDS, stop=stop),
                Beside(redriving.serve, every=SAMPLE_SECONDS, stop=stop),
            ]
        else:
            Dispatch.note(queue_trouble="", gate_trouble="", worker_trouble="")
        for thread in threads:
            thread.start()
        DispatchLoop().run(stop)
        for thread in threads:
            thread.join(timeout=5)
