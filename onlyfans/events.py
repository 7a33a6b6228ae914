"""Stored webhook events on their way to the worker that reads them."""

from datetime import timedelta
from uuid import UUID

import structlog
from django.db import DatabaseError

from crm.clock import database_now
from onlyfans.inbox import CannotRead, TryLater, read_event
from onlyfans.models import WebhookEvent
from onlyfans.queue import Carrier, carry_due

log = structlog.get_logger(__name__)

AT_ONCE = 50
LEASE = timedelta(seconds=30)
AGAIN = timedelta(seconds=2)


def hand_over(carry: Carrier) -> int:
    """Hand the events nobody has read yet to workers. Raises QueueUnavailable."""
    now = database_now()
    unread = WebhookEvent.objects.pending(now)[:AT_ONCE]
    return carry_due(unread, due="due_at", until=lambda _event: now + LEASE, carry=carry)


def read(public_id: UUID) -> None:
    """Read one event. What cannot be read is kept with the reason; what comes too early is read again shortly."""
    event = (
        WebhookEvent.objects.select_related("connection__creator")
        .filter(public_id=public_id, read_at__isnull=True)
        .first()
    )
    if event is None:
        return
    try:
        read_event(event)
    except TryLater as error:
        _again(event, str(error))
    except DatabaseError:
        raise
    except CannotRead as error:
        WebhookEvent.objects.filter(pk=event.pk).update(read_at=database_now(), trouble=str(error)[:300])
        log.warning("event cannot be read", webhook=str(public_id), kind=event.kind, reason=str(error))
    except Exception:
        # A bug of ours: tried again a few times, then kept with the reason, so it does not come round for ever.
        log.exception("event could not be read", webhook=str(public_id), kind=event.kind)
        _again(event, "It could not be read; the log says why.")


def _again(event: WebhookEvent, reason: str) -> None:
    attempts = event.attempts + 1
    given_up = database_now() if attempts >= WebhookEvent.ATTEMPTS_MAX else None
    WebhookEvent.objects.filter(pk=event.pk).update(
        attempts=attempts, due_at=database_now() + AGAIN, trouble=reason[:300], read_at=given_up
    )
