"""``Idempotency-Key``: a POST that is sent twice is done once and answered twice alike."""

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import ActsFor, Conflict, acts_for
from crm.models import KeptReply, User
from crm.models.replies import KeyReused, SecretGone, TwinAtWork

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"

P = ParamSpec("P")
View = TypeVar("View", bound=APIView)
Handler = Callable[Concatenate[View, Request, P], Response]


class StillAtWork(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_detail = _("A request with this Idempotency-Key is still being worked on. Ask again in a moment.")
    default_code = "idempotency_key_in_use"
    #: Becomes the Retry-After header of the answer.
    wait = 1


class UsedForAnother(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = _("This Idempotency-Key was used for a request that said something else.")
    default_code = "idempotency_key_reused"


def idempotent(handler: Handler[View, P]) -> Handler[View, P]:
    """For each ``post`` that creates: with an ``Idempotency-Key`` it runs in one transaction with its kept reply.

    The first 2xx or 3xx reply is kept for 24 hours by user, address and key, and given to whoever sends the same again;
    4xx and 5xx leave nothing behind. Another body is 422. While the first is at work its twin waits up to 5 seconds,
    then it is 409. The handler must not speak to the network: its transaction may hold locks.

    Who asks again must still be allowed to do it. A view whose reply shows a secret says ``shows_secret = True``.
    """

    @wraps(handler)
    def keyed(view: View, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Response:
        key = _key_of(request)
        if key is None:
            return handler(view, request, *args, **kwargs)
        try:
            with KeptReply.claimed(
                user=cast(User, request.user),
                route=_route_of(request),
                key=key,
                fingerprint=_fingerprint_of(request),
            ) as row:
                if not row.is_new:
                    return _again(row, request)
                response = handler(view, request, *args, **kwargs)
                if response.status_code >= status.HTTP_400_BAD_REQUEST:
                    transaction.set_rollback(True)
                else:
                    _keep(row, request, response, has_secret=getattr(view, "shows_secret", False))
                return response
        except TwinAtWork as error:
            raise StillAtWork from error
        except KeyReused as error:
            raise UsedForAnother from error

    keyed.is_idempotent = True  # type: ignore[attr-defined]
    return keyed


def _key_of(request: Request) -> str | None:
    key: str | None = request.headers.get(HEADER)
    if key is not None and not (0 < len(key) <= KeptReply.KEY_MAX and key.isascii() and key.isprintable()):
        words = _("1 to %(max)d printable ASCII characters.") % {"max": KeptReply.KEY_MAX}
        raise exceptions.ValidationError({HEADER: words})
    return key


def _route_of(request: Request) -> str:
    """One address has several spellings: a slash at its end, an id in capitals."""
    return request.path.rstrip("/").lower()


def _fingerprint_of(request: Request) -> str:
    """SHA-256 of what the request says, not of how it is written: no order of fields, no boundaries."""
    said = json.dumps([dict(request.query_params.lists()), _said(request.data)], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _said(data: Any) -> Any:
    if isinstance(data, QueryDict):
        return {name: [_said(value) for value in values] for name, values in data.lists()}
    if isinstance(data, UploadedFile):
        digest = hashlib.sha256()
        for chunk in data.chunks():
            digest.update(chunk)
        data.seek(0)
        return [data.name, digest.hexdigest()]
    return data


def _keep(row: KeptReply, request: Request, response: Response, *, has_secret: bool) -> None:
    if (acts := acts_for(request)) is not None:
        row.creator_id, row.as_manager = acts.creator_id, acts.as_manager
    body = "" if response.data is None else JSONRenderer().render(response.data).decode()
    row.keep(
        status=response.status_code, body=body, location=response.headers.get("Location", ""), has_secret=has_secret
    )


def _again(row: KeptReply, request: Request) -> Response:
    if row.creator_id is not None:
        ActsFor(row.creator_id, as_manager=row.as_manager).require(request)
    try:
        body = row.said
    except SecretGone as error:
        raise Conflict(_("This was done, and the secret in its reply cannot be shown again.")) from error
    headers = {REPLAYED: "true"} | ({"Location": row.location} if row.location else {})
    return Response(json.loads(body) if body else None, status=row.status, headers=headers)
