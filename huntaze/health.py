"""What a load balancer asks. Open to everybody, and telling nobody anything."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
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
    """The process can serve: its database answers and has every migration that this code knows.

    A broker that is down makes messages wait, not pages.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        is_migrated = _is_migrated()
    except Error as error:
        log.error("not ready: the database does not answer", error=str(error))
        return HttpResponse("database\n", status=503, content_type="text/plain")
    if not is_migrated:
        log.error("not ready: migrations are missing, run manage.py migrate")
        return HttpResponse("migrations\n", status=503, content_type="text/plain")
    return HttpResponse("ready\n", content_type="text/plain")


@dataclass
class _Migrations:
    """Reading them takes a tenth of a second, and a process's own never change: seen once is enough."""

    seen_applied: bool = False


_migrations = _Migrations()


def _is_migrated() -> bool:
    if not _migrations.seen_applied:
        executor = MigrationExecutor(connection)
        _migrations.seen_applied = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrations.seen_applied
