"""Dead letters go back to the queue on a person's word: a page writes it down, dispatch does it."""

import structlog

from crm.clock import database_now
from onlyfans.models import Redrive
from onlyfans.queue import QueueUnavailable, redrive

log = structlog.get_logger(__name__)


def serve() -> int:
    """Do what was asked for and not begun, the oldest first; the answer is how many letters were moved."""
    moved = 0
    for asked in Redrive.objects.filter(begun_at__isnull=True).order_by("id"):
        if asked.begin(now=database_now()):
            moved += _move(asked)
    return moved


def _move(asked: Redrive) -> int:
    try:
        moved, trouble = redrive(asked.limit), ""
    except QueueUnavailable as error:
        moved, trouble = 0, str(error)
    asked.end(now=database_now(), moved=moved, trouble=trouble)
    log.info("dead letters were moved back", moved=moved, trouble=trouble)
    return moved
