"""The door for a provider's events: check the signature, keep the event, say thanks. A worker reads it."""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.core.exceptions import ImproperlyConfigured
from rest_framework import exceptions, status
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from crm.clock import database_now
from onlyfans.keyring import CannotOpen
from onlyfans.models import Connection, WebhookEvent

BODY_MAX_BYTES = 1024 * 1024
KEY_MAX, KIND_MAX = 128, 64
#: Deeper than any documented payload, and far from what a JSON library or a database minds.
DEPTH_MAX = 32

log = structlog.get_logger(__name__)


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "An event may have at most 1 MiB."
    default_code = "too_large"


class WrongSignature(exceptions.APIException):
    status_code = status.HTTP_401_UNAUTHORIZED
    default_detail = "The signature is missing or is not the one of this body."
    default_code = "wrong_signature"


class NotAnEvent(exceptions.APIException):
    status_code = status.HTTP_400_BAD_REQUEST
    default_detail = "The body is not an event: {event, account_id, payload}."
    default_code = "not_an_event"


class CannotCheck(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The signature cannot be checked now. Please send it again later."
    default_code = "cannot_check"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a provider wraps around every event."""

    kind: str
    account_id: str
    payload: Mapping[str, Any]


@api_view(["POST"])
@authentication_classes([])
@permission_classes([AllowAny])
# A signature is what lets in; a provider may post as fast as fans write.
@throttle_classes([])
def receive_webhook(request: Request, connection_id: UUID) -> Response:
    """Keep one event. 200 means that it is stored, or was before; the sender may forget it."""
    connection = Connection.objects.filter(public_id=connection_id).first()
    if connection is None:
        raise exceptions.NotFound("There is nothing at this address.")
    body = _body_of(request)
    if not _is_signed(body, request.headers.get("Signature", ""), _secret_of(connection)):
        log.warning("webhook refused", connection=str(connection_id), reason="signature")
        raise WrongSignature
    envelope = _open(body)
    if envelope.account_id != connection.account_id:
        raise NotAnEvent("The event is about an account that this address is not for.")
    _event, is_new = WebhookEvent.objects.get_or_create(
        connection=connection,
        event_key=_key_of(request, body),
        defaults={"kind": envelope.kind, "payload": envelope.payload, "due_at": database_now()},
    )
    log.info("webhook kept", connection=str(connection_id), kind=envelope.kind, duplicate=not is_new)
    return Response({"received": True, "duplicate": not is_new})


def _secret_of(connection: Connection) -> str:
    """The connection's secret. A key missing from the keyring is ours to put right: the sender may come again."""
    try:
        return connection.webhook_secret
    except (CannotOpen, ImproperlyConfigured) as error:
        log.error("webhook refused", connection=str(connection.public_id), reason=str(error))
        raise CannotCheck from error


def _body_of(request: Request) -> bytes:
    """The raw body. The server reads no more than Content-Length, so its word is enough."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_MAX_BYTES:
        raise BodyTooLarge
    body: bytes = request.body
    return body


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    """Lower-hex HMAC-SHA256 of the raw body. Without a secret anybody could sign, so nothing passes."""
    if not secret:
        return False
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.strip().encode())


def _key_of(request: Request, body: bytes) -> str:
    """The provider's event id; some kinds of event have none."""
    key: str = request.headers.get("X-OFAPI-Idempotency-Key", "").strip()
    return key if 0 < len(key) <= KEY_MAX else hashlib.sha256(body).hexdigest()


def _open(body: bytes) -> Envelope:
    """Raises NotAnEvent for anything but the documented envelope."""
    try:
        document = _storable(json.loads(body, parse_float=_finite, parse_constant=_finite))
    except (ValueError, RecursionError):
        raise NotAnEvent from None
    match document:
        case {"event": str(kind), "account_id": str(account_id), "payload": dict(payload)} if 0 < len(kind) <= KIND_MAX:
            return Envelope(kind, account_id, payload)
    raise NotAnEvent


def _finite(text: str) -> float:
    """JSON has no infinity and no NaN, and PostgreSQL keeps none."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _storable(value: Any, *, depth: int = 0) -> Any:
    """The same value without what a database cannot keep: NUL characters and halves of surrogate pairs."""
    if depth > DEPTH_MAX:
        raise ValueError("Nested too deeply.")
    match value:
        case str():
            return value.replace("\0", "").encode(errors="replace").decode()
        case list():
            return [_storable(item, depth=depth + 1) for item in value]
        case dict():
            return {_storable(key): _storable(item, depth=depth + 1) for key, item in value.items()}
    return value
