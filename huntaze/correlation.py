"""One id per request, in every log line it causes and in the answer."""

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from crm.correlation import correlated

HEADER = "X-Request-ID"
WELL_FORMED = re.compile(r"[0-9A-Za-z-]{8,64}")


class CorrelationMiddleware:
    """Take a well-formed id from the proxy in front, or make one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        correlation_id = _well_formed(request.headers.get(HEADER, "")) or uuid.uuid4().hex
        request.correlation_id = correlation_id  # type: ignore[attr-defined]
        with correlated(correlation_id):
            response = self.get_response(request)
        response[HEADER] = correlation_id
        return response


def _well_formed(candidate: str) -> str:
    """Only letters, digits and dashes: a header must not write lines into our log."""
    return candidate if WELL_FORMED.fullmatch(candidate) else ""
