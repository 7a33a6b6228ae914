"""When a waiting message will go, and why it waits: one answer for the page, the API and the admin.

Computed from rows and, for a campaign's end, from a look into the live bucket. It is an estimate of a queue that others
may join with a higher priority, never a promise.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from crm.causes import said
from crm.clock import database_now
from crm.models import Campaign, Dispatch, HoldCause, Line, Message, Tally
from crm.models.campaigns import WAITING
from crm.models.messages import IN_FLIGHT, UNKNOWN_HOLDS_CONVERSATION, Place, Status

#: Dispatch looks at a held line again within a second; this is generous.
RENEWED_WITHIN = timedelta(seconds=5)
#: Of a message that went while it was looked at.
NOWHERE = Place(0, None)


@dataclass(frozen=True, slots=True)
class Forecast:
    """``at`` is None when nobody can say. ``reason`` is a code, ``words`` a sentence for a person."""

    at: datetime | None
    reason: str
    words: str


def forecast(message: Message, *, now: datetime | None = None) -> Forecast | None:
    """When ``message`` will go; None when it does not wait any more."""
    return forecasts([message], now=now).get(message.pk)


def forecasts(
    messages: Iterable[Message],
    *,
    now: datetime | None = None,
    lines: Iterable[Line] | None = None,
    dispatch: Dispatch | None = None,
) -> dict[int, Forecast]:
    """The forecast of each waiting message among ``messages``, by primary key.

    Three queries, however many wait; one for a caller that has read the creators' ``lines`` and the ``dispatch`` row;
    one more when some belong to campaigns.
    """
    waiting = [message for message in messages if message.status in (Status.QUEUED, *IN_FLIGHT)]
    if not waiting:
        return {}
    now = now or database_now()
    dispatch = dispatch or Dispatch.current()
    creators = {message.creator_id for message in waiting}
    if lines is None:
        lines = Line.objects.select_related("creator").filter(creator__in=creators)
    line_of = {line.creator_id: line for line in lines}
    places = Message.objects.filter(pk__in=[message.pk for message in waiting]).places(now)
    campaigns = {message.campaign_id for message in waiting if message.campaign_id}
    stopped = Campaign.objects.held(now).in_bulk(campaigns) if campaigns else {}
    return {
        message.pk: _forecast(
            message,
            line_of[message.creator_id],
            dispatch,
            place=places.get(message.pk, NOWHERE),
            campaign=stopped.get(message.campaign_id or 0),
            now=now,
        )
        for message in waiting
    }


def _forecast(
    message: Message,
    line: Line,
    dispatch: Dispatch,
    *,
    place: Place,
    campaign: Campaign | None,
    now: datetime,
) -> Forecast:
    """``campaign`` is the one that it belongs to, if that is held."""
    if message.status in IN_FLIGHT:
        if message.status == Status.HANDED_OVER and dispatch.worker_trouble:
            return _no_worker()
        return Forecast(now, "now", _("It is on its way."))
    if obstacle := _everybody_waits(line, dispatch) or _campaign_waits(campaign, now):
        return obstacle
    if obstacle := _obstacle(message, line, dispatch, now):
        return obstacle
    if place.unknown_since:
        return Forecast(
            place.unknown_since + UNKNOWN_HOLDS_CONVERSATION,
            "blocked",
            _("It waits until it is known what became of the message before it, at the latest until then."),
        )
    return _by_pace(line, place.before_it, now)


def _everybody_waits(line: Line, dispatch: Dispatch) -> Forecast | None:
    if dispatch.stopped_at:
        return Forecast(None, "stopped", _("All sending is stopped: %(why)s") % {"why": said(dispatch.stopped_reason)})
    if line.paused_at:
        return Forecast(None, "paused", _("Paused: %(why)s") % {"why": said(line.paused_reason)})
    return None


def _campaign_waits(campaign: Campaign | None, now: datetime) -> Forecast | None:
    if campaign is None:
        return None
    if campaign.held_until and campaign.held_until > now and campaign.status == Campaign.Status.RUNNING:
        return Forecast(campaign.held_until, "quiet_hours", _("It is in its quiet hours."))
    return Forecast(
        None, "campaign_held", _("Its campaign is stopped: %(why)s") % {"why": said(campaign.reason) or "–"}
    )


def _obstacle(message: Message, line: Line, dispatch: Dispatch, now: datetime) -> Forecast | None:
    """What must end before anybody can name a time."""
    if message.due_at > now:
        if message.send_at <= now:
            return Forecast(message.due_at, "undo", _("It can still be taken back."))
        return Forecast(message.due_at, "scheduled", _("It is scheduled."))
    if obstacle := _nothing_goes(line, dispatch, now):
        return obstacle
    if message.waits_for_media:
        return Forecast(None, "media", _("Its media is being uploaded to the platform."))
    return _something_is_wrong(line, now)


def _nothing_goes(line: Line, dispatch: Dispatch, now: datetime) -> Forecast | None:
    """What of the installation keeps everything of this line that is due."""
    if dispatch.is_silent(now):
        return Forecast(None, "dispatch_silent", _("The dispatch loop is not running."))
    if dispatch.queue_trouble:
        return Forecast(None, "queue_down", _("The queue cannot be reached. It goes out as soon as the queue is back."))
    if dispatch.gate_trouble or _cause(line, now) == HoldCause.GATE_DOWN:
        return _no_gate()
    if dispatch.worker_trouble:
        return _no_worker()
    return None


def _something_is_wrong(line: Line, now: datetime) -> Forecast | None:
    cause = _cause(line, now)
    if cause == HoldCause.BROKEN or line.creator.seconds_between_messages is None:
        return Forecast(None, "broken", _("Something is wrong with this account's settings. An operator must look."))
    if cause == HoldCause.NOT_CONNECTED:
        return Forecast(None, "not_connected", _("The account is not connected."))
    if cause == HoldCause.BY_HAND:
        return Forecast(None, "by_hand", _("It is in the list of what is sent by hand."))
    return None


def _no_worker() -> Forecast:
    return Forecast(None, "worker_silent", _("No worker is running. It goes out as soon as one is back."))


def _no_gate() -> Forecast:
    return Forecast(None, "gate_down", _("The rate limiter cannot be reached, so nothing is sent until it is back."))


def _cause(line: Line, now: datetime) -> str:
    """Why the line is held. Dispatch renews a hold that goes on; one that it has not renewed is over."""
    held = line.hold_until is not None and line.hold_until > now - RENEWED_WITHIN
    return line.hold_cause if held else HoldCause.NONE


def _by_pace(line: Line, before_it: int, now: datetime) -> Forecast:
    """The line's next moment, plus one interval for each message in front."""
    front = now
    if line.hold_until and line.hold_cause != HoldCause.HANDED_OVER:
        front = max(line.hold_until, now)
    at = front + timedelta(seconds=before_it * (line.creator.seconds_between_messages or 0.0))
    if line.hold_cause == HoldCause.THROTTLED and front > now:
        return Forecast(at, "throttled", _("The platform asked to slow down."))
    if line.hold_cause == HoldCause.UNREACHABLE and front > now:
        return Forecast(at, "unreachable", _("The platform cannot be reached. It is tried again by itself."))
    if at <= now:
        return Forecast(now, "next", _("It goes next."))
    return Forecast(at, "pace", _("It waits for its turn at this account's pace."))


