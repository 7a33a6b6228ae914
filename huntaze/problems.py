"""Every error of the API has one shape: ``application/problem+json`` (RFC 9457) with field errors."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import BadRequest, SuspiciousOperation, ValidationError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults
from drf_standardized_errors.formatter import ExceptionFormatter
from drf_standardized_errors.handler import ExceptionHandler
from drf_standardized_errors.types import ErrorResponse, ExceptionHandlerContext
from rest_framework import exceptions
from rest_framework.response import Response

from huntaze.signing_in import TooManyAttempts
from ratelimit.throttles import TooManyRequests

CONTENT_TYPE = "application/problem+json"
#: The problem type of draft-ietf-httpapi-ratelimit-headers-10.
QUOTA_EXCEEDED = "https://iana.org/assignments/http-problem-types#quota-exceeded"
UNREADABLE = "The request could not be read."
log = structlog.get_logger(__name__)


class DatabaseAway(exceptions.APIException):
    """The database does not answer, or is so busy that it gave up: 503, and nothing was written."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_detail = "The database does not answer. Try again shortly."
    default_code = "database"


class ProblemFormatter(ExceptionFormatter):
    """Turns the flat list of errors into a problem document; ``errors`` names the field of each."""

    def format_error_response(self, error_response: ErrorResponse) -> dict[str, Any]:
        status = exceptions.APIException.status_code
        if isinstance(self.exc, exceptions.APIException):
            status = self.exc.status_code
        if status == HTTPStatus.UNAUTHORIZED:
            # simplejwt puts a whole document into the detail; its first words are what a client needs.
            return problem(status, detail=str(error_response.errors[0].detail))
        errors = [
            {"field": _sayable(error.attr), "code": error.code, "message": _sayable(str(error.detail))}
            for error in error_response.errors
        ]
        words = [f"{entry['field']}: {entry['message']}" if entry["field"] else entry["message"] for entry in errors]
        body = problem(status, detail=" ".join(filter(None, words)), errors=errors)
        if isinstance(self.exc, TooManyRequests):
            body |= {"type": QUOTA_EXCEEDED, "violated-policies": [self.exc.quota.scope]}
        if isinstance(self.exc, DatabaseAway):
            body |= {"component": "database"}
        return body


class ProblemHandler(ExceptionHandler):
    def convert_known_exceptions(self, exc: Exception) -> Exception:
        """A refusal by a verb of the ledger is a refusal of the request, in the words of the view's ``input_shape``."""
        if isinstance(exc, TooManyAttempts):
            return exc.cause
        if isinstance(exc, BadRequest | SuspiciousOperation | RecursionError):
            # Too large, too many fields: Django itself answers them with 400. Too deep: the JSON parser gives up.
            return exceptions.ParseError(UNREADABLE)
        if isinstance(exc, OperationalError | InterfaceError):
            log.error("the database did not answer", error=str(exc))
            return DatabaseAway(getattr(self.context["view"], "without_database", None))
        if not isinstance(exc, ValidationError):
            return super().convert_known_exceptions(exc)
        if not hasattr(exc, "error_dict"):
            return exceptions.ValidationError(exc.messages)
        shape = getattr(self.context["view"], "input_shape", None)
        names = {str(field.source or name): name for name, field in shape().get_fields().items()} if shape else {}
        refusal = exceptions.ValidationError(
            {
                names.get(key, key): [
                    exceptions.ErrorDetail(words, code=error.code or "invalid")
                    for error in errors
                    for words in error.messages
                ]
                for key, errors in exc.error_dict.items()
            }
        )
        if {error.code for errors in exc.error_dict.values() for error in errors} == {"taken"}:
            # Nothing is wrong with it but that somebody was first.
            refusal.status_code = HTTPStatus.CONFLICT
        return refusal

    def should_not_handle(self, exc: Exception) -> bool:
        """In DEBUG too it is a program that asks; the traceback is in the log."""
        return False

    def convert_unhandled_exceptions(self, exc: Exception) -> exceptions.APIException:
        """Nothing of a bug's own words leaves the server, only where to find them."""
        if isinstance(exc, exceptions.APIException):
            return exc
        return exceptions.APIException(detail=_broken(self.context["request"]))


def problem(status: int, *, detail: str, errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """The body of a problem document."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    if errors and any(entry["field"] for entry in errors):
        body["errors"] = errors
    return body


def exception_handler(exc: Exception, context: ExceptionHandlerContext) -> Response | None:
    """DRF's hook: our formatter, our content type."""
    response = ProblemHandler(exc, context).run()
    if response is not None:
        response.content_type = CONTENT_TYPE
    return response


def _problem_response(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    return HttpResponse(json.dumps(problem(status, detail=detail)), status=status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _problem_response(request, 400, UNREADABLE)
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _problem_response(request, 403, "Not allowed.")
    return defaults.permission_denied(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _problem_response(request, 404, "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


class MethodPageMiddleware:
    """Who opens an address of a page that only a form may call reads what to do; Django answers with an empty 405."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if isinstance(response, HttpResponseNotAllowed) and not request.path.startswith("/api/"):
            response.content = render_to_string("405.html", request=request).encode()
        return response


def no_such_address(request: HttpRequest) -> HttpResponse:
    return _problem_response(request, 404, "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _problem_response(request, 500, _broken(request))
    return defaults.server_error(request)


def _broken(request: object) -> str:
    return f"Something broke on our side. Correlation id: {getattr(request, 'correlation_id', '')}"


def _sayable(words: str | None) -> str | None:
    """What a refusal repeats may be half a character (a lone surrogate), which JSON takes and UTF-8 does not have."""
    return words and words.encode(errors="backslashreplace").decode()
