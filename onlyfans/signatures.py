"""How each provider signs its events and what it wraps around them. Every comparison takes constant time."""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from onlyfans.models import Provider

#: How old, or how far ahead, a signed time may be; both schemes of OFAuth name five minutes.
TOLERANCE_SECONDS = 300

Headers = Mapping[str, str]


class NotSigned(Exception):
    """The signature is missing, wrong, or of another time. The words are for the provider's log."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What a provider wraps around every event."""

    kind: str
    account_id: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """One provider's way: ``check(body, headers, secret, now=)`` gives the event's id, if it has one, or raises
    NotSigned; ``open(document)`` gives None for what is no event."""

    check: Callable[..., str]
    open: Callable[[Any], Envelope | None]


# --- onlyfansapi.com


def _check_ofapi(body: bytes, headers: Headers, secret: str, *, now: datetime) -> str:
    """Lower-hex HMAC-SHA256 of the raw body; no time is signed. A redelivery names the event that it repeats."""
    del now
    _one_of([headers.get("Signature", "").strip()], _mac(_key(secret), body).hexdigest())
    return (headers.get("X-OFAPI-Redelivery-Of") or headers.get("X-OFAPI-Idempotency-Key") or "").strip()


def _open_ofapi(document: Any) -> Envelope | None:
    match document:
        case {"event": str(kind), "account_id": str(account_id), "payload": dict(payload)}:
            return Envelope(kind, account_id, payload)
    return None


# --- OFAuth: its SDK checks Svix signatures, its documentation names a header of its own.


def _check_ofauth(body: bytes, headers: Headers, secret: str, *, now: datetime) -> str:
    if own := headers.get("OFAuth-Signature", ""):
        return _check_own(body, own, secret, now=now)
    return _check_svix(body, headers, secret, now=now)


def _check_own(body: bytes, header: str, secret: str, *, now: datetime) -> str:
    """``t=<unix seconds>,v1=<hex>``, once for each key that is valid: HMAC-SHA256 of ``t.body``."""
    parts = [part.strip().partition("=") for part in header.split(",")]
    moment = next((value for name, _equals, value in parts if name == "t"), "")
    _fresh(moment, now)
    signed = _mac(_key(secret), moment.encode() + b"." + body).hexdigest()
    _one_of([value for name, _equals, value in parts if name == "v1"], signed)
    return ""


def _check_svix(body: bytes, headers: Headers, secret: str, *, now: datetime) -> str:
    """``v1,<base64>`` for each key that is valid, parted by spaces: HMAC-SHA256 of ``id.timestamp.body``."""
    event_id, moment = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
    _fresh(moment, now)
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise NotSigned("The stored secret is not one of Svix: whsec_ and base64.") from None
    signed = _mac(_key(key), f"{event_id}.{moment}.".encode() + body)
    given = [part.removeprefix("v1,") for part in headers.get("svix-signature", "").split() if part.startswith("v1,")]
    _one_of(given, base64.b64encode(signed.digest()).decode())
    return event_id


def _open_ofauth(document: Any) -> Envelope | None:
    """The event's own body where there is one; the account is the connection's id."""
    match document:
        case {"type": str(kind), "data": {"connection": {"id": str(account_id)}, "eventBody": dict(payload)}}:
            return Envelope(kind, account_id, payload)
        case {"type": str(kind), "data": dict(data)} | {"eventType": str(kind), "data": dict(data)}:
            return Envelope(kind, _connection_of(data), data)
    return None


def _connection_of(data: Mapping[str, Any]) -> str:
    """Events about a connection name it in one of these places; those about nobody in none."""
    inner = data.get("connection")
    places = [inner.get("id") if isinstance(inner, dict) else inner, data.get("connectionId"), data.get("id")]
    return next((place for place in places if isinstance(place, str)), "")


# --- Both


def _key(secret: str | bytes) -> bytes:
    """Without a secret anybody could sign, so nothing passes."""
    if not secret:
        raise NotSigned("The connection has no webhook secret.")
    return secret.encode() if isinstance(secret, str) else secret


def _mac(key: bytes, content: bytes) -> "hmac.HMAC":
    return hmac.new(key, content, hashlib.sha256)


def _one_of(given: list[str], expected: str) -> None:
    # Every one is compared: how long it takes says nothing about which was right.
    if not sum(hmac.compare_digest(signature.encode(), expected.encode()) for signature in given):
        raise NotSigned("The signature is missing or is not the one of this body.")


def _fresh(moment: str, now: datetime) -> None:
    if not re.fullmatch(r"[0-9]{1,12}", moment, re.ASCII):
        raise NotSigned("The signature names no time.")
    if abs(now.timestamp() - int(moment)) > TOLERANCE_SECONDS:
        raise NotSigned(f"The signature is of another time: {TOLERANCE_SECONDS} seconds are tolerated.")


DIALECTS: Mapping[str, Dialect] = {
    Provider.OFAPI: Dialect(_check_ofapi, _open_ofapi),
    Provider.OFAUTH: Dialect(_check_ofauth, _open_ofauth),
}
