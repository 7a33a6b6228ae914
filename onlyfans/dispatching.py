"""One turn of the dispatch loop: hand over what is due, sweep now and then, say how long to sleep.

Everything that is due waits in the database, so a turn that fails costs time and nothing else, and any number of loops
may run.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import Error as DatabaseUnavailable
from django.db import close_old_connections, connection

from crm import analytics, campaigning
from crm.causes import LONG_SILENCE, OLDER_COPY
from crm.clock import database_now
from crm.models import Dispatch, Line, Worker
from crm.tidying import forget_expired
from onlyfans import events, handing_over, media, metrics, reconciling, sweeping, sync, tasks, thresholds, witness
from onlyfans.cloudwatch import Publisher
from onlyfans.gate import bucket
from onlyfans.queue import Carrier, QueueUnavailable, arguments, figures, publish
from ratelimit.bucket import GateUnavailable

if TYPE_CHECKING:
    from celery import Task

log = structlog.get_logger(__name__)
_publisher = Publisher()

#: New work is noticed within this many seconds.
LOOK_AGAIN_SECONDS = 0.25
SHORTEST_PAUSE_SECONDS = 0.005
ERRANDS_SECONDS = 0.2
HEARTBEAT_SECONDS = 2.0
SAMPLE_SECONDS = 2.0
#: Quiet hours begin, and the next rows of a campaign are there, within this.
CAMPAIGNS_SECONDS = 1.0
WATCH_SECONDS = 10.0
KEEP_SECONDS = 60.0
QUEUE_BACKOFF_MAX_SECONDS = 5.0


class DispatchLoop:
    """Hands due rows over, to SQS or, without the rate limiter, to this very process."""

    def __init__(self) -> None:
        self._hand_over = partial(handing_over.hand_over, _carrier(tasks.deliver_message))
        self._errands: list[Callable[[], int]] = [
            partial(hand_over, _carrier(task))
            for hand_over, task in (
                (media.hand_over, tasks.upload_media),
                (reconciling.hand_over, tasks.reconcile_message),
                (events.hand_over, tasks.read_event),
                (sync.hand_over, tasks.sync_account),
            )
        ]
        self._next_sweep = self._next_heartbeat = self._next_campaigns = self._next_errands = 0.0
        self._queue_failures = 0

    def run(self, stop: threading.Event) -> None:
        """Turn until ``stop`` is set."""
        while not stop.is_set():
            close_old_connections()
            try:
                pause = self.turn()
            except DatabaseUnavailable as error:
                log.error("the database did not answer", error=str(error))
                connection.close_if_unusable_or_obsolete()
                pause = 1.0
            except Exception:
                # The loop serves everybody: a bug may cost a second and a line in the log, never everybody's messages.
                log.exception("a turn of the loop failed")
                pause = 1.0
            stop.wait(pause)

    def turn(self) -> float:
        """Do what is due; the answer is how many seconds nothing will be."""
        self._keep_house()
        try:
            carried = self._hand_over() + self._carry_errands()
        except QueueUnavailable as error:
            return self._queue_is_down(error)
        if carried and self._queue_failures:
            log.info("SQS takes messages again")
            self._queue_failures = 0
            Dispatch.note(queue_trouble="")
        return 0.0 if carried else _seconds_to_next_line()

    def _carry_errands(self) -> int:
        """All that is not messages: noticed as soon as one would be, but not looked for with each of them."""
        monotonic = time.monotonic()
        if monotonic < self._next_errands:
            return 0
        carried = sum(errand() for errand in self._errands)
        self._next_errands = 0.0 if carried else monotonic + ERRANDS_SECONDS
        return carried

    def _keep_house(self) -> None:
        monotonic = time.monotonic()
        if monotonic >= self._next_heartbeat:
            self._next_heartbeat = monotonic + HEARTBEAT_SECONDS
            _beat()
        if monotonic >= self._next_campaigns:
            self._next_campaigns = monotonic + CAMPAIGNS_SECONDS
            campaigning.serve()
        if monotonic >= self._next_sweep:
            self._next_sweep = monotonic + settings.SWEEP_SECONDS
            sweeping.recall_strays()
            sweeping.recompute_lines()
            forget_expired(database_now())

    def _queue_is_down(self, error: QueueUnavailable) -> float:
        self._queue_failures += 1
        pause = min(2.0 ** (self._queue_failures - 1), QUEUE_BACKOFF_MAX_SECONDS)
        Dispatch.note(queue_trouble=str(error))
        log.warning("SQS does not take messages, they wait", error=str(error), next_try_seconds=pause)
        return pause


class Beside(threading.Thread):
    """Does one thing every few seconds, beside the loop: a slow broker, or much to count, must not slow sending."""

    def __init__(self, act: Callable[[], object], *, every: float, stop: threading.Event) -> None:
        super().__init__(name=act.__name__, daemon=True)
        self._act, self._seconds, self._stop_event = act, every, stop

    def run(self) -> None:
        while not self._stop_event.is_set():
            try:
                self._act()
            except DatabaseUnavailable as error:
                log.error("nothing was written", of=self.name, error=str(error))
                connection.close_if_unusable_or_obsolete()
            except Exception:
                log.exception("nothing came of it", of=self.name)
            self._stop_event.wait(self._seconds)
        connection.close()


def watch() -> None:
    """Count what happened, see what is above its threshold, and publish whole minutes."""
    now = database_now()
    metrics.add_up(now)
    thresholds.watch(now)
    _publisher.publish(now)


def keep_figures() -> None:
    """Count the days that are over, so that pages need not."""
    analytics.keep(database_now())


def sample() -> None:
    """Write the queue's figures and how gate and workers are where pages and the API find them."""
    changes: dict[str, object] = {}
    try:
        seen = figures()
        changes |= {
            "queue_depth": seen.depth,
            "queue_in_flight": seen.in_flight,
            "dlq_count": seen.dlq,
            "queue_sampled_at": database_now(),
            "queue_trouble": "",
        }
    except QueueUnavailable as error:
        changes["queue_trouble"] = str(error)
    try:
        bucket().ping()
        changes["gate_trouble"] = ""
    except GateUnavailable as error:
        changes["gate_trouble"] = f"Redis: {error}"
    Dispatch.note(worker_trouble=Worker.trouble(database_now()), **changes)


