"""The queue's own rows: each creator's place in it, and what the dispatch loop last said about itself."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.pace import TEXT_MAX as PACE_MAX
from crm.prepared import Given, Prepared

REASON_MAX = 300


class HoldCause(models.TextChoices):
    """Why a line waits until its ``hold_until``."""

    NONE = "", _("Nothing")
    PACE = "pace", _("The next token of the creator's bucket")
    HANDED_OVER = "handed_over", _("A worker has the front message")
    THROTTLED = "throttled", _("The platform asked to slow down")
    UNREACHABLE = "unreachable", _("The platform cannot be reached")
    GATE_DOWN = "gate_down", _("The rate limiter cannot be reached")
    NOT_CONNECTED = "not_connected", _("The creator has no working connection")
    BY_HAND = "by_hand", _("A person sends this creator's messages by hand")
    BROKEN = "broken", _("Something is wrong with this creator's settings; the log of dispatch says what")


class PauseCause(models.TextChoices):
    """Who paused a line, hence who may resume it."""

    PERSON = "person", _("A person")
    SESSION_LOST = "session_lost", _("The session at the platform is lost")


# Every move of every message begins with one of these. By hand, because the ORM cannot ask an UPDATE what it wrote, and
# because it would work these out anew each time, which takes it ten times as long as the database needs.
_STAMP = "UPDATE crm_line SET seq = seq + 1 WHERE creator_id = %s RETURNING seq"
_WAKE = """
    UPDATE crm_line
    SET seq = seq + 1,
        version = version + 1,
        wake_at = CASE WHEN wake_at <= %s THEN wake_at ELSE %s END,
        hold_until = CASE hold_cause WHEN %s THEN NULL ELSE hold_until END
    WHERE creator_id = %s
    RETURNING seq
"""


class LineQuerySet(models.QuerySet["Line"]):
    def stamp(self, creator_id: int) -> int:
        """Bump the creator's ``seq`` and return it. The row stays locked until the transaction ends.

        Every transaction that changes messages begins here, so two of one creator never wait for each other in a
        circle, and ``seq`` is seen in commit order.
        """
        return self._bump(_STAMP, creator_id)

    def wake(self, creator_id: int, *, at: datetime) -> int:
        """Look at this line no later than ``at``; returns the new ``seq`` as ``stamp`` does.

        A hold for what was in flight is over: whatever woke the line, what is in flight is counted anew.
        """
        moment = connection.ops.adapt_datetimefield_value(at)
        return self._bump(_WAKE, moment, moment, HoldCause.HANDED_OVER.value, creator_id)

    def hold(self, creator_id: int, *, until: datetime, cause: HoldCause) -> None:
        """Nothing of this line is handed over before ``until``."""
        self.filter(creator_id=creator_id).update(hold_until=until, hold_cause=cause)

    def hold_on(self, creator_id: int, *, until: datetime, cause: HoldCause) -> None:
        """As ``hold``, but a longer hold stays."""
        self.filter(creator_id=creator_id).exclude(hold_until__gt=until).update(hold_until=until, hold_cause=cause)

    def begin_errand(self, creator_id: int, *, now: datetime, until: datetime) -> bool:
        """Have the creator's one errand: an upload or a reading of a chat. False while somebody else has it."""
        free = self.filter(Q(errand_until__isnull=True) | Q(errand_until__lte=now), creator_id=creator_id)
        return bool(free.update(errand_until=until))

    def end_errand(self, creator_id: int) -> None:
        self.filter(creator_id=creator_id).update(errand_until=None)

    def due(self, now: datetime | Given) -> Self:
        """Lines to look at now, those served longest ago first."""
        return self.filter(
            Q(hold_until__isnull=True) | Q(hold_until__lte=now), wake_at__lte=now, paused_at__isnull=True
        ).order_by(F("served_at").asc(nulls_first=True), "creator_id")

    def next_due_at(self) -> datetime | None:
        """When the earliest line must be looked at; None while nothing waits."""
        return max((at for line in _NEXT_DUE() for at in (line.wake_at, line.hold_until) if at), default=None)

    def _bump(self, sql: str, *values: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)
            bumped = cursor.fetchone()
        if bumped is None:
            self.get_or_create(creator_id=values[-1])
            return self._bump(sql, *values)
        seq: int = bumped[0]
        return seq


