"""Media on its way to the provider, before its message is due.

Uploading twice reaches no fan, so an upload whose outcome is unknown is simply tried again.
"""

from datetime import timedelta
from uuid import UUID

import structlog

from crm import campaigning
from crm.causes import MEDIA_NOT_UPLOADED
from crm.clock import database_now
from crm.models import Attachment, Dispatch, Line
from crm.models.messages import Status
from onlyfans import errands
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
from onlyfans.queue import Carrier

log = structlog.get_logger(__name__)

RETRY_UNREACHABLE = timedelta(seconds=5)
#: Then four times as long with each try: a provider may be in trouble for almost three minutes.
RETRY_FIRST = timedelta(seconds=2)
ATTEMPTS_MAX = 5


def hand_over(carry: Carrier) -> int:
    """Hand the uploads that must begin now to workers, one of each creator. Raises QueueUnavailable."""
    now = database_now()
    return errands.hand_over(
        Attachment.objects.to_upload(now),
        creator="creator",
        due="upload_at",
        until=lambda _attachment: now + errands.LEASE,
        carry=carry,
    )


def upload(public_id: UUID) -> None:
    """Give one piece of media to the provider and keep the id it answers."""
    attachment = (
        Attachment.objects.select_related("creator__connection", "creator__line", "message", "campaign")
        .filter(public_id=public_id)
        .first()
    )
    if attachment is None:
        return
    try:
        _upload(attachment)
    finally:
        Line.objects.end_errand(attachment.creator_id)


def _upload(attachment: Attachment) -> None:
    if Dispatch.is_stopped() or not Attachment.objects.wanted().filter(pk=attachment.pk).exists():
        return
    connection = connection_of(attachment.creator)
    try:
        # What a campaign sends must be good for all of its messages.
        outcome = gateway_for(connection).upload(attachment.url, keep=attachment.campaign_id is not None)
    except NoGateway as error:
        # Its claim runs out by itself, and then it is tried again.
        log.error("no way to the account", creator=attachment.creator_id, error=str(error))
        return
    log.info("media answered", media=str(attachment.public_id), outcome=type(outcome).__name__)
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
            session_lost(attachment.creator, connection, words)
        case Unreachable(_words):
            # Nothing fails because the provider is away, however long that takes.
            _again(attachment, RETRY_UNREACHABLE, attempts=attachment.attempts)
        case Unknown(words):
            if attachment.attempts + 1 >= ATTEMPTS_MAX:
                _give_up(attachment, words)
            else:
                _again(attachment, RETRY_FIRST * 4**attachment.attempts, attempts=attachment.attempts + 1)


def _again(attachment: Attachment, wait: timedelta, *, attempts: int) -> None:
    Attachment.objects.filter(pk=attachment.pk).update(upload_at=database_now() + wait, attempts=attempts)


def _give_up(attachment: Attachment, words: str) -> None:
    cause = MEDIA_NOT_UPLOADED % {"why": words}
    if attachment.message:
        attachment.message.settle(Status.FAILED, cause_code="media_not_uploaded", cause=cause)
    elif attachment.campaign:
        campaigning.stop_for_a_person(attachment.campaign, reason=cause)
