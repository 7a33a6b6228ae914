"""Stored webhook events on their way to the worker that reads them."""

from uuid import UUID

import structlog
from django.db import DatabaseError

from crm.clock import database_now
from onlyfans.inbox import CannotRead, TryLater, read_event
from onlyfans.models import Connection, WebhookEvent
from onlyfans.queue import Carrier, carry_due

log = structlog.get_logger(__name__)

#: Accounts that are served in one turn of the loop, which serves messages as well.
ACCOUNTS_AT_ONCE = 50
#: Events that workers have at once: enough to keep them busy. What comes next, a fan's answer or a message to one,
#: waits in SQS behind these.
IN_FLIGHT_MAX = 100


def hand_over(carry: Carrier) -> int:
    """Hand events nobody has read yet to workers, of each account its share; the answer is how many.

    The accounts that have events share what workers may have at once, and one share stays free, so that nobody waits
    until somebody else's flood is read. An account of which workers have nothing may always hand one over.
    Raises QueueUnavailable.
    """
    now = database_now()
    waiting = list(Connection.objects.with_events(now)[:ACCOUNTS_AT_ONCE].values_list("pk", flat=True))
    # The loop comes by five times a second; mostly nothing is due.
    if not waiting:
        return 0
    Connection.objects.filter(pk__in=waiting).update(events_served_at=now)
    in_flight = Connection.objects.events_in_flight(now)
    share = max(1, (IN_FLIGHT_MAX - in_flight.total()) // (len(waiting) + 1))
    carried = 0
    for account in waiting:
        front = WebhookEvent.objects.filter(connection=account).pending(now)[: max(0, share - in_flight[account])]
        carried += carry_due(front, due="due_at", until=lambda _event: now + WebhookEvent.LEASE, carry=carry)
    return carried


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
        attempts=attempts, due_at=database_now() + WebhookEvent.AGAIN, trouble=reason[:300], read_at=given_up
    )
