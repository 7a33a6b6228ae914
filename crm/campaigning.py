"""The life of a campaign: written, launched, served a thousand recipients at a time, stopped, finished.

Dispatch calls ``serve`` about once a second. Everything else is somebody's decision.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, ngettext

from crm import audiences, personalising
from crm.causes import TOO_MANY_FAILED
from crm.clock import database_now
from crm.correlation import correlated, current_correlation_id
from crm.models import Attachment, Campaign, Conversation, Creator, Fan, Line, Message, Recipient, Tally
from crm.models.attachments import content_errors
from crm.models.campaigns import EDITABLE, EXCLUDED, WAITING, CampaignStatus, IllegalCampaignMove
from crm.models.conversations import SCHEDULE_AHEAD_MAX
from crm.models.messages import Direction, Status
from crm.numbers import grouped

if TYPE_CHECKING:
    from crm.models import User

#: So many recipients become rows at once, when fewer than the second number are waiting.
ENLIST_AT_ONCE, ENLIST_BELOW = 1000, 200
#: Overdue by more than this, a schedule is no order any more (design, section 3, Stops).
OVERDUE = timedelta(minutes=15)
#: An error rate needs so many outcomes before it says anything.
OUTCOMES_MIN = 20
SETTLED_WELL = (Status.SENT, Status.DELIVERED, Status.READ)
STILL_GOING = (WAITING, Status.QUEUED, Status.HANDED_OVER, Status.SENDING)
#: Fans whom one request may name and write to at once; a campaign takes more.
BULK_MAX = 100
#: What may be written of a campaign; ``media_urls`` besides.
WRITTEN = (
    "name",
    "text",
    "price_cents",
    "audience",
    "exclusions",
    "quiet_from",
    "quiet_until",
    "pause_at_error_percent",
    "scheduled_at",
)


# --- Writing it


def draft(creator: Creator, *, author: "User | None", media_urls: Sequence[str] = (), **written: Any) -> Campaign:
    """Write a campaign down; of quiet hours nothing said, it has the creator's. Raises ValidationError by field."""
    if not {"quiet_from", "quiet_until"} & written.keys():
        written |= {"quiet_from": creator.quiet_from, "quiet_until": creator.quiet_until}
    campaign = Campaign(creator=creator, created_by=author)
    return _write(campaign, media_urls, written)


def change(campaign: Campaign, *, media_urls: Sequence[str] | None = None, **written: Any) -> Campaign:
    """Write it differently, while nothing was sent; scheduled for no time any more, it is a draft again.

    Raises ValidationError by field, or IllegalCampaignMove.
    """
    if campaign.status not in EDITABLE:
        raise IllegalCampaignMove(_("“%(name)s” has begun: its message cannot change.") % {"name": campaign.name})
    return _write(campaign, media_urls, written)


def copy(campaign: Campaign, *, author: "User | None") -> Campaign:
    """A new draft that says the same to the same audience, at no time yet. Raises ValidationError by field."""
    said = {name: getattr(campaign, name) for name in WRITTEN}
    name = _("Copy of %(name)s") % {"name": campaign.name}
    again = {"name": name[: Campaign.NAME_MAX], "scheduled_at": None, "media_urls": campaign.media_urls}
    return draft(campaign.creator, author=author, **(said | again))


def _write(campaign: Campaign, media_urls: Sequence[str] | None, written: Mapping[str, Any]) -> Campaign:
    for name in WRITTEN:
        if name in written:
            setattr(campaign, name, written[name])
    urls = media_urls if media_urls is not None else campaign.media_urls
    attachments = [
        Attachment(creator=campaign.creator, position=position, url=url) for position, url in enumerate(urls)
    ]
    _check(campaign, attachments)
    with transaction.atomic():
        if campaign._state.adding:
            campaign.save()
        else:
            _rewrite(campaign)
        if media_urls is not None and list(media_urls) != campaign.media_urls:
            campaign.attachments.all().delete()
            for attachment in attachments:
                attachment.campaign = campaign
            Attachment.objects.bulk_create(attachments)
        if campaign.status == CampaignStatus.SCHEDULED:
            campaign.attachments.missing().update(upload_at=database_now())
    return campaign


