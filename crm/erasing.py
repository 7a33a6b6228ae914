"""Forgetting for good.

A fan's row, conversation, messages, notes and tags are deleted. Money stays, without the person: books must not change
because somebody asks to be forgotten. So do the places in campaigns and the comings and goings of subscribers, each
without the person. Backups are the operator's (docs/operations.md).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING
from uuid import UUID

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q, TextField
from django.db.models.functions import Cast
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.clock import database_now
from crm.importing.forgetting import forget_files_with
from crm.models import (
    Campaign,
    Conversation,
    Creator,
    Day,
    Fan,
    KeptReply,
    Line,
    Message,
    Note,
    Recipient,
    SubscriptionEvent,
    Tally,
)
from crm.models.campaigns import EXCLUDED
from crm.models.messages import Status
from crm.searching import forget_removed_words

if TYPE_CHECKING:
    from django.db.models import QuerySet


PIECE = 1000
#: Characters of a row's name that the admin's log quotes.
QUOTED_MAX = 200


class OnItsWay(Exception):
    """A call to the platform with a message to this fan is under way: a few seconds later this can be done."""


def erase_fan(fan: Fan) -> None:
    """Forget the person. What waits to go out to them never goes. Raises OnItsWay, and has then changed nothing."""
    with transaction.atomic():
        Line.objects.stamp(fan.creator_id)
        messages = Message.objects.filter(conversation__fan=fan)
        _refuse_in_flight(messages)
        for name in settings.ALSO_FORGET:
            import_string(name)(fan)
        fan.transactions.update(description="")
        Day.objects.forget(fan.creator_id, messages.values_list("send_at", flat=True))
        Day.objects.forget(fan.creator_id, fan.transactions.values_list("occurred_at", flat=True))
        _leave_campaigns(fan)
        _leave_audiences(fan)
        _forget_replies(fan)
        forget_files_with(fan)
        _forget_in_the_log(fan)
        fan.delete()
    forget_removed_words(Fan, Message)


def erase_creator(creator: Creator, *, told: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Forget the creator and everything that belongs to them, money too. Nothing more is sent from the first moment on.

    A thousand fans at a time, each piece in a transaction of its own: told to go on, it goes on where it was stopped.
    ``told`` hears how many of how many rows are gone. Raises OnItsWay, and has then paused the creator and erased
    nothing.
    """
    line, _created = Line.objects.get_or_create(creator=creator)
    line.pause(reason=gettext_noop("This creator is being erased."), now=database_now())
    _refuse_in_flight(Message.objects.filter(creator=creator))
    tables = (creator.transactions, creator.subscription_events, creator.fans)
    done, total = 0, sum(rows.count() for rows in tables)
    for rows in tables:
        while keys := list(rows.values_list("pk", flat=True)[:PIECE]):
            with transaction.atomic():
                rows.filter(pk__in=keys).delete()
            done += len(keys)
            told(done, total)
    creator.delete()
    forget_removed_words(Fan, Message)


def _refuse_in_flight(messages: "QuerySet[Message]") -> None:
    """Hold what has not begun, then see whether something has: the call's outcome must find its row."""
    for message in messages.filter(status=Status.HANDED_OVER):
        message.move(Status.CANCELLED)
    if messages.filter(status__in=(Status.HANDED_OVER, Status.SENDING)).exists():
        raise OnItsWay(_("A message is just being sent. Try again in a minute."))


def _leave_campaigns(fan: Fan) -> None:
    """The places stay, so that the numbers of a campaign go on adding up to its audience."""
    recipients = fan.campaign_recipients.select_related("campaign", "message")
    for recipient in recipients:
        Tally.objects.moved(recipient.campaign_id, source=recipient.state, to=EXCLUDED)
    recipients.update(fan=None, message=None, excluded=Recipient.Exclusion.ERASED)


def _leave_audiences(fan: Fan) -> None:
    """A list of fans is read again whenever a campaign goes on, and must name nobody who is not there."""
    written = Campaign.objects.filter(creator=fan.creator_id).annotate(written=Cast("audience", TextField()))
    mine = Q(written__icontains=str(fan.public_id)) | Q(written__icontains=fan.public_id.hex)
    for campaign in written.filter(mine, audience__has_key="fans"):
        campaign.audience["fans"] = [each for each in campaign.audience["fans"] if UUID(each) != fan.public_id]
        campaign.save(update_fields=["audience"])


def _forget_replies(fan: Fan) -> None:
    """Replies are kept for who sends a request twice; those about the fan, or what was said to them, go."""
    for public_id in (fan.public_id, *Conversation.objects.filter(fan=fan).values_list("public_id", flat=True)):
        KeptReply.objects.naming(public_id).delete()


def _forget_in_the_log(fan: Fan) -> None:
    """The admin's log quotes the names of what was changed, of notes that are gone, too."""
    kind_of = ContentType.objects.get_for_model
    about = Q(content_type=kind_of(Note), object_repr__startswith=f"{fan} · "[:QUOTED_MAX])
    for model, rows in (
        (Fan, Fan.objects.filter(pk=fan.pk)),
        (Conversation, Conversation.objects.filter(fan=fan)),
        (Note, fan.notes.all()),
        (SubscriptionEvent, fan.subscription_events.all()),
    ):
        keys = rows.annotate(key=Cast("pk", TextField())).values("key")
        about |= Q(content_type=kind_of(model), object_id__in=keys)
    LogEntry.objects.filter(about).update(object_repr="", change_message="")