def ask_the_gate(line: Line, now: datetime) -> float | None:
    """Seconds until the line's bucket, as it is now, lets the next message go; None when nobody can say.

    The settings name who asks, because the ledger knows no gate. It takes half a second at most: too long for a
    transaction that holds locks.
    """
    seconds: float | None = import_string(settings.ASK_THE_GATE)(line, now)
    return seconds


def completion(
    campaign: Campaign,
    *,
    now: datetime | None = None,
    tally: Mapping[str, int] | None = None,
    line: Line | None = None,
    dispatch: Dispatch | None = None,
    opens_in: Callable[[Line, datetime], float | None] = ask_the_gate,
) -> Forecast | None:
    """When the last message of a campaign will go; None once nothing of it waits.

    Its own remaining recipients and what stands in front of them now, at the creator's pace, from when the live bucket
    lets the next one go, around its quiet hours. Replies that people write meanwhile push it back.

    A caller that has read the other rows gives them along, and one that has asked the gate already what it heard.
    """
    tally = Tally.objects.of(campaign.pk) if tally is None else tally
    remaining = sum(tally.get(state, 0) for state in (WAITING, Status.QUEUED, *IN_FLIGHT))
    if not remaining:
        return None
    now = now or database_now()
    line = line or Line.objects.select_related("creator").get(creator=campaign.creator_id)
    dispatch = dispatch or Dispatch.current()
    held = _campaign_waits(campaign if campaign.is_held(now) else None, now)
    stopped = held if held and not held.at else None
    if obstacle := _everybody_waits(line, dispatch) or stopped or _nothing_goes(line, dispatch, now):
        return obstacle
    if obstacle := _something_is_wrong(line, now):
        return obstacle
    if any(not attachment.provider_media_id for attachment in campaign.attachments.all()):
        return Forecast(None, "media", _("Its media is being uploaded to the platform."))
    seconds = opens_in(line, now)
    if seconds is None:
        return _no_gate()
    others = Message.objects.waiting().going(now).filter(creator=campaign.creator_id, due_at__lte=now)
    ahead = others.exclude(campaign=campaign).count()
    front = max(line.hold_until or now, now + timedelta(seconds=seconds))
    at = campaign.after_quiet_hours(
        front, timedelta(seconds=(ahead + remaining - 1) * (line.creator.seconds_between_messages or 0.0))
    )
    return Forecast(at, "pace", _("At this account's pace, behind what waits already."))
