"""Rows for tests, by plain functions: what a test does not name gets a harmless value."""

import io
import itertools
import uuid
from datetime import timedelta
from typing import Any

from crm.clock import database_now
from crm.importing.accepting import accept
from crm.importing.rows import Options
from crm.models import Conversation, Creator, Fan, Import, Line, Membership, Message, Segment, User
from crm.models.messages import Status

PASSWORD = "correct-horse-battery"

_numbers = itertools.count(1)


def make_user(username: str = "", *, password: str = PASSWORD, **values: Any) -> User:
    return User.objects.create_user(username or f"user{next(_numbers)}", password=password, **values)


def make_creator(
    *members: User, name: str = "", role: Membership.Role = Membership.Role.OWNER, **values: Any
) -> Creator:
    """A creator with a line; every one of ``members`` works for it as ``role``."""
    creator = Creator.objects.create(name=name or f"Creator {next(_numbers)}", **values)
    Line.objects.create(creator=creator)
    for member in members:
        make_membership(member, creator, role=role)
    return creator


def make_membership(user: User, creator: Creator, *, role: Membership.Role = Membership.Role.OWNER) -> Membership:
    return Membership.objects.create(user=user, creator=creator, role=role)


def make_fan(creator: Creator | None = None, **values: Any) -> Fan:
    number = next(_numbers)
    defaults = {"platform_id": f"fan_{number}", "handle": f"fan{number}", "name": f"Fan {number}"}
    return Fan.objects.create(creator=creator or make_creator(), **(defaults | values))


def make_segment(creator: Creator | None = None, *, rule: dict[str, Any] | None = None, **values: Any) -> Segment:
    creator = creator or make_creator()
    return Segment.objects.create(creator=creator, rule=rule or {}, **({"name": f"Segment {next(_numbers)}"} | values))


def make_conversation(creator: Creator | None = None, *, fan: Fan | None = None, **values: Any) -> Conversation:
    fan = fan or make_fan(creator)
    return Conversation.objects.create(creator=fan.creator, fan=fan, **({"last_message_at": database_now()} | values))


def make_message(
    conversation: Conversation | None = None,
    *,
    status: Status = Status.QUEUED,
    text: str = "Hello!",
    **values: Any,
) -> Message:
    """A message that already is in ``status``, with the times and the lease that status needs; it wakes no line.

    Use ``conversation.queue()`` or ``conversation.receive()`` where the way into the ledger matters.
    """
    conversation = conversation or make_conversation()
    now = database_now()
    incoming = status == Status.RECEIVED
    defaults: dict[str, Any] = {
        "direction": Message.Direction.IN if incoming else Message.Direction.OUT,
        "send_at": now,
        "due_at": values.get("send_at", now),
    }
    if incoming:
        defaults["platform_id"] = f"in_{next(_numbers)}"
    if status in (Status.HANDED_OVER, Status.SENDING):
        defaults |= {"lease": uuid.uuid4(), "lease_until": now + timedelta(seconds=30)}
    if status in (Status.SENT, Status.DELIVERED, Status.READ):
        defaults |= {"sent_at": values.get("send_at", now), "platform_id": f"out_{next(_numbers)}"}
    return Message.objects.create(
        creator_id=conversation.creator_id,
        conversation=conversation,
        status=status,
        text=text,
        seq=Line.objects.stamp(conversation.creator_id),
        **(defaults | values),
    )


def make_import(creator: Creator | None = None, text: str = "Username\nava\n", *, name: str = "fans.csv") -> Import:
    """A file that was uploaded and has no question."""
    content = text.encode()
    return accept(
        creator or make_creator(),
        lambda: io.BytesIO(content),
        name=name,
        options=Options(),
        by=None,
        now=database_now(),
    )