class Line(models.Model):
    """A creator's place in the queue."""

    creator = models.OneToOneField("crm.Creator", on_delete=models.CASCADE, primary_key=True, related_name="line")
    seq = models.PositiveBigIntegerField(default=0, help_text="Counts the changes of this creator's messages.")
    version = models.PositiveBigIntegerField(default=0, help_text="Bumped by every wake; dispatch re-arms against it.")
    wake_at = models.DateTimeField(null=True, blank=True)
    hold_until = models.DateTimeField(null=True, blank=True)
    hold_cause = models.CharField(max_length=16, choices=HoldCause, default=HoldCause.NONE, blank=True)
    served_at = models.DateTimeField(null=True, blank=True)
    errand_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then a worker uploads media or reads a chat for this creator."
    )
    bucket_full_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="A bucket missing in Redis before this moment is lost state, not a full bucket.",
    )
    bucket_law = models.CharField(
        max_length=PACE_MAX, blank=True, help_text="The pace it was so under; under another the ledger is asked."
    )
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_reason = models.CharField(max_length=REASON_MAX, blank=True)
    paused_cause = models.CharField(max_length=16, choices=PauseCause, blank=True)
    paused_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)

    objects = LineQuerySet.as_manager()

    class Meta:
        indexes = [
            # Which lines must dispatch look at, and when is the next one due?
            models.Index(
                fields=["wake_at"], condition=Q(wake_at__isnull=False, paused_at__isnull=True), name="line_to_wake"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(paused_at__isnull=True) | ~Q(paused_reason=""), name="line_paused_with_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"Line of {self.creator}"

    def pause(
        self, *, reason: str, now: datetime, by: object | None = None, cause: PauseCause = PauseCause.PERSON
    ) -> bool:
        """Stop this creator's sending until ``resume``; ``reason`` is for a person to read.

        The first reason stays; only a person's pause replaces one for a lost session, so that the session's return
        does not end it. False when nothing changed.
        """
        free = Q(paused_at__isnull=True)
        if cause == PauseCause.PERSON:
            free |= Q(paused_cause=PauseCause.SESSION_LOST)
        paused = Line.objects.filter(free, pk=self.pk).update(
            paused_at=now, paused_reason=reason[:REASON_MAX], paused_by=by, paused_cause=cause, seq=F("seq") + 1
        )
        return bool(paused)

    def resume(self, *, now: datetime, only: PauseCause | None = None) -> bool:
        """Send again; ``only`` if it was paused for this cause. False when nothing changed."""
        paused = Line.objects.filter(pk=self.pk, paused_at__isnull=False)
        if only is not None:
            paused = paused.filter(paused_cause=only)
        with transaction.atomic():
            resumed = paused.update(paused_at=None, paused_reason="", paused_by=None, paused_cause="")
            if resumed:
                Line.objects.wake(self.pk, at=now)
        return bool(resumed)


_LATER_OF_BOTH = models.Case(models.When(hold_until__gt=F("wake_at"), then=F("hold_until")), default=F("wake_at"))
_NEXT_DUE: Prepared[Line] = Prepared(
    lambda: (
        Line.objects.filter(wake_at__isnull=False, paused_at__isnull=True)
        .order_by(_LATER_OF_BOTH)
        .only("wake_at", "hold_until")[:1]
    )
)


class Dispatch(models.Model):
    """One row: the kill switch, and what the dispatch loop last saw of the queue.

    Requests read it instead of asking SQS or Redis, so that no page waits for a broker.
    """

    SILENT_AFTER = timedelta(seconds=15)
    # After this long a dispatch that starts asks a person first (design, section 3, Stops).
    SILENCE_HOLDS = timedelta(minutes=15)

    installation = models.UUIDField(default=uuid.uuid4, editable=False)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stopped_reason = models.CharField(max_length=300, blank=True)
    queue_depth = models.PositiveIntegerField(null=True, blank=True)
    queue_in_flight = models.PositiveIntegerField(null=True, blank=True)
    dlq_count = models.PositiveIntegerField(null=True, blank=True)
    queue_sampled_at = models.DateTimeField(null=True, blank=True)
    queue_trouble = models.CharField(max_length=300, blank=True)
    gate_trouble = models.CharField(max_length=300, blank=True)
    worker_trouble = models.CharField(max_length=300, blank=True)
    warnings = models.JSONField(
        default=dict, blank=True, help_text="What was over its threshold when dispatch last looked: code and words."
    )

    class Meta:
        verbose_name_plural = _("dispatch")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="dispatch_is_one_row")]

    def __str__(self) -> str:
        return "Dispatch"

    @classmethod
    def current(cls) -> "Dispatch":
        """The row; where dispatch never ran, one as it will begin, not saved: who only looks writes nothing."""
        return cls._default_manager.filter(pk=1).first() or cls(pk=1)

    @classmethod
    def ensured(cls) -> "Dispatch":
        """The row, which is there from now on."""
        row, _created = cls._default_manager.get_or_create(pk=1)
        return row

    @classmethod
    def at_this_moment(cls) -> "tuple[Dispatch, datetime]":
        """The row, and the database's time, in one query."""
        if connection.vendor == "sqlite":
            return cls.current(), database_now()
        clock = models.Func(function="clock_timestamp", output_field=models.DateTimeField())
        row = cls._default_manager.annotate(now=clock).filter(pk=1).first()
        return (row, row.now.astimezone(UTC)) if row else (cls(pk=1), database_now())

    @classmethod
    def note(cls, **changes: object) -> None:
        """Write what the loop saw: one update, whatever else changed meanwhile stays. Long words are cut."""
        changes = {name: value[:REASON_MAX] if isinstance(value, str) else value for name, value in changes.items()}
        if not cls._default_manager.filter(pk=1).update(**changes):
            cls.ensured()
            cls._default_manager.filter(pk=1).update(**changes)

    @property
    def trouble(self) -> str:
        """What keeps everybody's messages waiting, for those who write them. Addresses and names of the
        installation, which the three troubles may quote, are for its operators."""
        if self.queue_trouble:
            return _text("The queue cannot be reached. What waits goes out as soon as it is back.")
        if self.gate_trouble:
            return _text("The rate limiter cannot be reached, so nothing is sent until it is back.")
        if self.worker_trouble:
            return _text("No worker is running. What waits goes out as soon as one is back.")
        return ""

    def is_silent(self, now: datetime) -> bool:
        """No sign of life from any dispatch loop."""
        return self.heartbeat_at is None or self.heartbeat_at < now - self.SILENT_AFTER

    @classmethod
    def is_stopped(cls) -> bool:
        return bool(_STOPPED())

    @classmethod
    def stop_sending(cls, *, reason: str, now: datetime) -> None:
        """The kill switch: no gateway call begins after this commits."""
        cls.note(stopped_at=now, stopped_reason=reason)

    @classmethod
    def resume_sending(cls) -> None:
        cls.note(stopped_at=None, stopped_reason="")


_STOPPED: Prepared[Dispatch] = Prepared(lambda: Dispatch.objects.filter(stopped_at__isnull=False).only("pk")[:1])