def _rewrite(campaign: Campaign) -> None:
    """Keep what was written. Its status may have moved since it was read: then this comes too late."""
    to = campaign.status
    if to == CampaignStatus.SCHEDULED and campaign.scheduled_at is None:
        to = CampaignStatus.DRAFT
    said = {name: getattr(campaign, name) for name in WRITTEN}
    still = Campaign.objects.filter(pk=campaign.pk, status=campaign.status)
    if not still.update(status=to, updated_at=database_now(), **said):
        raise IllegalCampaignMove(_("Somebody else has just changed “%(name)s”. Look again.") % {"name": campaign.name})
    campaign.status = to


def _check(campaign: Campaign, attachments: Sequence[Attachment]) -> None:
    """The rules of every message, a name, an audience that can be read, and quiet hours with both ends."""
    template = Message(
        direction=Direction.OUT,
        text=campaign.text,
        price_cents=campaign.price_cents,
        priority=Campaign.PRIORITY,
        send_at=database_now(),
        due_at=database_now(),
    )
    errors = content_errors(template, attachments)
    try:
        campaign.clean_fields(exclude=["creator", "created_by", "text", "price_cents"])
    except ValidationError as error:
        errors |= error.message_dict
    if (campaign.quiet_from is None) != (campaign.quiet_until is None):
        errors["quiet_from"] = [_("Quiet hours need a beginning and an end.")]
    if campaign.scheduled_at and campaign.scheduled_at > database_now() + SCHEDULE_AHEAD_MAX:
        errors["scheduled_at"] = [_("At most %(days)d days ahead.") % {"days": SCHEDULE_AHEAD_MAX.days}]
    try:
        personalising.check(campaign.text)
    except ValidationError as error:
        errors |= error.message_dict
    try:
        _check_audience(campaign, attachments)
    except ValidationError as error:
        errors |= error.message_dict
    if errors:
        raise ValidationError(errors)


def _check_audience(campaign: Campaign, attachments: Sequence[Attachment]) -> None:
    if campaign.audience:
        urls = [attachment.url for attachment in attachments]
        audiences.read(campaign.creator, campaign.audience, campaign.exclusions, media_urls=urls)
        campaign.audience = audiences.kept(campaign.creator, campaign.audience)
    else:
        audiences.read_exclusions(campaign.creator, campaign.exclusions)


def send_to(creator: Creator, fans: Sequence[Fan], *, author: "User | None", **written: Any) -> Campaign:
    """Write a campaign for these fans and launch it, or do nothing. Raises ValidationError by field."""
    if unreachable := [fan.platform_id or str(fan.public_id) for fan in fans if not fan.is_reachable or fan.blocked_at]:
        raise ValidationError(
            {"audience": [_("Blocked, or without a platform id yet: %(ids)s") % {"ids": ", ".join(unreachable)}]}
        )
    audience = {"fans": [str(fan.public_id) for fan in fans]}
    with transaction.atomic():
        campaign = draft(creator, author=author, audience=audience, **written)
        launch(campaign)
    return campaign


# --- Deciding about it


def launch(campaign: Campaign) -> None:
    """Freeze the audience and go; with a later ``scheduled_at`` it waits for that, and the audience is frozen then.

    Raises IllegalCampaignMove, or ValidationError when its audience is empty, too large or not readable any more.
    """
    if campaign.scheduled_at and campaign.scheduled_at > database_now():
        with transaction.atomic():
            campaign.move(CampaignStatus.SCHEDULED, correlation_id=current_correlation_id())
            campaign.attachments.missing().update(upload_at=database_now())
        return
    audience = audiences.audience_of(campaign)
    with transaction.atomic():
        now = database_now()
        campaign.move(
            CampaignStatus.RUNNING, only_from=EDITABLE, launched_at=now, correlation_id=current_correlation_id()
        )
        audiences.freeze(campaign, audience, now=now)
        excluded = campaign.recipients.exclude(excluded="").count()
        total = campaign.recipients.count()
        if total == excluded or total > Campaign.RECIPIENTS_MAX:
            raise ValidationError({"audience": [_size(total, excluded)]})
        tallies = [Tally(campaign=campaign, state=WAITING, number=total - excluded)]
        if excluded:
            tallies.append(Tally(campaign=campaign, state=EXCLUDED, number=excluded))
        Tally.objects.bulk_create(tallies)
        campaign.attachments.missing().update(upload_at=now)
    # The first ones; dispatch makes the others, and nobody who presses a button waits for it.
    _serve_running(campaign, now=database_now(), at_most=BULK_MAX)


