"""Media on its way to the provider, before its message is due.

Uploading twice reaches no fan, so an upload whose outcome is unknown is simply tried again.
"""

from datetime import timedelta
from uuid import UUID

import structlog

from crm.clock import database_now
from crm.models import Attachment, Dispatch, Message
from crm.models.messages import Status
from onlyfans.delivery import connection_of, session_lost
from onlyfans.gateway import (
    NoGateway,
    Rejected,
    SessionLost,
    Throttled,
    Trouble,
    Unknown,
    Unreachable,
    Uploaded,
    gateway_for,
)
from onlyfans.models import Connection
from onlyfans.queue import Carrier, carry_due

log = structlog.get_logger(__name__)

AT_ONCE = 20
#: Nobody else begins the same upload for this long.
LEASE = timedelta(seconds=60)
RETRY_FIRST = timedelta(seconds=2)
ATTEMPTS_MAX = 5


def hand_over(carry: Carrier) -> int:
    """Hand the uploads that must begin now to workers. Raises QueueUnavailable."""
    if Dispatch.is_stopped():
        return 0
    now = database_now()
    waiting = Attachment.objects.to_upload(now)[:AT_ONCE]
    return carry_due(waiting, due="upload_at", until=lambda _attachment: now + LEASE, carry=carry)


def upload(public_id: UUID) -> None:
    """Give one piece of media to the provider and keep the id it answers."""
    attachment = (
        Attachment.objects.missing()
        .select_related("message__creator__connection", "message__creator__line")
        .filter(public_id=public_id, message__status=Status.QUEUED)
        .first()
    )
    if attachment is None or Dispatch.is_stopped() or attachment.message.creator.line.paused_at:
        return
    connection = connection_of(attachment.message.creator)
    try:
        outcome = gateway_for(connection).upload(attachment.url)
    except NoGateway as error:
        # Its claim runs out by itself, and then it is tried again.
        log.error("no way to the account", creator=attachment.message.creator_id, error=str(error))
        return
    log.info("media answered", message=str(attachment.message.public_id), outcome=type(outcome).__name__)
    if isinstance(outcome, Uploaded):
        attachment.arrived(outcome.media_id, now=database_now())
    else:
        _in_trouble(attachment, connection, outcome)


def _in_trouble(attachment: Attachment, connection: Connection | None, trouble: Trouble) -> None:
    match trouble:
        case Rejected(_code, words):
            _give_up(attachment, words)
        case Throttled(after, _words):
            _again(attachment, timedelta(seconds=after), attempts=attachment.attempts)
        case SessionLost(_code, words):
            _again(attachment, timedelta(), attempts=attachment.attempts)
            session_lost(attachment.message.creator, connection, words)
        case Unreachable(words) | Unknown(words):
            if attachment.attempts + 1 >= ATTEMPTS_MAX:
                _give_up(attachment, words)
            else:
                _again(attachment, RETRY_FIRST * 2**attachment.attempts, attempts=attachment.attempts + 1)


def _again(attachment: Attachment, wait: timedelta, *, attempts: int) -> None:
    Attachment.objects.filter(pk=attachment.pk).update(upload_at=database_now() + wait, attempts=attempts)


def _give_up(attachment: Attachment, words: str) -> None:
    message: Message = attachment.message
    message.settle(Status.FAILED, cause_code="media_not_uploaded", cause=f"The media could not be uploaded: {words}")
