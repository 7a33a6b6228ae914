"""Every answer a provider can give, and what it means; most of it against the running simulator."""

import asyncio
import json
import multiprocessing
import socket
import ssl
import sys
import threading
import time
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from onlyfans.gateway import (
    Chat,
    Outcome,
    Parcel,
    Rejected,
    Sent,
    SessionLost,
    Throttled,
    Unknown,
    Unreachable,
    Uploaded,
)
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.tests.conftest import RunningSimulator
from onlyfans.tests.gateway.conftest import RawProvider, reply

HELLO = Parcel(chat_id="42", text="Hello!", price_cents=0)
JUST_NOW = datetime.now(UTC).replace(microsecond=0)
A_WHILE_AGO = datetime.now(UTC) - timedelta(days=1)


def send(gateway: OfapiGateway, text: str = "Hello!", **parcel: object) -> Outcome:
    values = {"chat_id": "42", "text": text, "price_cents": 0} | parcel
    return gateway.send(Parcel(**values))  # type: ignore[arg-type]


def read(gateway: OfapiGateway, chat_id: str = "42", *, since: datetime = A_WHILE_AGO) -> Chat:
    chat = gateway.read_chat(chat_id, since=since)
    assert isinstance(chat, Chat)
    return chat


# --- Sent


def test_a_message_is_sent_and_stands_in_the_ledger_under_its_id(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    outcome = send(gateway, "Good morning")

    assert isinstance(outcome, Sent)
    [line] = simulator.ledger(account)
    assert line["message_id"] == outcome.platform_id
    assert (line["chat"], line["text"], line["price"], line["media"]) == ("42", "Good morning", 0, [])


def test_media_is_uploaded_and_sold_for_an_exact_price(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    uploaded = gateway.upload("https://files.example.test/beach.jpg")
    assert isinstance(uploaded, Uploaded)
    outcome = send(gateway, "Beach", price_cents=1999, media_ids=[uploaded.media_id])

    assert isinstance(outcome, Sent)
    [line] = simulator.ledger(account)
    assert (line["price"], line["media"]) == (1999, [uploaded.media_id])
    assert read(gateway).messages[0].price_cents == 1999


def test_the_key_goes_along_and_nothing_of_the_connection_is_kept(
    provider: RawProvider, raw_gateway: OfapiGateway
) -> None:
    provider.says(reply(200, {"data": {"id": 7}}))

    assert raw_gateway.send(HELLO) == Sent("7")

    [request] = provider.requests
    assert request.startswith(b"POST /api/acct_raw/chats/42/messages HTTP/1.1\r\n")
    assert b"Authorization: Bearer raw-key\r\n" in request
    assert b"Accept-Encoding: identity\r\n" in request
    assert json.loads(request.partition(b"\r\n\r\n")[2]) == {"text": "<p>Hello!</p>"}


# --- Rejected


def test_a_price_the_provider_refuses_is_rejected_in_its_words(gateway: OfapiGateway, account: str) -> None:
    outcome = send(gateway, price_cents=100, media_ids=["ofapi_media_1"])

    assert outcome == Rejected("http_422", "The price must be 0 or between 3 and 200.")


def test_a_price_without_media_is_rejected(gateway: OfapiGateway) -> None:
    assert isinstance(send(gateway, price_cents=500), Rejected)


def test_media_nobody_uploaded_is_rejected(simulator: RunningSimulator, gateway: OfapiGateway, account: str) -> None:
    outcome = send(gateway, media_ids=["ofapi_media_404"])

    assert outcome == Rejected("http_422", "Unknown media: ofapi_media_404.")
    assert simulator.ledger(account) == []


def test_an_upload_of_what_is_no_address_is_rejected(gateway: OfapiGateway) -> None:
    assert isinstance(gateway.upload("ftp://files.example.test/x"), Rejected)


@pytest.mark.parametrize("status", [400, 402, 403, 404, 405, 410, 413, 422, 451])
def test_other_refusals_are_final(provider: RawProvider, raw_gateway: OfapiGateway, status: int) -> None:
    provider.says(reply(status, {"error": "No such chat."}))

    assert raw_gateway.send(HELLO) == Rejected(f"http_{status}", "No such chat.")


@pytest.mark.parametrize(
    ("document", "code", "words"),
    [
        (
            {"message": "Invalid.", "errors": {"text": ["Too long.", "Banned words."]}},
            "http_422",
            "Invalid. Too long. Banned words.",
        ),
        ({"message": "Too long.", "errors": {"text": ["Too long."]}}, "http_422", "Too long."),
        ({"error": {"code": "BAD_REQUEST", "message": "No text."}}, "BAD_REQUEST", "No text."),
        ({"error": "No text.", "type": "BAD_REQUEST"}, "BAD_REQUEST", "No text."),
        ({"title": "x", "detail": "No\n text.", "code": "upstream/refused"}, "http_422", "No text."),
        ({"code": 17, "message": ["odd"], "errors": "odd"}, "http_422", "The provider answered 422."),
        (["odd"], "http_422", "The provider answered 422."),
        ({"message": "x" * 5000}, "http_422", "x" * 300),
    ],
)
def test_errors_are_read_in_every_shape_providers_use(
    provider: RawProvider, raw_gateway: OfapiGateway, document: object, code: str, words: str
) -> None:
    provider.says(reply(422, document))

    assert raw_gateway.send(HELLO) == Rejected(code, words)


def test_a_refusal_stands_even_when_its_body_is_no_json(provider: RawProvider, raw_gateway: OfapiGateway) -> None:
    provider.says(reply(404, body=b"<html>Not Found</html>"))

    assert raw_gateway.send(HELLO) == Rejected("http_404", "The provider answered 404.")


@pytest.mark.parametrize("chat_id", ["", "..", "4/2", "4?2", "ж", "x" * 65])
def test_a_chat_id_no_platform_gives_is_rejected_without_a_call(
    provider: RawProvider, raw_gateway: OfapiGateway, chat_id: str
) -> None:
    outcome = send(raw_gateway, chat_id=chat_id)

    assert isinstance(outcome, Rejected)
    assert provider.requests == []


# --- SessionLost


def test_a_wrong_key_is_a_lost_session(simulator: RunningSimulator, account: str) -> None:
    gateway = OfapiGateway(account_id=account, api_key="wrong")

    for outcome in (
        send(gateway),
        gateway.ping(),
        gateway.upload("https://x.test"),
        gateway.read_chat("42", since=A_WHILE_AGO),
    ):
        assert isinstance(outcome, SessionLost)
        assert outcome.words.startswith("Unauthorized.")
    assert simulator.ledger(account) == []


@pytest.mark.parametrize("api_key", ["", "two words", "line\nbreak", "ключ"])
def test_a_key_that_cannot_be_one_is_a_lost_session_without_a_call(provider: RawProvider, api_key: str) -> None:
    gateway = OfapiGateway(account_id="acct_raw", api_key=api_key)

    assert isinstance(gateway.send(HELLO), SessionLost)
    assert provider.requests == []


@pytest.mark.parametrize("status", [401, 403, 424])
def test_a_session_that_ended_is_lost_until_it_is_back(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str, status: int
) -> None:
    simulator.fault("session_lost", account=account, times=None, status=status)

    for _call in range(2):
        outcome = send(gateway)
        assert isinstance(outcome, SessionLost)
        assert outcome.code == "SESSION_EXPIRED"
    assert isinstance(gateway.read_chat("42", since=A_WHILE_AGO), SessionLost)
    assert simulator.ledger(account) == []

    simulator.clear()

    assert isinstance(send(gateway), Sent)


@pytest.mark.parametrize(
    "document",
    [{"error": "Gone.", "type": "SESSION_NOT_PROVIDED"}, {"code": "session-expired"}, {"error": "SYNC_LOST"}],
)
def test_a_403_with_a_documented_session_code_is_a_lost_session(
    provider: RawProvider, raw_gateway: OfapiGateway, document: object
) -> None:
    provider.says(reply(403, document))

    assert isinstance(raw_gateway.send(HELLO), SessionLost)


# --- Throttled


def test_too_fast_is_throttled_for_as_long_as_the_header_says(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    simulator.set(gap=3)
    assert isinstance(send(gateway), Sent)

    outcome = send(gateway)

    assert isinstance(outcome, Throttled)
    assert 1 <= outcome.after <= 3
    assert len(simulator.ledger(account)) == 1


def test_without_the_header_the_text_says_how_long(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    simulator.set(gap=7, retry_after=False)
    assert isinstance(send(gateway), Sent)

    outcome = send(gateway)

    assert outcome == Throttled(7, "Too many messages. Allow 7 seconds between them.")


def test_each_account_has_a_gap_of_its_own(simulator: RunningSimulator, gateway: OfapiGateway, account: str) -> None:
    other = OfapiGateway(account_id=f"{account}_2", api_key=simulator.api_key)
    simulator.set(gap=3)

    assert isinstance(send(gateway), Sent)
    assert isinstance(send(other), Sent)


@pytest.mark.parametrize(
    ("headers", "document", "seconds"),
    [
        ({"Retry_After": "12"}, None, 12),
        ({"Retry_After": "0"}, None, 1),
        ({"Retry_After": "999999"}, None, 3600),
        ({"Retry_After": "Tue, 27 Jan 2026 10:00:30 GMT", "Date": "Tue, 27 Jan 2026 10:00:00 GMT"}, None, 30),
        ({"Retry_After": "Tue, 27 Jan 1970 10:00:30 GMT"}, None, 1),
        ({"Retry_After": "soon"}, {"error": "Allow 4 seconds"}, 4),
        ({}, {"error": "Please allow 1 second."}, 1),
        ({}, {"error": "Slow down."}, 10),
        ({}, None, 10),
    ],
)
def test_how_long_to_wait_is_believed_within_reason(
    provider: RawProvider,
    raw_gateway: OfapiGateway,
    headers: dict[str, Any],
    document: object,
    seconds: float,
) -> None:
    provider.says(reply(429, document, **headers))

    outcome = raw_gateway.send(HELLO)

    assert isinstance(outcome, Throttled)
    assert outcome.after == seconds


# --- Unreachable: it never left


def test_a_refused_connection_never_left(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings.OFAPI_BASE_URL = f"http://127.0.0.1:{port}"

    assert isinstance(OfapiGateway(account_id="a", api_key="k").send(HELLO), Unreachable)


def test_a_name_nobody_knows_never_left(settings: Settings) -> None:
    settings.OFAPI_BASE_URL = "https://huntaze.invalid"

    assert isinstance(OfapiGateway(account_id="a", api_key="k").send(HELLO), Unreachable)


def test_a_lookup_that_hangs_never_left_and_ends_at_the_deadline(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.OFAPI_BASE_URL, settings.GATEWAY_DEADLINE_SECONDS = "https://slow.example.test", 0.3
    answered = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: answered.wait(10) and [])
    began = time.monotonic()

    outcome = OfapiGateway(account_id="a", api_key="k").send(HELLO)

    assert time.monotonic() - began < 10
    answered.set()
    assert isinstance(outcome, Unreachable)


def test_a_lookup_that_hangs_keeps_no_later_call_waiting(
    simulator: RunningSimulator, gateway: OfapiGateway, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered, look_up = threading.Event(), socket.getaddrinfo

    def slow(host: str, *arguments: Any, **options: Any) -> Any:
        return answered.wait(30) and [] if host == "slow.example.test" else look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    settings.OFAPI_BASE_URL, settings.GATEWAY_DEADLINE_SECONDS = "https://slow.example.test", 0.3
    assert isinstance(send(gateway), Unreachable)
    settings.OFAPI_BASE_URL, settings.GATEWAY_DEADLINE_SECONDS = simulator.url.replace("127.0.0.1", "localhost"), 15

    outcome = send(gateway)

    assert not answered.is_set()
    answered.set()
    assert isinstance(outcome, Sent)


def test_a_server_without_tls_never_saw_the_request(
    simulator: RunningSimulator, gateway: OfapiGateway, settings: Settings, account: str
) -> None:
    settings.OFAPI_BASE_URL = simulator.url.replace("http://", "https://")

    assert isinstance(send(gateway), Unreachable)
    assert simulator.ledger(account) == []


def test_a_certificate_nobody_vouches_for_stops_the_request(
    provider: RawProvider, raw_gateway: OfapiGateway, settings: Settings, self_signed: ssl.SSLContext
) -> None:
    settings.OFAPI_BASE_URL = f"https://127.0.0.1:{provider.port}/api"
    provider.says(reply(200, {"data": {"id": 7}}))
    provider.tls = self_signed

    outcome = raw_gateway.send(HELLO)

    assert isinstance(outcome, Unreachable)
    assert "certificate" in outcome.words
    assert provider.requests == []


def test_a_server_that_never_finishes_the_handshake_never_saw_the_request(
    provider: RawProvider, raw_gateway: OfapiGateway, settings: Settings
) -> None:
    settings.OFAPI_BASE_URL, settings.GATEWAY_DEADLINE_SECONDS = f"https://127.0.0.1:{provider.port}", 0.3
    provider.drips(b"", seconds=0.05)

    assert isinstance(raw_gateway.send(HELLO), Unreachable)


# --- Unknown: it left


@pytest.mark.parametrize(
    ("kind", "accepted"), [("drop", 1), ("error_after", 1), ("error_before", 0), ("drop_before", 0)]
)
def test_an_answer_that_is_no_answer_is_unknown_whether_or_not_it_was_accepted(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str, kind: str, accepted: int
) -> None:
    simulator.fault(kind, account=account)

    assert isinstance(send(gateway), Unknown)
    assert len(simulator.ledger(account)) == accepted


def test_a_body_that_drips_is_cut_off_at_the_deadline_and_unknown(
    simulator: RunningSimulator, gateway: OfapiGateway, settings: Settings, account: str
) -> None:
    settings.GATEWAY_DEADLINE_SECONDS = 0.5
    simulator.fault("slow_body", account=account, seconds=0.1)
    began = time.monotonic()

    assert isinstance(send(gateway), Unknown)
    assert time.monotonic() - began < 10
    assert len(simulator.ledger(account)) == 1


def test_a_chat_is_not_read_when_the_answer_breaks_off(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    simulator.fault("drop", account=account, on="read", times=None)

    assert isinstance(gateway.read_chat("42", since=A_WHILE_AGO), Unknown)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_headers_that_drip_are_cut_off_at_the_deadline_and_unknown(
    provider: RawProvider, raw_gateway: OfapiGateway, settings: Settings, head: bytes
) -> None:
    settings.GATEWAY_DEADLINE_SECONDS = 0.5
    provider.drips(head, seconds=0.05)
    began = time.monotonic()

    assert isinstance(raw_gateway.send(HELLO), Unknown)
    assert time.monotonic() - began < 10


def test_an_answer_that_comes_too_late_is_unknown(
    simulator: RunningSimulator, gateway: OfapiGateway, settings: Settings, account: str
) -> None:
    settings.GATEWAY_DEADLINE_SECONDS = 0.3
    simulator.fault("latency", account=account, seconds=5)

    assert isinstance(send(gateway), Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        reply(200, body=b"<html><body>All good</body></html>"),
        reply(200, {"data": {"id": 7}})[:-5],
        reply(200, {"data": {"text": "no id"}}),
        reply(200, {"data": {"id": None}}),
        reply(200, {"data": [{"id": 7}]}),
        reply(200, {"id": 7}),
        reply(200, ["odd"]),
        reply(200, body=b""),
        reply(200, body=b"[" * 200_000),
        reply(200, body=b'{"data": {"id": ' + b"9" * 5000 + b"}}"),
        reply(200, body=b'{"data": {"id": "\xff"}}'),
        reply(204, body=b""),
        reply(302, {"data": {"id": 7}}, Location="http://127.0.0.1:9/elsewhere"),
        reply(307, None, Location="/api/elsewhere"),
        reply(408, {"error": "Timeout."}),
        reply(409, {"error": "Still busy."}),
        *[reply(status, {"error": "Oops."}) for status in (500, 502, 503, 504)],
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n{}",
        b"not even HTTP\r\n\r\n",
        b"",
    ],
    ids=lambda answer: answer[:40].decode(errors="replace"),
)
def test_an_answer_that_says_nothing_sure_is_unknown(
    provider: RawProvider, raw_gateway: OfapiGateway, answer: bytes
) -> None:
    provider.says(answer)

    assert isinstance(raw_gateway.send(HELLO), Unknown)
    assert len(provider.requests) == 1


def test_a_body_without_end_is_not_read_to_its_end(provider: RawProvider, raw_gateway: OfapiGateway) -> None:
    sent = 0

    def flood(connection: socket.socket, _request: bytes) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 1_000_000_000:
            connection.sendall(b" " * 65536)
            sent += 65536

    provider.answer = flood

    assert isinstance(raw_gateway.send(HELLO), Unknown)
    assert sent < 50_000_000


def test_a_body_that_unpacks_to_a_thousand_times_its_size_is_not_unpacked(
    provider: RawProvider, raw_gateway: OfapiGateway
) -> None:
    packer = zlib.compressobj(9, wbits=31)
    spaces = b"".join(packer.compress(b" " * 1_000_000) for _ in range(50))
    bomb = spaces + packer.compress(b'{"data": {"id": 7}}') + packer.flush()
    provider.says(reply(200, body=bomb, Content_Encoding="gzip"))

    assert isinstance(raw_gateway.send(HELLO), Unknown)


def test_a_call_works_in_a_thread_that_has_an_event_loop_already(
    simulator: RunningSimulator, gateway: OfapiGateway
) -> None:
    async def inside_a_loop() -> Outcome:
        return send(gateway)

    assert isinstance(asyncio.run(inside_a_loop()), Sent)


def test_a_process_that_was_forked_leaves_its_parents_event_loop_alone(
    simulator: RunningSimulator, gateway: OfapiGateway
) -> None:
    def call() -> None:
        sys.exit(not isinstance(send(gateway), Sent))

    assert isinstance(send(gateway), Sent)
    child = multiprocessing.get_context("fork").Process(target=call)
    child.start()
    child.join(30)

    assert child.exitcode == 0
    assert isinstance(send(gateway), Sent)


def test_no_words_repeat_the_key_or_the_text(provider: RawProvider, raw_gateway: OfapiGateway) -> None:
    for answer in (b"", b"not even HTTP\r\n\r\n", reply(500)):
        provider.says(answer)
        outcome = raw_gateway.send(Parcel(chat_id="42", text="very private", price_cents=0))
        assert isinstance(outcome, Unknown)
        assert "raw-key" not in outcome.words
        assert "private" not in outcome.words


# --- Reading a chat


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "line one\nline two\n\nline four",
        "I <3 you & “everybody” 'else' \"here\"",
        "<script>alert(1)</script> &lt;b&gt;",
        "Ünïcödé 日本語 العربية",
        "🥰👩‍👩‍👧‍👦🏳️‍🌈",
    ],
)
def test_what_was_sent_reads_back_as_it_was_written(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str, text: str
) -> None:
    outcome = send(gateway, text)

    assert isinstance(outcome, Sent)
    [message] = [entry for entry in read(gateway).messages if entry.platform_id == outcome.platform_id]
    assert message.text == text
    assert message.from_creator
    assert simulator.ledger(account)[-1]["text"] == text


def test_a_long_chat_is_read_page_by_page_newest_first_and_each_message_once(
    simulator: RunningSimulator, gateway: OfapiGateway, account: str
) -> None:
    ids = [simulator.fan_writes(account, "42", f"message {number}") for number in range(40)]

    chat = read(gateway)

    assert chat.complete
    assert [message.platform_id for message in chat.messages] == ids[::-1]
    assert not any(message.from_creator for message in chat.messages)


def test_an_empty_chat_is_complete(gateway: OfapiGateway) -> None:
    assert read(gateway) == Chat(messages=[], complete=True)


def test_reading_stops_at_the_asked_time(provider: RawProvider, raw_gateway: OfapiGateway) -> None:
    provider.says(page(entry(3, minute=30), entry(2, minute=20), entry(1, minute=10), more=True))

    chat = read(raw_gateway, since=datetime(2026, 1, 1, 12, 20, 0, 900_000, tzinfo=UTC))

    assert chat.complete
    assert [message.platform_id for message in chat.messages] == ["3", "2"]
    assert len(provider.requests) == 1


def test_the_older_documented_shape_is_read_too(provider: RawProvider, raw_gateway: OfapiGateway) -> None:
    provider.says(reply(200, {"data": {"list": [entry(1)], "hasMore": False}}))

    chat = read(raw_gateway)

    assert chat.complete
    assert [message.platform_id for message in chat.messages] == ["1"]


def test_a_provider_going_in_circles_is_left_and_the_chat_is_not_complete(
    provider: RawProvider, raw_gateway: OfapiGateway
) -> None:
    provider.says(page(entry(2), entry(1), more=True))

    chat = read(raw_gateway)

    assert not chat.complete
    assert [message.platform_id for message in chat.messages] == ["2", "1"]
    assert len(provider.requests) == 2


def test_a_provider_that_does_not_say_whether_there_is_more_is_asked_until_nothing_new_comes(
    provider: RawProvider, raw_gateway: OfapiGateway
) -> None:
    def answer(connection: socket.socket, request: bytes) -> None:
        older = b"first_id=1" in request
        connection.sendall(reply(200, {"data": [entry(1)] if older else [entry(2), entry(1)]}))

    provider.answer = answer

    assert read(raw_gateway).complete
    assert len(provider.requests) == 2


def test_a_chat_without_end_is_read_for_a_bounded_number_of_pages(
    provider: RawProvider, raw_gateway: OfapiGateway
) -> None:
    def answer(connection: socket.socket, _request: bytes) -> None:
        connection.sendall(page(entry(1000 - len(provider.requests)), more=True))

    provider.answer = answer

    chat = read(raw_gateway)

    assert not chat.complete
    assert len(provider.requests) == len(chat.messages) == 20


def test_all_pages_together_share_one_deadline(
    provider: RawProvider, raw_gateway: OfapiGateway, settings: Settings
) -> None:
    settings.GATEWAY_DEADLINE_SECONDS = 0.6

    def answer(connection: socket.socket, _request: bytes) -> None:
        provider.is_closing.wait(0.25)
        connection.sendall(page(entry(1000 - len(provider.requests)), more=True))

    provider.answer = answer
    began = time.monotonic()

    outcome = raw_gateway.read_chat("42", since=A_WHILE_AGO)

    assert time.monotonic() - began < 10
    assert isinstance(outcome, Unknown) or (isinstance(outcome, Chat) and not outcome.complete)


@pytest.mark.parametrize(
    "odd",
    [
        {"data": None},
        {"data": [{"id": 1}]},
        {"data": ["odd"]},
        [],
        {"data": [{"id": 1, "createdAt": "now", "fromUser": {"id": 1}}]},
    ],
)
def test_a_chat_that_cannot_be_read_is_unknown(provider: RawProvider, raw_gateway: OfapiGateway, odd: object) -> None:
    provider.says(reply(200, odd))

    assert isinstance(raw_gateway.read_chat("42", since=A_WHILE_AGO), Unknown)


def test_a_ping_says_nothing_when_all_is_well(gateway: OfapiGateway) -> None:
    assert gateway.ping() is None


def entry(number: int, *, minute: int = 0) -> dict[str, object]:
    created_at = f"2026-01-01T12:{minute:02}:00+00:00" if minute else JUST_NOW.isoformat()
    return {"id": number, "text": "<p>hi</p>", "price": 0, "createdAt": created_at, "fromUser": {"id": 42}}


def page(*entries: dict[str, object], more: bool) -> bytes:
    next_page = "https://example.test/next" if more else None
    return reply(200, {"data": list(entries), "_pagination": {"next_page": next_page}})
