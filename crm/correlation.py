"""The id of the request that caused something. It is kept on what was written, so that others can log it later."""

from structlog.contextvars import get_contextvars

CORRELATION_ID_MAX = 64


def current_correlation_id() -> str:
    """The id that this thread's log lines carry now; empty when nobody asked for anything.

    ``huntaze.correlation`` binds it for a request, a worker's task binds it again from the queue.
    """
    return str(get_contextvars().get("correlation_id", ""))[:CORRELATION_ID_MAX]
