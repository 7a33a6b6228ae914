"""Forgetting for good.

A fan's row, conversation, messages, notes and tags are deleted. Money stays, without the person: books must not change
because somebody asks to be forgotten. So do the places in campaigns and the comings and goings of subscribers, each
without the person. Backups are the operator's (docs/operations.md).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from crm.clock import database_now
from crm.importing.forgetting import forget_files_with
from crm.models import Conversation, Creator, Day, Fan, KeptReply, Line, Message, Recipient, Tally
from crm.models.campaigns import EXCLUDED
from crm.models.messages import Status

if TYPE_CHECKING:
    from django.db.models import QuerySet


PIECE = 1000


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
        _forget_replies(fan)
        forget_files_with(fan)
        _forget_in_the_log(fan)
        fan.delete()


def erase_creator(creator: Creator, *, told: Callable[[int, int], None] = lambda done, total: None) -> None:
    """Forget the creator and everything that belongs to them, money too. Nothing more is sent from the first moment on.

    A thousand fans at a time, each piece in a transaction of its own: told to go on, it goes on where it was stopped.
    ``told`` hears how many of how many rows are gone. Raises OnItsWay, and has then paused the creator and erased
    nothing.
    """
    line, _created = Line.objects.get_or_create(creator=creator)
    line.pause(reason=_("This creator is being erased."), now=database_now())
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


def _forget_replies(fan: Fan) -> None:
    """Replies are kept for who sends a request twice; those about the fan, or what was said to them, go."""
    for public_id in (fan.public_id, *Conversation.objects.filter(fan=fan).values_list("public_id", flat=True)):
        named = Q(body__contains=str(public_id)) | Q(route__contains=str(public_id))
        KeptReply.objects.filter(named).delete()


def _forget_in_the_log(fan: Fan) -> None:
    """The admin's log quotes the names of what was changed."""
    kind = ContentType.objects.get_for_model(Fan)
    LogEntry.objects.filter(content_type=kind, object_id=str(fan.pk)).update(object_repr="", change_message="")
