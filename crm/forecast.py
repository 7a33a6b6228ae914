"""When a waiting message will go, and why it waits: one answer for the page, the API and the admin.

Computed from rows only. It is an estimate of a queue that others may join with a higher priority, never a promise.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from crm.clock import database_now
from crm.models import Creator, Dispatch, HoldCause, Line, Message
from crm.models.messages import IN_FLIGHT, Status
from crm.pace import steady_interval


@dataclass(frozen=True, slots=True)
class Forecast:
    """``at`` is None when nobody can say. ``reason`` is a code, ``words`` a sentence for a person."""

    at: datetime | None
    reason: str
    words: str


def forecast(message: Message, *, now: datetime | None = None) -> Forecast | None:
    """When ``message`` will go; None when it does not wait any more."""
    return forecasts([message], now=now).get(message.pk)


def forecasts(messages: Iterable[Message], *, now: datetime | None = None) -> dict[int, Forecast]:
    """The forecast of each waiting message among ``messages``, by primary key. One query a waiting message, two more."""
    waiting = [message for message in messages if message.status in (Status.QUEUED, *IN_FLIGHT)]
    if not waiting:
        return {}
    now = now or database_now()
    dispatch = Dispatch.current()
    lines = Line.objects.select_related("creator").in_bulk({message.creator_id for message in waiting})
    return {message.pk: _forecast(message, lines[message.creator_id], dispatch, now) for message in waiting}


def _forecast(message: Message, line: Line, dispatch: Dispatch, now: datetime) -> Forecast:
    if message.status in IN_FLIGHT:
        return Forecast(now, "now", _("It is on its way."))
    if obstacle := _obstacle(message, line, dispatch, now):
        return obstacle
    return _by_pace(message, line, now)


def _obstacle(message: Message, line: Line, dispatch: Dispatch, now: datetime) -> Forecast | None:
    """What must end before anybody can name a time."""
    if dispatch.stopped_at:
        return Forecast(None, "stopped", _("All sending is stopped: %(why)s") % {"why": dispatch.stopped_reason})
    if line.paused_at:
        return Forecast(None, "paused", _("Paused: %(why)s") % {"why": line.paused_reason})
    if message.due_at > now:
        return Forecast(message.due_at, "scheduled", _("It is scheduled."))
    if dispatch.is_silent(now):
        return Forecast(None, "dispatch_silent", _("The dispatch loop is not running."))
    if dispatch.queue_trouble:
        return Forecast(None, "queue_down", _("The queue cannot be reached. It goes out as soon as the queue is back."))
    if dispatch.gate_trouble or line.hold_cause == HoldCause.GATE_DOWN:
        return Forecast(None, "gate_down", _("The rate limiter cannot be reached, so nothing is sent until it is back."))
    if message.waits_for_media:
        return Forecast(None, "media", _("Its media is being uploaded to the platform."))
    if line.hold_cause == HoldCause.NOT_CONNECTED:
        return Forecast(None, "not_connected", _("The account is not connected."))
    return None


def _by_pace(message: Message, line: Line, now: datetime) -> Forecast:
    """The line's next moment, plus one interval for each message in front."""
    front = line.hold_until if line.hold_until and line.hold_until > now and line.hold_cause != HoldCause.HANDED_OVER else now
    ahead = Message.objects.ahead_of(message).filter(due_at__lte=now).count()
    in_flight = Message.objects.filter(creator_id=line.creator_id, status=Status.HANDED_OVER).count()
    at = front + timedelta(seconds=(ahead + in_flight) * _interval(line.creator))
    if line.hold_cause == HoldCause.THROTTLED and front > now:
        return Forecast(at, "throttled", _("The platform asked to slow down."))
    if line.hold_cause == HoldCause.UNREACHABLE and front > now:
        return Forecast(at, "unreachable", _("The platform cannot be reached. It is tried again by itself."))
    if at <= now:
        return Forecast(now, "next", _("It goes next."))
    return Forecast(at, "pace", _("It waits for its turn at this account's pace."))


def _interval(creator: Creator) -> float:
    return steady_interval(creator.allowances)
