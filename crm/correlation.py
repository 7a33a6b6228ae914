"""The id of the request that caused something: kept on the row that was written, and in every log line about it.

``huntaze.correlation`` binds it for a request, dispatch binds a row's own while it hands the row over, and the task
that SQS brings to the worker carries it along.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from structlog.contextvars import bound_contextvars, get_contextvars

CORRELATION_ID_MAX = 64


def current_correlation_id() -> str:
    """The id that this thread's log lines carry now; empty when nobody asked for anything."""
    return str(get_contextvars().get("correlation_id", ""))[:CORRELATION_ID_MAX]


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Every log line within carries this id; an empty one changes nothing."""
    if not correlation_id:
        yield
        return
    with bound_contextvars(correlation_id=correlation_id):
        yield
