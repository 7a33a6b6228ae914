"""The door for a provider's events."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import path
from pytest_django import Settings

from crm.clock import database_now
from crm.keyring import new_key
from crm.tests.factories import make_creator
from onlyfans.models import Connection, Provider, WebhookEvent
from onlyfans.webhooks import receive_webhook

urlpatterns = [path("api/onlyfans/webhooks/<uuid:connection_id>", receive_webhook)]

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

SECRET = "a long random string"
SVIX_KEY = b"24 bytes of a secret key"
SVIX_SECRET = "whsec_" + base64.b64encode(SVIX_KEY).decode()


@pytest.fixture
def connection() -> Connection:
    connection = Connection(creator=make_creator(), account_id="acct_1")
    connection.webhook_secret = SECRET
    connection.save()
    return connection


def envelope(**values: Any) -> bytes:
    return json.dumps({"event": "messages.received", "account_id": "acct_1", "payload": {"id": 7}} | values).encode()


def sign(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def post(connection: Connection | uuid.UUID, body: bytes, **headers: str) -> Any:
    public_id = connection.public_id if isinstance(connection, Connection) else connection
    headers = {"Signature": sign(body)} | {name.replace("_", "-"): value for name, value in headers.items()}
    return Client(enforce_csrf_checks=True, raise_request_exception=False).post(
        f"/api/onlyfans/webhooks/{public_id}", body, content_type="application/json", headers=headers
    )


def test_a_signed_event_is_kept_and_read_by_nobody_yet(connection: Connection) -> None:
    response = post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_1")

    assert (response.status_code, response.json()) == (200, {"received": True, "duplicate": False})
    event = WebhookEvent.objects.get()
    assert (event.connection, event.event_key) == (connection, "evt_1")
    assert (event.kind, event.payload) == ("messages.received", {"id": 7})
    assert event.read_at is None
    assert list(WebhookEvent.objects.pending(event.due_at)) == [event]


def test_the_same_event_id_twice_is_one_event_and_both_times_fine(connection: Connection) -> None:
    post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_1")

    response = post(connection, envelope(payload={"id": 8}), X_OFAPI_Idempotency_Key="evt_1")

    assert (response.status_code, response.json()["duplicate"]) == (200, True)
    assert WebhookEvent.objects.get().payload == {"id": 7}


@pytest.mark.parametrize("key", ["", " ", "x" * 129])
def test_without_a_usable_event_id_the_same_body_twice_is_one_event(connection: Connection, key: str) -> None:
    for _delivery in range(2):
        assert post(connection, envelope(), X_OFAPI_Idempotency_Key=key).status_code == 200
    assert post(connection, envelope(payload={"id": 8})).status_code == 200

    assert WebhookEvent.objects.count() == 2


def test_the_same_event_id_at_two_connections_is_two_events(connection: Connection) -> None:
    other = Connection(creator=make_creator(), account_id="acct_2")
    other.webhook_secret = SECRET
    other.save()

    assert post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_1").status_code == 200
    assert post(other, envelope(account_id="acct_2"), X_OFAPI_Idempotency_Key="evt_1").status_code == 200

    assert WebhookEvent.objects.count() == 2


@pytest.mark.parametrize(
    "signature", ["", "0" * 64, "sha256=" + sign(envelope()), sign(envelope(), "another secret"), "ключ"]
)
def test_a_wrong_or_missing_signature_is_turned_away(connection: Connection, signature: str) -> None:
    response = post(connection, envelope(), Signature=signature)

    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert not WebhookEvent.objects.exists()


def test_a_body_changed_by_one_byte_is_turned_away(connection: Connection) -> None:
    body = envelope()

    assert post(connection, body + b" ", Signature=sign(body)).status_code == 401


def test_a_connection_without_a_secret_takes_nothing(connection: Connection) -> None:
    connection.webhook_secret = ""
    connection.save()
    body = envelope()

    assert post(connection, body, Signature=sign(body, "")).status_code == 401


def test_a_secret_that_cannot_be_opened_asks_the_sender_to_come_again(
    connection: Connection, settings: Settings
) -> None:
    body = envelope()
    settings.HUNTAZE_KEYRING = new_key()

    response = post(connection, body, Signature=sign(body))

    assert response.status_code == 503
    assert "keyring" not in response.content.decode().lower()
    assert not WebhookEvent.objects.exists()


def test_an_unknown_connection_is_not_found(connection: Connection) -> None:
    assert post(uuid.uuid4(), envelope()).status_code == 404


@pytest.mark.parametrize("account_id", ["acct_2", "", "ACCT_1"])
def test_an_event_of_another_account_is_thanked_for_and_ignored(connection: Connection, account_id: str) -> None:
    response = post(connection, envelope(account_id=account_id))

    assert (response.status_code, response.json()) == (200, {"received": True, "ignored": True})
    assert not WebhookEvent.objects.exists()


def test_the_same_body_under_another_id_is_one_event(connection: Connection) -> None:
    post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_1")

    response = post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_2")

    assert (response.status_code, response.json()["duplicate"]) == (200, True)
    assert WebhookEvent.objects.count() == 1


def test_the_same_body_weeks_later_is_another_event(connection: Connection) -> None:
    post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_1")
    WebhookEvent.objects.update(received_at=database_now() - timedelta(days=8))

    assert not post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_2").json()["duplicate"]


def test_a_redelivery_is_the_event_that_it_repeats(connection: Connection) -> None:
    post(connection, envelope(), X_OFAPI_Idempotency_Key="evt_1")

    again = {"X_OFAPI_Idempotency_Key": "evt_9", "X_OFAPI_Redelivery_Of": "evt_1"}
    response = post(connection, envelope(payload={"id": 7, "more": 1}), **again)

    assert response.json()["duplicate"]


# --- OFAuth, whose signatures are of a time


@pytest.fixture
def ofauth() -> Connection:
    connection = Connection(creator=make_creator(), account_id="conn_1", provider=Provider.OFAUTH)
    connection.webhook_secret = SVIX_SECRET
    connection.save()
    return connection


def realtime(**values: Any) -> bytes:
    data = {"connection": {"id": "conn_1", "clientReferenceId": None}, "environment": "live", "eventBody": {"id": 7}}
    return json.dumps({"type": "realtime.chat_message.received", "timestamp": 1, "data": data | values}).encode()


def svix(body: bytes, *, event_id: str = "msg_1", age: int = 0, key: bytes = SVIX_KEY) -> dict[str, str]:
    moment = str(int(time.time()) - age)
    signed = hmac.new(key, f"{event_id}.{moment}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,bm90IHRoaXM= v1,{base64.b64encode(signed).decode()}"
    return {"svix_id": event_id, "svix_timestamp": moment, "svix_signature": signature}


def own(body: bytes, *, age: int = 0, key: str = SVIX_SECRET) -> dict[str, str]:
    moment = str(int(time.time()) - age)
    signed = hmac.new(key.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"OFAuth_Signature": f"t={moment},v1={signed}"}


@pytest.mark.parametrize("signed", [svix, own])
def test_both_of_its_signatures_let_in_once(ofauth: Connection, signed: Any) -> None:
    for duplicate in (False, True):
        response = post(ofauth, realtime(), **signed(realtime()))
        assert (response.status_code, response.json()) == (200, {"received": True, "duplicate": duplicate})

    event = WebhookEvent.objects.get()
    assert (event.kind, event.payload) == ("realtime.chat_message.received", {"id": 7})


@pytest.mark.parametrize("signed", [svix, own])
@pytest.mark.parametrize("age", [400, -400], ids=["stale", "of the future"])
def test_a_signature_of_another_time_is_turned_away(ofauth: Connection, signed: Any, age: int) -> None:
    assert post(ofauth, realtime(), **signed(realtime(), age=age)).status_code == 401
    assert post(ofauth, realtime(), **signed(realtime(), age=age // 2)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Signature": sign(realtime())},
        svix(realtime(), key=b"another"),
        svix(realtime()) | {"svix_id": "msg_2"},
        svix(realtime()) | {"svix_timestamp": "soon"},
        own(realtime(), key="another"),
        {"OFAuth_Signature": "t=,v1="},
        {"OFAuth_Signature": own(realtime())["OFAuth_Signature"].split(",")[0]},
    ],
    ids=str,
)
def test_another_signature_is_turned_away(ofauth: Connection, headers: dict[str, str]) -> None:
    assert post(ofauth, realtime(), **headers).status_code == 401
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        ({"eventType": "connection.expired", "live": True, "data": {"id": "conn_1"}}, True),
        ({"eventType": "connection.expired", "live": True, "data": {"connectionId": "conn_1"}}, True),
        ({"eventType": "connection.expired", "live": True, "data": {"id": "conn_2"}}, False),
        ({"eventType": "rules.updated", "live": True, "data": {}}, False),
    ],
    ids=str,
)
def test_events_of_its_connections_are_kept_and_others_ignored(
    ofauth: Connection, document: dict[str, Any], kept: bool
) -> None:
    body = json.dumps(document).encode()

    assert post(ofauth, body, **svix(body)).status_code == 200

    assert WebhookEvent.objects.exists() is kept


def test_a_provider_that_posts_nothing_has_no_address(ofauth: Connection) -> None:
    Connection.objects.update(provider=Provider.LOG)

    assert post(ofauth, realtime(), **own(realtime())).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"{}",
        b"\xff\xfe",
        envelope(payload=None),
        envelope(payload=[]),
        envelope(event=""),
        envelope(event="x" * 65),
        envelope(event=7),
        envelope(account_id=None),
        envelope(payload={"amount": float("nan")}),
        b'{"event": "x", "account_id": "acct_1", "payload": {"amount": 1e999}}',
        b'{"event": "x", "account_id": "acct_1", "payload": {"x": ' + b"[" * 50 + b"]" * 50 + b"}}",
        b'{"event": "x", "account_id": "acct_1", "payload": {"x": ' + b"[" * 50_000 + b"]" * 50_000 + b"}}",
    ],
    ids=lambda body: body[:60].decode(errors="replace"),
)
def test_what_is_no_event_is_turned_away(connection: Connection, body: bytes) -> None:
    response = post(connection, body)

    assert response.status_code == 400
    assert response["Content-Type"] == "application/problem+json"
    assert not WebhookEvent.objects.exists()


def test_characters_no_database_keeps_are_left_out(connection: Connection) -> None:
    body = b'{"event": "x", "account_id": "acct_1", "payload": {"text": "a\\u0000b\\ud83d \\ud83d\\ude18"}}'

    assert post(connection, body).status_code == 200
    assert WebhookEvent.objects.get().payload == {"text": "ab? 😘"}


def test_a_body_of_more_than_a_mebibyte_is_not_read(connection: Connection) -> None:
    body = envelope(payload={"text": "x" * 1024 * 1024})

    assert post(connection, body).status_code == 413
    assert not WebhookEvent.objects.exists()


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_post_comes_in(connection: Connection, method: str) -> None:
    response = getattr(Client(), method)(f"/api/onlyfans/webhooks/{connection.public_id}")

    assert response.status_code == 405
