"""What is counted of the messages. Every number comes from rows, so no restart loses one and any process may be asked.

Each query here is answered by an index, however many messages there are (tests/test_metrics.py asks the planner).
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, F, Max, OuterRef, Q, Subquery
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from crm.clock import database_now
from crm.models import Dispatch, HoldCause, Line, Message, Worker
from crm.models.messages import IN_FLIGHT, ON_THE_PLATFORM, Direction, Status
from onlyfans.models import Tally

#: What happened is counted this much later: by then its transaction is over, and clocks may differ by as much.
COUNTED_AFTER = timedelta(seconds=30)
#: States a message can stay in; how many are on the platform is a total.
OPEN_STATES = (Status.QUEUED, *IN_FLIGHT, Status.UNKNOWN, Status.NEEDS_PERSON, Status.FAILED)
#: Upper bounds of the histogram, in seconds from the beginning of a call until its outcome was written.
BOUNDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, math.inf)
FAILURE_PERIOD = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened in a stretch of time. ``seconds`` are those of the calls whose outcome was written in it."""

    queued: int = 0
    processed: int = 0
    failed: int = 0
    seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Figures:
    """How the queue is now; None when nobody knows, or when nothing waits."""

    depth: int | None
    in_flight: int | None
    dead_letters: int | None
    outcomes: int
    failures: int
    oldest_due: timedelta | None

    @property
    def failure_ratio(self) -> float:
        return self.failures / self.outcomes if self.outcomes else 0.0


def count(since: datetime, until: datetime) -> Counts:
    """What happened from ``since`` until just before ``until``."""
    written = Message.objects.filter(direction=Direction.OUT, created_at__gte=since, created_at__lt=until)
    by_another_tool = Q(status__in=ON_THE_PLATFORM, settled_at__isnull=True)
    settled = Message.objects.filter(settled_at__gte=since, settled_at__lt=until).order_by("settled_at")
    processed, failed, seconds = 0, 0, []
    for status, began, ended in settled.values_list("status", "sending_at", "settled_at").iterator():
        if status in ON_THE_PLATFORM:
            processed += 1
        else:
            # It failed; if it has another state by now, somebody has sent it again.
            failed += 1
        if began and ended:
            seconds.append(max((ended - began).total_seconds(), 0.0))
    return Counts(queued=written.exclude(by_another_tool).count(), processed=processed, failed=failed, seconds=seconds)


def add_up(now: datetime) -> None:
    """Add what happened since the last time to the totals. Of several dispatchers one does it."""
    until = now - COUNTED_AFTER
    tally = Tally.current(begins=until)
    if tally.counted_until >= until:
        return
    new = count(tally.counted_until, until)
    buckets = Counter(str(BOUNDS[bisect_left(BOUNDS, seconds)]) for seconds in new.seconds)
    Tally.objects.filter(pk=tally.pk, counted_until=tally.counted_until).update(
        counted_until=until,
        queued=F("queued") + new.queued,
        processed=F("processed") + new.processed,
        failed=F("failed") + new.failed,
        seconds=F("seconds") + sum(new.seconds),
        buckets=dict(buckets + Counter(tally.buckets)),
    )


def figures(seen: Dispatch, now: datetime) -> Figures:
    """How the queue is, from what dispatch has ``seen`` of SQS and from the rows."""
    known = not seen.queue_trouble
    settled = Message.objects.filter(settled_at__gt=now - FAILURE_PERIOD).aggregate(
        outcomes=Count("pk"), failures=Count("pk", filter=~Q(status__in=ON_THE_PLATFORM))
    )
    # Nobody knows what became of these: while the platform answers with errors they are most of what there is.
    unknown = Message.objects.filter(
        status__in=(Status.UNKNOWN, Status.NEEDS_PERSON), sending_at__gt=now - FAILURE_PERIOD
    ).count()
    return Figures(
        depth=seen.queue_depth if known else None,
        in_flight=seen.queue_in_flight if known else None,
        dead_letters=seen.dlq_count if known else None,
        outcomes=settled["outcomes"] + unknown,
        failures=settled["failures"] + unknown,
        oldest_due=None if seen.stopped_at else oldest_due(now),
    )


def oldest_due(now: datetime) -> timedelta | None:
    """For how long the message that is worst off could have gone and did not; None when each has a reason to wait.

    A message may go once it is due and the creator's pace allows it: one interval after the creator's last call, and
    after a hold for pace or because the platform asked for it. Creators who are paused, not connected or sent by hand,
    and conversations that wait for an unknown outcome, have their reason. A provider or a gate that cannot be reached,
    broken settings, and a dispatch or a worker that does not work, are none.
    """
    waits = sorted(
        filter(None, (_overdue_since(line, now) for line in _lines_with_work(now))), key=lambda wait: wait[0]
    )
    for since, line in waits:
        in_flight = Message.objects.filter(creator_id=line.pk, status=Status.HANDED_OVER)
        if in_flight.exists() or Message.objects.front(line.pk, now).exists():
            return now - since
    return None