def begin(*, resume: bool) -> None:
    """Start held after a long silence: a restored backup must not send yesterday's messages by itself."""
    row = Dispatch.ensured()
    silent_since = row.heartbeat_at
    if not resume and silent_since is not None and silent_since < database_now() - Dispatch.SILENCE_HOLDS:
        _hold(LONG_SILENCE % {"moment": f"{silent_since:%Y-%m-%d %H:%M}"})


def _beat() -> None:
    """Write a sign of life, after a look whether the last one is still there: a young backup may have been restored."""
    row = Dispatch.ensured()
    if seen := witness.went_back(row):
        _hold(OLDER_COPY % {"moment": f"{seen:%Y-%m-%d %H:%M:%S}"})
    now = database_now()
    Dispatch.note(heartbeat_at=now)
    witness.remember(row, now)


def _hold(reason: str) -> None:
    Dispatch.stop_sending(reason=reason, now=database_now())
    log.warning("sending is held", reason=reason)


def _carrier(task: "Task[..., Any]") -> Carrier:
    """Into SQS; without the rate limiter the task's body runs here and now."""
    if settings.RATE_LIMITER_ENABLED:
        return partial(publish, task)
    return lambda public_id: task.run(**arguments(public_id))


def _seconds_to_next_line() -> float:
    due_at = Line.objects.next_due_at()
    if due_at is None or Dispatch.is_stopped():
        return LOOK_AGAIN_SECONDS
    # A line that is due and was not served would be looked at without a pause.
    return min(max((due_at - database_now()) / timedelta(seconds=1), SHORTEST_PAUSE_SECONDS), LOOK_AGAIN_SECONDS)