def _size(total: int, excluded: int) -> str:
    if total > Campaign.RECIPIENTS_MAX:
        return _("%(total)s fans are more than the %(max)s of one campaign.") % {
            "total": grouped(total),
            "max": grouped(Campaign.RECIPIENTS_MAX),
        }
    if total:
        words = ngettext(
            "This fan is left out, so nobody would get it.",
            "Everybody of these %(total)s fans is left out, so nobody would get it.",
            total,
        )
        return words % {"total": grouped(total)}
    return _("There is no fan in this audience.")


def pause(campaign: Campaign, *, reason: str = "") -> None:
    """No message of it begins to be sent after this. Raises IllegalCampaignMove."""
    campaign.move(CampaignStatus.PAUSED, reason=reason or gettext_noop("Paused by a person."))


def resume(campaign: Campaign) -> None:
    """Go on where it stopped; its error rate is judged anew. Raises IllegalCampaignMove."""
    failed, settled = _outcomes(Tally.objects.of(campaign.pk))
    with transaction.atomic():
        campaign.move(
            CampaignStatus.RUNNING, only_from=[CampaignStatus.PAUSED], judged_failed=failed, judged_settled=settled
        )
        campaign.attachments.missing().update(upload_at=database_now(), attempts=0)
        Line.objects.wake(campaign.creator_id, at=database_now())


def cancel(campaign: Campaign) -> int:
    """Nobody who has not got it will get it; the answer is how many that are. Raises IllegalCampaignMove."""
    with transaction.atomic():
        seq = Line.objects.wake(campaign.creator_id, at=database_now())
        campaign.move(CampaignStatus.CANCELLED, finished_at=database_now())
        stopped = 0
        for status in (Status.QUEUED, Status.HANDED_OVER):
            # What is being sent at this moment cannot be called back.
            number = campaign.messages.filter(status=status).update(
                status=Status.CANCELLED, lease=None, lease_until=None, seq=seq
            )
            Tally.objects.moved(campaign.pk, source=status, to=Status.CANCELLED, number=number)
            stopped += number
        waiting = Tally.objects.of(campaign.pk).get(WAITING, 0)
        Tally.objects.moved(campaign.pk, source=WAITING, to=Status.CANCELLED, number=waiting)
    return stopped + waiting


def discard(campaign: Campaign) -> None:
    """Throw away what was never launched. Raises IllegalCampaignMove."""
    if not Campaign.objects.filter(pk=campaign.pk, status__in=EDITABLE).delete()[0]:
        raise IllegalCampaignMove(_("“%(name)s” has begun: cancel it instead.") % {"name": campaign.name})


def back_to_draft(campaign: Campaign) -> None:
    """Take a schedule back. Raises IllegalCampaignMove."""
    campaign.move(CampaignStatus.DRAFT, scheduled_at=None)


def retry_failed(campaign: Campaign) -> int:
    """Let everything of it that failed wait again; the answer is how many. Raises IllegalCampaignMove.

    One that has ended runs again. A pause goes on: only ``resume`` ends what somebody stopped.
    """
    with transaction.atomic():
        seq = Line.objects.wake(campaign.creator_id, at=database_now())
        if campaign.status not in (CampaignStatus.RUNNING, CampaignStatus.PAUSED):
            campaign.move(CampaignStatus.RUNNING, only_from=[CampaignStatus.COMPLETED], finished_at=None)
        now = database_now()
        number = campaign.messages.filter(status=Status.FAILED).update(
            status=Status.QUEUED, due_at=now, attempts=0, hand_overs=0, cause="", cause_code="", seq=seq
        )
        Tally.objects.moved(campaign.pk, source=Status.FAILED, to=Status.QUEUED, number=number)
        failed, settled = _outcomes(Tally.objects.of(campaign.pk))
        Campaign.objects.filter(pk=campaign.pk).update(judged_failed=failed, judged_settled=settled)
    return number


