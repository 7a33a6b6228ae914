"""A stretch of a conversation as the page shows it: days, groups, states, and when the waiting ones go."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import ceil
from uuid import UUID

from django.db.models import Q, QuerySet, Subquery, prefetch_related_objects
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from crm.causes import said
from crm.forecast import Forecast, forecasts
from crm.models import Conversation, Dispatch, Line, Message, User
from crm.models.messages import CANCELLABLE, OUTCOME_OPEN

PAGE = 50
#: What is shown before, and after, a message that was looked for.
AROUND = 25
# One answer never holds more bubbles than this, however far back somebody has scrolled.
WINDOW_MAX = 500
GROUP_WITHIN = timedelta(minutes=5)

Status = Message.Status
ICONS = {
    Status.QUEUED: "clock",
    Status.HANDED_OVER: "clock",
    Status.SENDING: "send",
    Status.SENT: "check",
    Status.DELIVERED: "check-check",
    Status.READ: "eye",
    Status.FAILED: "circle-alert",
    Status.UNKNOWN: "circle-question-mark",
    Status.NEEDS_PERSON: "hand",
    Status.CANCELLED: "ban",
}
CAUSES = {
    Status.FAILED: _lazy("The platform did not take it."),
    Status.UNKNOWN: _lazy(
        "The platform did not say whether it took this. Its chat is read to find out; nothing is sent twice."
    ),
    Status.NEEDS_PERSON: _lazy("The chat does not tell whether it was sent. Please look at the platform."),
}
WAITING = (Status.QUEUED, Status.HANDED_OVER)
TROUBLED = (Status.FAILED, Status.UNKNOWN, Status.NEEDS_PERSON)


@dataclass(frozen=True)
class Bubble:
    """``undo_seconds`` is how long its reader, who wrote it, can still take it back; ``is_hit``: it was looked for."""

    message: Message
    forecast: Forecast | None
    starts_day: bool
    starts_group: bool
    undo_seconds: int = 0
    is_hit: bool = False

    @property
    def is_waiting(self) -> bool:
        return self.message.status in WAITING

    @property
    def is_scheduled(self) -> bool:
        """It waits for a time somebody chose, not for its turn."""
        return self.is_waiting and self.message.send_at > timezone.now()

    @property
    def tone(self) -> str:
        if self.message.status in TROUBLED:
            return "trouble"
        if self.is_waiting:
            return "waiting"
        return "cancelled" if self.message.status == Status.CANCELLED else "settled"

    @property
    def icon(self) -> str:
        return "calendar-clock" if self.is_scheduled else ICONS[Status(self.message.status)]

    @property
    def state(self) -> str:
        if self.is_scheduled:
            return _("Scheduled")
        # Between SQS and the worker it still waits, as far as a person is concerned.
        return _("Waiting") if self.is_waiting else self.message.get_status_display()

    @property
    def at(self) -> datetime | None:
        """The moment that stands beside the state; what waits for its turn has none yet."""
        if self.is_waiting and not self.is_scheduled:
            return None
        return self.message.sent_at or self.message.send_at

    @property
    def goes_at(self) -> datetime | None:
        """When its turn comes. For what goes right now a time would only be wrong a second later."""
        if self.is_scheduled or self.forecast is None or self.forecast.reason in ("next", "now", "undo"):
            return None
        return self.forecast.at

    @property
    def may_be_cancelled(self) -> bool:
        return self.message.status in CANCELLABLE

    @property
    def may_be_retried(self) -> bool:
        return self.message.status == Status.FAILED

    @property
    def is_open(self) -> bool:
        """Nobody knows whether it was sent; a person may decide."""
        return self.message.status in OUTCOME_OPEN

    @property
    def why(self) -> str:
        """Why it waits, or the cause of what a person may have to act on."""
        if self.is_waiting:
            if self.forecast is None or (self.is_scheduled and self.forecast.reason == "scheduled"):
                return ""
            return self.forecast.words
        return said(self.message.cause) or str(CAUSES.get(Status(self.message.status), ""))


@dataclass(frozen=True)
class Thread:
    bubbles: Sequence[Bubble]
    has_older: bool
    has_newer: bool

    @property
    def start(self) -> Message | None:
        return self.bubbles[0].message if self.bubbles else None

    @property
    def newest(self) -> Message | None:
        """The one that came in last of those that are shown: the others can have been written without being seen."""
        return max((bubble.message for bubble in self.bubbles), key=lambda message: message.pk, default=None)


def thread_of(
    conversation: Conversation,
    dispatch: Dispatch,
    *,
    now: datetime,
    reader: User,
    start: UUID | None = None,
    older: UUID | None = None,
    around: UUID | None = None,
) -> Thread:
    """The newest page; or everything from ``start`` on; or everything from one page before ``older`` on; or a page with
    ``around`` in its middle.

    The stretch always begins at a message, so new ones at its end never push the oldest one off the page. An id that is
    not there gives the newest page.
    """
    page = _Page(conversation, dispatch, now, reader, hit=around)
    messages = conversation.messages.select_related("author")
    named, back, on = (older, PAGE, WINDOW_MAX - PAGE) if older else (around, AROUND, AROUND)
    if start:
        named, back, on = start, 0, WINDOW_MAX
    if named:
        place = conversation.messages.filter(public_id=named)
        since = conversation.messages.filter(~_before(place)).order_by("send_at", "id")[: on + 1]
        earlier = conversation.messages.filter(_before(place)).order_by("-send_at", "-id")[: back + 1]
        around_it = Q(pk__in=since.values("pk")) | Q(pk__in=earlier.values("pk"))
        found = list(messages.filter(around_it).order_by("send_at", "id"))
        at = next((at for at, message in enumerate(found) if message.public_id == named), None)
        if at is not None:
            shown = found[max(0, at - back) : at + on]
            return page.of(shown, has_older=at > back, has_newer=len(found) - at > on)
    newest = list(messages.order_by("-send_at", "-id")[: PAGE + 1])
    return page.of(newest[:PAGE][::-1], has_older=len(newest) > PAGE, has_newer=False)


def held(line: Line | None, dispatch: Dispatch, *, now: datetime) -> tuple[object, ...]:
    """Whatever can change the words below a waiting message although no message changed."""
    return (
        line and (line.hold_until, line.hold_cause, line.paused_reason),
        dispatch.stopped_reason,
        dispatch.stopped_at,
        dispatch.is_silent(now),
        dispatch.gate_trouble,
        dispatch.queue_trouble,
        dispatch.worker_trouble,
        timezone.localdate(now),
    )


def _before(place: QuerySet[Message]) -> Q:
    """Earlier in the thread than the one message of ``place``; nothing is when there is none."""
    send_at, key = Subquery(place.values("send_at")), Subquery(place.values("pk"))
    return Q(send_at__lte=send_at) & (Q(send_at__lt=send_at) | Q(id__lt=key))


@dataclass(frozen=True)
class _Page:
    conversation: Conversation
    dispatch: Dispatch
    now: datetime
    reader: User
    hit: UUID | None

    def of(self, messages: Sequence[Message], *, has_older: bool, has_newer: bool) -> Thread:
        line: Line | None = getattr(self.conversation.creator, "line", None)
        if line:
            line.creator = self.conversation.creator
        prefetch_related_objects(messages, "attachments")
        waiting = forecasts(messages, now=self.now, lines=[line] if line else None, dispatch=self.dispatch)
        bubbles: list[Bubble] = []
        previous: Message | None = None
        for message in messages:
            starts_day = previous is None or _day(previous) != _day(message)
            starts_group = starts_day or previous is None or not _belong_together(previous, message)
            undo, is_hit = self._undo_seconds(message), message.public_id == self.hit
            bubbles.append(Bubble(message, waiting.get(message.pk), starts_day, starts_group, undo, is_hit))
            previous = message
        return Thread(bubbles, has_older, has_newer)

    def _undo_seconds(self, message: Message) -> int:
        mine = message.author_id == self.reader.pk and message.status == Status.QUEUED
        held_back = mine and message.send_at <= self.now < message.due_at
        return ceil((message.due_at - self.now).total_seconds()) if held_back else 0


def _day(message: Message) -> date:
    return timezone.localtime(message.send_at).date()


def _belong_together(earlier: Message, later: Message) -> bool:
    same_writer = (earlier.direction, earlier.author_id) == (later.direction, later.author_id)
    return same_writer and later.send_at - earlier.send_at <= GROUP_WITHIN
