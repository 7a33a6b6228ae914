"""The door for a provider's events: check the signature, keep the event, say thanks. A worker reads it."""

import hashlib
import json
import math
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.core.exceptions import ImproperlyConfigured
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.decorators import api_view, authentication_classes, permission_classes, throttle_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from crm.api.shapes import ProblemShape
from crm.clock import database_now
from crm.keyring import CannotOpen
from onlyfans.models import Connection, WebhookEvent
from onlyfans.signatures import DIALECTS, Dialect, Envelope, NotSigned

BODY_MAX_BYTES = 1024 * 1024
KEY_MAX, KIND_MAX = 128, 64
#: Deeper than any documented payload, and far from what a JSON library or a database minds.
DEPTH_MAX = 32
#: onlyfansapi.com lets an event be delivered again by hand for seven days.
SAME_BODY_WITHIN = timedelta(days=7)

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
    default_detail = "The body is not an event of this provider."
    default_code = "not_an_event"


class CannotCheck(exceptions.APIException):
    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The signature cannot be checked now. Please send it again later."
    default_code = "cannot_check"


class EventShape(serializers.Serializer[Any]):
    """What a provider sends; the ledger reads the payload by its kind."""

    event = serializers.CharField(max_length=KIND_MAX)
    account_id = serializers.CharField()
    payload = serializers.DictField()


class KeptShape(serializers.Serializer[Any]):
    received = serializers.BooleanField()
    duplicate = serializers.BooleanField(required=False, help_text="It was kept before.")
    ignored = serializers.BooleanField(required=False, help_text="It is of an account that the address is not for.")


@extend_schema(
    request=EventShape,
    parameters=[
        OpenApiParameter(
            "Signature", str, OpenApiParameter.HEADER, description="Lower-case hex HMAC-SHA256 of the raw body."
        )
    ],
    responses={200: KeptShape, 401: ProblemShape, 413: ProblemShape, 503: ProblemShape},
)
@api_view(["POST"])
@authentication_classes([])
@permission_classes([AllowAny])
# A signature is what lets in; a provider may post as fast as fans write.
@throttle_classes([])
def receive_webhook(request: Request, connection_id: UUID) -> Response:
    """Keep one event. 200 means that it is stored, or was before, or is none of ours; the sender may forget it."""
    connection = Connection.objects.filter(public_id=connection_id).first()
    if connection is None or connection.provider not in DIALECTS:
        raise exceptions.NotFound("There is nothing at this address.")
    dialect, now = DIALECTS[connection.provider], database_now()
    body = _body_of(request)
    try:
        event_id = dialect.check(body, request.headers, _secret_of(connection), now=now)
    except NotSigned as error:
        log.warning("webhook refused", connection=str(connection_id), reason=str(error))
        raise WrongSignature(str(error)) from None
    envelope = _open(body, dialect)
    if envelope.account_id != connection.account_id:
        # One webhook may serve a whole team. An error would make the provider send it again and again.
        log.info("webhook of another account ignored", connection=str(connection_id), kind=envelope.kind)
        return Response({"received": True, "ignored": True})
    is_new = _keep(connection, envelope, event_id=event_id, body=body, now=now)
    log.info("webhook kept", connection=str(connection_id), kind=envelope.kind, duplicate=not is_new)
    return Response({"received": True, "duplicate": not is_new})


def _keep(connection: Connection, envelope: Envelope, *, event_id: str, body: bytes, now: datetime) -> bool:
    """False for an event that is kept already: by its id, or as the same body under another id.

    onlyfansapi.com does not sign the id of an event, so a copy of a body might come with any.
    """
    body_hash = hashlib.sha256(body).hexdigest()
    same_body = WebhookEvent.objects.filter(
        connection=connection, body_hash=body_hash, received_at__gte=now - SAME_BODY_WITHIN
    )
    if same_body.exists():
        return False
    _event, is_new = WebhookEvent.objects.get_or_create(
        connection=connection,
        event_key=event_id if 0 < len(event_id) <= KEY_MAX else body_hash,
        defaults={"kind": envelope.kind, "payload": envelope.payload, "body_hash": body_hash, "due_at": now},
    )
    return is_new


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


def _open(body: bytes, dialect: Dialect) -> Envelope:
    """Raises NotAnEvent for anything but the documented envelope."""
    try:
        document = _storable(json.loads(body, parse_float=_finite, parse_constant=_finite))
    except (ValueError, RecursionError):
        raise NotAnEvent from None
    envelope = dialect.open(document)
    if envelope is None or not 0 < len(envelope.kind) <= KIND_MAX:
        raise NotAnEvent
    return envelope


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
