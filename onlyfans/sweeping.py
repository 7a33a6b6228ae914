"""The sweep: what nobody has been heard of any more, and lines that nobody woke."""

from typing import Any

import structlog
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_noop

from crm.causes import WORKERS_DIED
from crm.clock import database_now
from crm.correlation import correlated
from crm.models import Line, Message
from crm.models.messages import Status
from onlyfans.delivery import is_by_hand

log = structlog.get_logger(__name__)

#: Starts whose worker died, before the message itself is taken for the cause.
ATTEMPTS_MAX = 5


def recall_strays(creator_id: int | None = None) -> int:
    """Settle messages whose lease ran out, of one creator or of all; the answer is how many."""
    strays = Message.objects.lease_lost(database_now())
    if creator_id is not None:
        strays = strays.filter(creator_id=creator_id)
    return sum(_recall(message) for message in strays[:500])


def _recall(message: Message) -> bool:
    ran_out = {"lease_until__lt": database_now()}
    given_up: dict[str, Any] = {"provided": ran_out, "lease": None, "lease_until": None}
    if message.status == Status.SENDING:
        words = gettext_noop("The worker stopped while the message was being sent.")
        if is_by_hand(message.creator):
            words = gettext_noop("Whoever took it to send it by hand did not say whether they did.")
        moved = message.move(
            Status.UNKNOWN,
            **given_up,
            cause_code="worker_lost",
            cause=words,
            reconcile_at=database_now(),
            reconciliations=0,
        )
    elif message.lease is None:
        # SQS is slow or has lost it: nobody died, and the next hand-over waits longer.
        moved = message.move(Status.QUEUED, **given_up)
    elif message.attempts + 1 >= ATTEMPTS_MAX:
        words = WORKERS_DIED % {"number": ATTEMPTS_MAX}
        moved = message.move(Status.FAILED, **given_up, attempts=message.attempts + 1, cause_code="poison", cause=words)
    else:
        moved = message.move(Status.QUEUED, **given_up, attempts=message.attempts + 1, hand_overs=0)
    if moved:
        with correlated(message.correlation_id):
            log.warning("lease ran out", message=str(message.public_id), creator=message.creator_id, now=message.status)
    return moved


def recompute_lines() -> None:
    """Wake every line that has waiting messages and is not armed for them: the sweep forgives a lost wake."""
    now = database_now()
    due = Message.objects.waiting().filter(waits_for_media=False, creator=OuterRef("creator"))
    sleeping = Line.objects.filter(Exists(due)).filter(
        Q(wake_at__isnull=True) | Q(wake_at__gt=due.order_by("due_at").values("due_at")[:1])
    )
    for creator_id in sleeping.values_list("creator_id", flat=True):
        Line.objects.wake(creator_id, at=now)
