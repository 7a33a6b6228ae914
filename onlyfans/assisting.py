"""Messages that a person sends by hand: for an account without any provider.

The way of a message is the same, with a person in the worker's place. Taking one is the worker's own step: the front of
the line, a token of the creator's bucket, and ``sending`` under a lease that names the person. They copy the text, send
it on the platform and say so. Who never says leaves an open outcome, which a person settles like any other.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.causes import said
from crm.clock import database_now
from crm.forecast import forecast
from crm.models import Creator, Dispatch, Line, Message, User
from crm.models.messages import Status
from onlyfans import delivery
from onlyfans.models import Connection, Provider

#: Enough to find the chat on a phone, upload the media and come back.
LEASE = timedelta(minutes=15)
TAKING = timedelta(seconds=30)

log = structlog.get_logger(__name__)


class NotNow(Exception):
    """It cannot be taken, or is not this person's any more. The words are for them."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What one creator's people have to do: what goes next, and what has been taken."""

    creator: Creator
    next: Message | None
    waiting: int
    mine: list[Message]
    others: int
    may_send: bool
    obstacle: str
    next_at: datetime | None


def desks(user: User) -> list[Desk]:
    """The creators of ``user`` whose messages go by hand."""
    by_hand = Connection.objects.filter(provider=Provider.ASSISTED, creator__in=Creator.objects.for_user(user))
    sendable = set(Creator.objects.sendable_by(user).values_list("pk", flat=True))
    now, dispatch = database_now(), Dispatch.current()
    return [
        _desk(connection.creator, user, now, dispatch, may_send=connection.creator_id in sendable)
        for connection in by_hand.select_related("creator").order_by("creator__name", "pk")
    ]


def sends_by_hand(user: User) -> bool:
    """Whether there is anything for ``user`` in the list at all."""
    return Connection.objects.filter(provider=Provider.ASSISTED, creator__in=Creator.objects.for_user(user)).exists()


def _desk(creator: Creator, user: User, now: datetime, dispatch: Dispatch, *, may_send: bool) -> Desk:
    line, _created = Line.objects.get_or_create(creator=creator)
    front = Message.objects.front(creator.pk, now).select_related("conversation__fan").prefetch_related("attachments")
    taken = Message.objects.filter(creator=creator, status=Status.SENDING)
    mine = taken.filter(lease=user.public_id).select_related("conversation__fan").prefetch_related("attachments")
    obstacle = dispatch.stopped_reason if dispatch.stopped_at else line.paused_reason if line.paused_at else ""
    paced = bool(line.bucket_full_at and line.hold_cause == "pace" and line.hold_until and line.hold_until > now)
    return Desk(
        creator=creator,
        next=front.first(),
        waiting=front.count(),
        mine=list(mine.order_by("sending_at")),
        others=taken.exclude(lease=user.public_id).count(),
        may_send=may_send,
        obstacle=said(obstacle),
        next_at=line.hold_until if paced else None,
    )


def take(message: Message, user: User) -> None:
    """Have the message to send it by hand. Raises NotNow: somebody was faster, another goes first, or it must wait."""
    now = database_now()
    first = Message.objects.front(message.creator_id, now).first()
    if first != message:
        raise NotNow(_("Another message goes first now, or somebody else has taken this one."))
    if not message.hand_over(until=now + TAKING):
        raise NotNow(_("Somebody else was faster."))
    if not message.take_lease(until=now + TAKING, lease=user.public_id):
        raise NotNow(_("Somebody else was faster."))
    if delivery.begin(message, lasts=LEASE) is None:
        raise NotNow(_why_not(message))
    log.info("taken to be sent by hand", message=str(message.public_id), creator=message.creator_id, user=user.pk)


def _why_not(message: Message) -> str:
    expected = forecast(message)
    seconds = (expected.at - database_now()) / timedelta(seconds=1) if expected and expected.at else 0
    if seconds > 0:
        return _("The next one may go in %(seconds)d seconds.") % {"seconds": max(round(seconds), 1)}
    return expected.words if expected else _("It cannot be sent now.")


def sent(message: Message, user: User) -> None:
    """``user`` has sent it. Raises NotNow."""
    with transaction.atomic():
        settled = _taken_by(message.public_id, user).settle(
            Status.SENT, sent_at=database_now(), cause_code="by_hand", cause=gettext_noop("Sent by hand.")
        )
    if not settled:
        raise NotNow(_settled_already())
    log.info("sent by hand", message=str(message.public_id), creator=message.creator_id, user=user.pk)


def not_sent(message: Message, user: User, *, cancel: bool = False) -> None:
    """``user`` did not send it: it waits again, or is cancelled. Raises NotNow."""
    with transaction.atomic():
        taken = _taken_by(message.public_id, user)
        # Nobody called the platform; the token stays spent, which is the careful side.
        if not taken.back_to_queue(sending_at=None):
            raise NotNow(_settled_already())
        if cancel:
            taken.cancel(by=user)
    log.info("not sent by hand", message=str(message.public_id), creator=message.creator_id, user=user.pk)


def _taken_by(public_id: UUID, user: User) -> Message:
    """As it is now, if this person still has it. Raises NotNow."""
    taken = Message.objects.filter(public_id=public_id, status=Status.SENDING, lease=user.public_id).first()
    if taken is None:
        raise NotNow(_settled_already())
    return taken


def _settled_already() -> str:
    return _("You do not have this message any more. Look at its conversation for what became of it.")