def stop_for_a_person(campaign: Campaign, *, reason: str) -> None:
    """Something is wrong that only a person can put right: running ones pause, scheduled ones need a review."""
    to = CampaignStatus.PAUSED if campaign.status == CampaignStatus.RUNNING else CampaignStatus.NEEDS_REVIEW
    try:
        campaign.move(to, reason=reason)
    except IllegalCampaignMove:
        # Stopped by somebody in this very moment.
        return


# --- Serving it


def serve() -> int:
    """Launch what is scheduled, make the next rows, hold for quiet hours, stop at too many errors, finish.

    The answer is how many rows were made.
    """
    now, made = database_now(), 0
    for campaign in Campaign.objects.to_serve(now).select_related("creator"):
        # Dispatch makes the rows; what caused them is the request that said “go”.
        with correlated(campaign.correlation_id):
            made += _serve(campaign, now)
    return made


def _serve(campaign: Campaign, now: datetime) -> int:
    if campaign.status == CampaignStatus.RUNNING:
        return _serve_running(campaign, now=now)
    if campaign.scheduled_at and campaign.scheduled_at < now - OVERDUE:
        stop_for_a_person(
            campaign, reason=gettext_noop("Its time passed while nothing was sent. Launch it, or write a new time.")
        )
        return 0
    try:
        launch(campaign)
    except ValidationError as error:
        stop_for_a_person(campaign, reason=" ".join(error.messages))
    except IllegalCampaignMove:
        # Another dispatcher was faster, or somebody took the schedule back.
        return 0
    return 0


def _serve_running(campaign: Campaign, *, now: datetime, at_most: int = ENLIST_AT_ONCE) -> int:
    tally = Tally.objects.of(campaign.pk)
    if not any(tally.get(state) for state in STILL_GOING):
        stop_or_finish(campaign, tally, now)
        return 0
    if words := _too_many_errors(campaign, tally):
        stop_for_a_person(campaign, reason=words)
        return 0
    _keep_quiet_hours(campaign, now)
    if not tally.get(WAITING) or tally.get(Status.QUEUED, 0) >= ENLIST_BELOW or campaign.attachments.missing().exists():
        return 0
    return enlist(campaign, at_most)


def stop_or_finish(campaign: Campaign, tally: Mapping[str, int], now: datetime) -> None:
    """Nothing of it waits or is on its way any more."""
    try:
        campaign.move(CampaignStatus.COMPLETED, finished_at=now)
    except IllegalCampaignMove:
        # Paused, cancelled or finished meanwhile, which is as good.
        return


def _too_many_errors(campaign: Campaign, tally: Mapping[str, int]) -> str:
    failed, settled = _outcomes(tally)
    failed, settled = failed - campaign.judged_failed, settled - campaign.judged_settled
    if settled < OUTCOMES_MIN or failed * 100 <= settled * campaign.pause_at_error_percent:
        return ""
    return TOO_MANY_FAILED % {
        "failed": grouped(failed),
        "settled": grouped(settled),
    }


def _outcomes(tally: Mapping[str, int]) -> tuple[int, int]:
    failed = tally.get(Status.FAILED, 0)
    return failed, failed + sum(tally.get(status, 0) for status in SETTLED_WELL)


def _keep_quiet_hours(campaign: Campaign, now: datetime) -> None:
    """Hold it until its quiet hours end; wake the line once they have."""
    until = campaign.quiet_until_when(now)
    if until and until != campaign.held_until:
        Campaign.objects.filter(pk=campaign.pk).update(held_until=until)
        campaign.held_until = until
    elif campaign.held_until and not until:
        with transaction.atomic():
            Line.objects.wake(campaign.creator_id, at=now)
            Campaign.objects.filter(pk=campaign.pk).update(held_until=None)
        campaign.held_until = None


