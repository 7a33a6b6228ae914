"""What a load balancer asks. Open to everybody, and telling nobody anything."""

from collections.abc import Callable

import structlog
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

log = structlog.get_logger(__name__)


class HealthMiddleware:
    """Answers /livez and /readyz before anything else looks at the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        match request.path_info:
            case "/livez":
                answer = livez()
            case "/readyz":
                answer = readyz()
            case _:
                return self.get_response(request)
        add_never_cache_headers(answer)
        return answer


def livez() -> HttpResponse:
    """The process answers."""
    return HttpResponse("alive\n", content_type="text/plain")


def readyz() -> HttpResponse:
    """The process can serve: its database answers. A broker that is down makes messages wait, not pages."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error as error:
        log.error("not ready: the database does not answer", error=str(error))
        return HttpResponse("database\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")