def _lines_with_work(now: datetime) -> Iterable[Line]:
    """Lines that are free to send and have something due, as ``oldest``; ``last_call`` is when they last sent."""
    due = Message.objects.waiting().going(now).filter(creator=OuterRef("pk"), due_at__lte=now, waits_for_media=False)
    # Grouped here: a GROUP BY would tempt SQLite to walk through all messages in the order of their creators.
    handed_over = Message.objects.filter(status=Status.HANDED_OVER).order_by("-due_at")
    first_in_flight = dict(handed_over.values_list("creator", "due_at"))
    calls = Message.objects.filter(creator=OuterRef("pk"), sending_at__isnull=False)
    lines = (
        Line.objects.filter(Q(wake_at__lte=now) | Q(pk__in=first_in_flight), paused_at__isnull=True)
        .exclude(hold_cause__in=(HoldCause.NOT_CONNECTED, HoldCause.BY_HAND), hold_until__gt=now)
        .select_related("creator")
        .annotate(
            oldest=Subquery(due.order_by("due_at").values("due_at")[:1]),
            last_call=Subquery(calls.order_by("-sending_at").values("sending_at")[:1]),
        )
    )
    for line in lines:
        known = filter(None, (line.oldest, first_in_flight.get(line.pk)))
        line.oldest = min(known, default=None)
        yield line


def _overdue_since(line: Line, now: datetime) -> tuple[datetime, Line] | None:
    """Since when the line's oldest message could have gone; None when it could not yet."""
    oldest: datetime | None = line.oldest  # type: ignore[attr-defined]
    last_call: datetime | None = line.last_call  # type: ignore[attr-defined]
    if oldest is None:
        return None
    since = oldest
    if last_call:
        since = max(since, last_call + timedelta(seconds=line.creator.seconds_between_messages or 0.0))
    if line.hold_until and line.hold_cause in (HoldCause.PACE, HoldCause.THROTTLED):
        since = max(since, line.hold_until)
    return (since, line) if since < now else None


class FromRows:
    """What Prometheus collects."""

    def collect(self) -> Iterable[Metric]:
        now, seen = database_now(), Dispatch.current()
        yield from _totals(Tally.current(begins=now - COUNTED_AFTER))
        yield from _now(figures(seen, now), seen, now)
        yield from _processes(seen, now)


def _totals(tally: Tally) -> Iterable[Metric]:
    yield CounterMetricFamily("huntaze_messages_queued", "Messages written to be sent.", tally.queued)
    yield CounterMetricFamily("huntaze_messages_processed", "Messages the platform accepted.", tally.processed)
    yield CounterMetricFamily("huntaze_messages_failed", "Messages that failed.", tally.failed)
    buckets, so_far = [], 0
    for bound in BOUNDS:
        so_far += tally.buckets.get(str(bound), 0)
        buckets.append(("+Inf" if math.isinf(bound) else str(bound), so_far))
    words = "From the beginning of a call until its outcome was written."
    yield HistogramMetricFamily("huntaze_processing_seconds", words, buckets=buckets, sum_value=tally.seconds)


def _now(at_present: Figures, seen: Dispatch, now: datetime) -> Iterable[Metric]:
    states = Message.objects.filter(status__in=OPEN_STATES).order_by().values_list("status").annotate(many=Count("*"))
    counts = dict.fromkeys(OPEN_STATES, 0) | dict(states)
    messages = GaugeMetricFamily("huntaze_messages", "Messages in this state now.", labels=["state"])
    for state, many in counts.items():
        messages.add_metric([state], many)
    yield messages
    queue = {
        "huntaze_queue_depth": ("Messages that wait in SQS.", at_present.depth),
        "huntaze_queue_in_flight": ("Messages of SQS that a worker has.", at_present.in_flight),
        "huntaze_queue_dead_letters": ("Messages in the dead-letter queue.", at_present.dead_letters),
        "huntaze_queue_sample_age_seconds": ("Since SQS was last asked.", _age(seen.queue_sampled_at, now)),
    }
    yield from _gauges(queue)
    due = at_present.oldest_due or timedelta()
    yield from _gauges(
        {
            "huntaze_oldest_due_seconds": ("How long a message could have gone and did not.", due.total_seconds()),
            "huntaze_recent_outcomes": ("Outcomes of the last 10 minutes.", at_present.outcomes),
            "huntaze_recent_failures": ("Those that failed or are unknown.", at_present.failures),
            "huntaze_paused_creators": (
                "Creators that are paused.",
                Line.objects.filter(paused_at__isnull=False).count(),
            ),
        }
    )


def _processes(seen: Dispatch, now: datetime) -> Iterable[Metric]:
    last_beat: datetime | None = Worker.objects.aggregate(at=Max("seen_at"))["at"]
    yield from _gauges(
        {
            "huntaze_dispatch_heartbeat_age_seconds": ("Since dispatch last beat.", _age(seen.heartbeat_at, now)),
            "huntaze_worker_heartbeat_age_seconds": ("Since any worker last beat.", _age(last_beat, now)),
            "huntaze_workers": ("Workers that are alive.", Worker.objects.alive(now).count()),
            "huntaze_workers_listening": ("Those SQS answers.", Worker.objects.listening(now).count()),
            "huntaze_sending_stopped": ("1 while all sending is stopped.", int(seen.stopped_at is not None)),
        }
    )


def _gauges(values: dict[str, tuple[str, float | None]]) -> Iterable[Metric]:
    """What nobody knows is left out: a 0 would be a lie."""
    for name, (words, value) in values.items():
        if value is not None:
            yield GaugeMetricFamily(name, words, value)


def _age(moment: datetime | None, now: datetime) -> float | None:
    return (now - moment).total_seconds() if moment else None
