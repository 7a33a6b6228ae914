"""The breaker of a connection: what happens while its provider does not answer.

Every call that brought no answer counts. After the first three the line waits 1, 2 and 4 s; the next one opens the
breaker. While it is open, a question that sends nothing (``Gateway.ping``) goes before each message, at most once a
second, and messages wait until it is answered. The next message that is answered closes the breaker.

An outcome that nobody knows counts double: unlike a call that never left, each of them costs a person's time.
"""

from datetime import timedelta

from django.db.models import F

from onlyfans.gateway import Outcome, Unknown, Unreachable
from onlyfans.models import Connection

#: How long the line waits after so many calls in a row that never left.
WAITS = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 4))
OPEN_AFTER = len(WAITS) + 1
PROBE_AGAIN = timedelta(seconds=1)
#: A provider that answers the question and then loses message after message is tried ever more rarely.
UNKNOWN_WAIT_MAX = timedelta(seconds=15)


def is_open(connection: Connection | None) -> bool:
    """As it was when the connection was read."""
    return connection is not None and connection.failures >= OPEN_AFTER


def note(connection: Connection | None, outcome: Outcome) -> timedelta:
    """Count what became of a call; the answer is how long the line must wait for it, mostly not at all."""
    if connection is None:
        return timedelta()
    same = Connection.objects.filter(pk=connection.pk)
    if not isinstance(outcome, Unreachable | Unknown):
        if connection.failures:
            same.update(failures=0)
        return timedelta()
    same.update(failures=F("failures") + (2 if isinstance(outcome, Unknown) else 1))
    failures = same.values_list("failures", flat=True).first() or 1
    if isinstance(outcome, Unknown):
        return _after_unknown(failures)
    return WAITS[failures - 1] if failures <= len(WAITS) else PROBE_AGAIN


def _after_unknown(failures: int) -> timedelta:
    """Its pace is enough of a wait while the breaker is closed; then 1, 4, and at most 15 s."""
    if failures < OPEN_AFTER:
        return timedelta()
    return min(PROBE_AGAIN * 2 ** min(failures - OPEN_AFTER, 10), UNKNOWN_WAIT_MAX)