def enlist(campaign: Campaign, at_most: int) -> int:
    """Make the message rows of the next recipients, who are judged once more; the answer is how many rows."""
    with transaction.atomic():
        # The line first, as everywhere: of two dispatchers the second finds these recipients written to.
        now = database_now()
        seq = Line.objects.wake(campaign.creator_id, at=now)
        if not Campaign.objects.filter(pk=campaign.pk, status=CampaignStatus.RUNNING).exists():
            return 0
        waiting = campaign.recipients.filter(message__isnull=True, excluded="").select_related("fan")
        recipients = list(waiting.order_by("id")[: min(at_most, ENLIST_AT_ONCE)])
        letters = _judge_again(campaign, recipients, now)
        messages = _write_messages(campaign, letters, now=now, seq=seq)
        Tally.objects.moved(campaign.pk, source=WAITING, to=Status.QUEUED, number=len(messages))
        Tally.objects.moved(campaign.pk, source=WAITING, to=EXCLUDED, number=len(recipients) - len(messages))
    return len(messages)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one fan will get."""

    recipient: Recipient
    fan: Fan
    text: str


def _judge_again(campaign: Campaign, recipients: Sequence[Recipient], now: datetime) -> list[Letter]:
    """What those get who still get it; the others are written down with the reason."""
    audience = audiences.audience_of(campaign)
    fans = campaign.creator.fans.filter(pk__in=[recipient.fan_id for recipient in recipients])
    verdicts = dict(audience.judged(fans, now=now, apart_from=campaign).values_list("pk", "excluded"))
    letters = []
    for recipient in recipients:
        fan = recipient.fan
        if fan is None:
            recipient.excluded = Recipient.Exclusion.ERASED
            continue
        text = personalising.fill_in(campaign.text, fan)
        recipient.excluded = verdicts[fan.pk]
        if not recipient.excluded and len(text) > Message.TEXT_MAX:
            recipient.excluded = Recipient.Exclusion.TOO_LONG
        if not recipient.excluded:
            letters.append(Letter(recipient, fan, text))
    Recipient.objects.bulk_update([each for each in recipients if each.excluded], ["excluded"])
    return letters


def _write_messages(campaign: Campaign, letters: Sequence[Letter], *, now: datetime, seq: int) -> list[Message]:
    conversations = _conversations(campaign.creator_id, [letter.fan.pk for letter in letters])
    messages = [
        Message(
            creator_id=campaign.creator_id,
            conversation_id=conversations[letter.fan.pk],
            campaign=campaign,
            author_id=campaign.created_by_id,
            text=letter.text,
            price_cents=campaign.price_cents,
            priority=Campaign.PRIORITY,
            send_at=now,
            due_at=now,
            seq=seq,
        )
        for letter in letters
    ]
    Message.objects.bulk_create(messages)
    media = list(campaign.attachments.all())
    Attachment.objects.bulk_create(
        Attachment(
            creator_id=campaign.creator_id,
            message=message,
            position=own.position,
            url=own.url,
            provider_media_id=own.provider_media_id,
        )
        for message in messages
        for own in media
    )
    # Looked up in the database, where there is one a fan: said row by row it takes as long as making the messages.
    of_the_fan = Message.objects.filter(campaign=campaign, conversation__fan=OuterRef("fan"))
    recipients = Recipient.objects.filter(pk__in=[letter.recipient.pk for letter in letters])
    recipients.update(message=Subquery(of_the_fan.values("pk")[:1]))
    return messages


def _conversations(creator_id: int, fan_ids: Sequence[int]) -> dict[int, int]:
    """The conversation of each fan, by primary keys; those begun here are in no list until the fan answers."""
    known = dict(Conversation.objects.filter(fan__in=fan_ids).values_list("fan", "pk"))
    begun = [Conversation(creator_id=creator_id, fan_id=fan_id) for fan_id in fan_ids if fan_id not in known]
    Conversation.objects.bulk_create(begun)
    return known | {conversation.fan_id: conversation.pk for conversation in begun}
