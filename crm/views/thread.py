"""A stretch of a conversation as the page shows it: days, groups, states, and when the waiting ones go."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from crm.forecast import Forecast, forecasts
from crm.models import Conversation, Dispatch, Line, Message
from crm.models.messages import CANCELLABLE, OUTCOME_OPEN

PAGE = 50
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
    message: Message
    forecast: Forecast | None
    starts_day: bool
    starts_group: bool

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
        if self.is_scheduled or self.forecast is None or self.forecast.reason in ("next", "now"):
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
        return self.message.cause or str(CAUSES.get(Status(self.message.status), ""))


@dataclass(frozen=True)
class Thread:
    bubbles: Sequence[Bubble]
    has_older: bool
    has_newer: bool

    @property
    def start(self) -> Message | None:
        return self.bubbles[0].message if self.bubbles else None


def thread_of(
    conversation: Conversation, dispatch: Dispatch, *, start: UUID | None = None, older: UUID | None = None
) -> Thread:
    """The newest page; or everything from ``start`` on; or everything from one page before ``older`` on.

    The stretch always begins at a message, so new ones at its end never push the oldest one off the page.
    """
    messages = conversation.messages.select_related("author").prefetch_related("attachments")
    newest_first = messages.order_by("-send_at", "-id")
    named = start or older
    first = messages.filter(public_id=named).first() if named else None
    if first and older:
        first = [first, *newest_first.filter(_before(first))[:PAGE]][-1]
    if first is None:
        page = list(newest_first[: PAGE + 1])
        return Thread(_bubbles(conversation, dispatch, page[:PAGE][::-1]), has_older=len(page) > PAGE, has_newer=False)
    stretch = list(messages.exclude(_before(first)).order_by("send_at", "id")[: WINDOW_MAX + 1])
    return Thread(
        _bubbles(conversation, dispatch, stretch[:WINDOW_MAX]),
        has_older=messages.filter(_before(first)).exists(),
        has_newer=len(stretch) > WINDOW_MAX,
    )


def held_stamp(line: Line | None, dispatch: Dispatch, *, now: datetime) -> str:
    """Changes with whatever can change the words below a waiting message although no message changed."""
    seen = (
        line and (line.hold_until, line.hold_cause, line.paused_reason),
        dispatch.stopped_reason,
        dispatch.stopped_at,
        dispatch.is_silent(now),
        dispatch.gate_trouble,
        dispatch.queue_trouble,
        dispatch.worker_trouble,
        timezone.localdate(now),
    )
    return f"{zlib.crc32(repr(seen).encode()):08x}"


def _before(message: Message) -> Q:
    return Q(send_at__lte=message.send_at) & (Q(send_at__lt=message.send_at) | Q(id__lt=message.pk))


def _bubbles(conversation: Conversation, dispatch: Dispatch, messages: Sequence[Message]) -> list[Bubble]:
    line: Line | None = getattr(conversation.creator, "line", None)
    waiting = forecasts(messages, lines=[line] if line else None, dispatch=dispatch)
    bubbles: list[Bubble] = []
    previous: Message | None = None
    for message in messages:
        starts_day = previous is None or _day(previous) != _day(message)
        starts_group = starts_day or previous is None or not _belong_together(previous, message)
        bubbles.append(Bubble(message, waiting.get(message.pk), starts_day, starts_group))
        previous = message
    return bubbles


def _day(message: Message) -> date:
    return timezone.localtime(message.send_at).date()


def _belong_together(earlier: Message, later: Message) -> bool:
    same_writer = (earlier.direction, earlier.author_id) == (later.direction, later.author_id)
    return same_writer and later.send_at - earlier.send_at <= GROUP_WITHIN
