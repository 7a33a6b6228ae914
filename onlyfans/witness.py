"""Redis remembers the ledger's last sign of life, and so notices a database that went back in time.

A backup that was restored within minutes of being taken has a young heartbeat, yet it would send once more what went
out since. Redis is a witness and nothing else: when it has forgotten, nothing is noticed here; when it does not answer,
nothing is sent anyway.
"""

from datetime import datetime, timedelta
from functools import cache

from django.conf import settings

from crm.models import Dispatch
from ratelimit.bucket import GateUnavailable
from ratelimit.server import Server, server_at

#: Heartbeats are 2 s apart, and those of several loops are written in any order.
TOLERANCE = timedelta(seconds=10)
#: A longer silence holds sending by itself.
REMEMBERED = timedelta(days=1)


def went_back(row: Dispatch) -> datetime | None:
    """The heartbeat that Redis remembers, if the row that was just read is of before it; else None."""
    if row.heartbeat_at is None or not settings.RATE_LIMITER_ENABLED:
        return None
    try:
        remembered = _redis(settings.REDIS_ENDPOINT).command("GET", _key(row))
        seen = datetime.fromisoformat(bytes(remembered).decode()) if remembered else None
    except (GateUnavailable, ValueError):
        return None
    return seen if seen and seen - row.heartbeat_at > TOLERANCE else None


def remember(row: Dispatch, heartbeat: datetime) -> None:
    if not settings.RATE_LIMITER_ENABLED:
        return
    try:
        seconds = str(int(REMEMBERED.total_seconds()))
        _redis(settings.REDIS_ENDPOINT).command("SET", _key(row), heartbeat.isoformat(), "EX", seconds)
    except GateUnavailable:
        # The gate says loudly enough that Redis is away.
        return


def _key(row: Dispatch) -> str:
    return f"heartbeat:{row.installation}"


@cache
def _redis(endpoint: str) -> Server:
    return server_at(endpoint, "")
