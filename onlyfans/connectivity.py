"""Each part that a message needs on its way, asked once and timed."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import monotonic
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError

from crm.clock import database_now
from crm.models import Creator
from onlyfans.gate import bucket
from onlyfans.gateway import Gateway, NoGateway, gateway_for
from onlyfans.models import Connection
from onlyfans.queue import QueueUnavailable, round_trip
from ratelimit.bucket import GateUnavailable, Limit, Taken

PINGS_AT_ONCE = 8
NOT_USED = "Not used: RATE_LIMITER_ENABLED is off."


class NotWell(Exception):
    """Why, in words for an operator."""


@dataclass(frozen=True, slots=True)
class Check:
    component: str
    is_well: bool
    words: str
    milliseconds: int


def check_all(creator: Creator | None = None) -> list[Check]:
    """Everything, and the provider of each account or of one creator's. Takes as long as the slowest answers."""
    checks = [_check("database", _database), _check("sqs", _sqs), _check("redis", _redis)]
    if not checks[0].is_well:
        return checks
    connections = Connection.objects.select_related("creator").order_by("creator__name", "pk")
    if creator:
        connections = connections.filter(creator=creator)
    return [*checks, *_gateways(connections)]


def _check(component: str, ask: Callable[[], str]) -> Check:
    began = monotonic()
    try:
        is_well, words = True, ask()
    except NotWell as error:
        is_well, words = False, str(error)
    return Check(component, is_well, words, round((monotonic() - began) * 1000))


def _database() -> str:
    try:
        return f"It is {database_now():%Y-%m-%d %H:%M:%S} UTC there."
    except DatabaseError as error:
        raise NotWell(str(error)) from error


def _sqs() -> str:
    if not settings.RATE_LIMITER_ENABLED:
        return NOT_USED
    try:
        return round_trip()
    except QueueUnavailable as error:
        raise NotWell(str(error)) from error


def _redis() -> str:
    """A bucket of this check's own: nobody's pace pays for it."""
    if not settings.RATE_LIMITER_ENABLED:
        return NOT_USED
    key = f"rl:{{check-{uuid4()}}}"
    try:
        taken = bucket().take(key, (Limit(1, 1.0, 1),))
        bucket().reset(key)
    except GateUnavailable as error:
        raise NotWell(str(error)) from error
    if not isinstance(taken, Taken):
        raise NotWell("A full bucket gave no token.")
    return "A token was taken on a scratch key."


def _gateways(connections: Iterable[Connection]) -> list[Check]:
    """Keys are opened here; the threads only speak HTTP."""
    asked: list[tuple[str, Callable[[], str]]] = []
    for connection in connections:
        try:
            ask = partial(_ping, gateway_for(connection))
        except NoGateway as error:
            ask = partial(_no_way, str(error))
        asked.append((f"gateway {connection.creator.name}", ask))
    with ThreadPoolExecutor(PINGS_AT_ONCE) as threads:
        return list(threads.map(lambda one: _check(*one), asked))


def _ping(gateway: Gateway) -> str:
    if trouble := gateway.ping():
        raise NotWell(f"{type(trouble).__name__}: {getattr(trouble, 'words', '')}")
    return "The provider answers."


def _no_way(words: str) -> str:
    raise NotWell(words)
