"""OFAuth's API, spoken to the simulated platform and to servers that answer oddly."""

import json
from datetime import timedelta
from typing import Any

import pytest
from pytest_django import Settings

from crm.clock import database_now
from onlyfans.gateway import Chat, Parcel, Rejected, Sent, SessionLost, Throttled, Unknown, Uploaded
from onlyfans.gateway.ofauth import OfauthGateway
from onlyfans.tests.conftest import RunningSimulator
from onlyfans.tests.gateway.conftest import RawProvider, reply


@pytest.fixture
def ofauth(simulator: RunningSimulator, account: str) -> OfauthGateway:
    return OfauthGateway(account_id=account, api_key=simulator.api_key)


@pytest.fixture
def raw(provider: RawProvider, settings: Settings) -> OfauthGateway:
    settings.OFAUTH_BASE_URL = f"http://127.0.0.1:{provider.port}"
    return OfauthGateway(account_id="conn_1", api_key="key")


def parcel(**values: Any) -> Parcel:
    defaults: dict[str, Any] = {"chat_id": "42", "text": "Hi <3 *you*", "price_cents": 0}
    return Parcel(**(defaults | values))


def test_a_message_is_sent_as_it_was_written(simulator: RunningSimulator, account: str, ofauth: OfauthGateway) -> None:
    media = ofauth.upload("https://media.example.test/1.jpg")
    assert media == Uploaded("https://media.example.test/1.jpg")

    sent = ofauth.send(parcel(price_cents=1999, media_ids=[media.media_id]))

    assert isinstance(sent, Sent)
    [line] = simulator.ledger(account)
    assert (line["message_id"], line["chat"], line["text"], line["price"]) == (
        sent.platform_id,
        "42",
        "Hi <3 *you*",
        1999,
    )
    assert line["media"] == ["https://media.example.test/1.jpg"]


@pytest.mark.django_db
def test_what_was_sent_is_found_in_the_chat(simulator: RunningSimulator, ofauth: OfauthGateway) -> None:
    simulator.set(lies_about_more=False)
    sent = [ofauth.send(parcel(text=f"number {number}")) for number in range(20)]

    chat = ofauth.read_chat("42", since=database_now() - timedelta(minutes=1))

    assert isinstance(chat, Chat)
    assert chat.complete
    assert [entry.platform_id for entry in reversed(chat.messages)] == [
        answer.platform_id for answer in sent if isinstance(answer, Sent)
    ]
    assert all(entry.from_creator for entry in chat.messages)


def test_media_that_ofauth_cannot_fetch_is_refused(ofauth: OfauthGateway) -> None:
    assert isinstance(ofauth.upload("http://media.example.test/1.jpg"), Rejected)


def test_a_well_connected_account_answers(ofauth: OfauthGateway) -> None:
    assert ofauth.ping() is None


def test_a_wrong_key_is_a_lost_session(ofauth: OfauthGateway) -> None:
    ofauth.api_key = "wrong"

    assert ofauth.ping() == SessionLost("UNAUTHORIZED", "The API key or the connection is not known.")


@pytest.mark.parametrize(("api_key", "account_id"), [("", "conn_1"), ("two\r\nlines", "conn_1"), ("key", "")])
def test_without_a_usable_key_nothing_is_asked(provider: RawProvider, api_key: str, account_id: str) -> None:
    gateway = OfauthGateway(account_id=account_id, api_key=api_key)

    assert isinstance(gateway.send(parcel()), SessionLost)
    assert not provider.requests


def test_an_odd_chat_id_is_never_part_of_an_address(raw: OfauthGateway, provider: RawProvider) -> None:
    assert isinstance(raw.send(parcel(chat_id="../../x")), Rejected)
    assert not provider.requests


def test_the_request_is_the_documented_one(raw: OfauthGateway, provider: RawProvider) -> None:
    provider.says(reply(200, {"id": 7}))

    assert raw.send(parcel(price_cents=500, media_ids=["https://m.example.test/1"])) == Sent("7")

    head, _blank, body = provider.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v2/access/chats/42/messages HTTP/1.1")
    assert b"\r\napikey: key" in head.lower()
    assert b"\r\nx-connection-id: conn_1" in head.lower()
    assert json.loads(body) == {
        "text": "Hi <3 *you*",
        "isMarkdown": False,
        "price": 5,
        "mediaItems": ["https://m.example.test/1"],
    }


DOCS = {"error": "words", "requestId": "req_1", "actionRequired": None}


@pytest.mark.parametrize(
    ("status", "document", "answer"),
    [
        (401, DOCS | {"type": "SESSION_EXPIRED"}, SessionLost("SESSION_EXPIRED", "words")),
        (403, DOCS | {"type": "SESSION_NOT_PROVIDED"}, SessionLost("SESSION_NOT_PROVIDED", "words")),
        (403, DOCS | {"type": "FORBIDDEN"}, Rejected("FORBIDDEN", "words")),
        (404, DOCS | {"type": "RESOURCE_NOT_FOUND"}, Rejected("RESOURCE_NOT_FOUND", "words")),
        (400, {"message": "words", "code": "BAD_REQUEST", "details": {}}, Rejected("BAD_REQUEST", "words")),
        (403, {"message": "words", "code": "AUTH_SESSION_EXPIRED"}, SessionLost("AUTH_SESSION_EXPIRED", "words")),
        (429, DOCS | {"type": "RATE_LIMIT_EXCEEDED"}, Throttled(7.0, "words")),
        (502, DOCS, Unknown("words")),
        (503, DOCS, Unknown("words")),
    ],
    ids=lambda value: value if isinstance(value, int) else "",
)
def test_errors_are_read_in_all_three_shapes(
    raw: OfauthGateway, provider: RawProvider, status: int, document: dict[str, Any], answer: object
) -> None:
    provider.says(reply(status, document, X_RateLimit_Reset=7))

    assert raw.send(parcel()) == answer
