"""A provider that answers "ask there": nobody does, with no method, whatever kind of redirect it is."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_django import Settings

from onlyfans.gateway import Gateway, Parcel, Unknown, Uploaded
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.gateway.ofauth import OfauthGateway
from onlyfans.tests.gateway.conftest import RawProvider, reply

HELLO = Parcel(chat_id="42", text="Hello!", price_cents=0)
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
CALLS: dict[str, Callable[[Gateway], Any]] = {
    "send": lambda gateway: gateway.send(HELLO),
    "upload": lambda gateway: gateway.upload("https://files.example.test/1.jpg"),
    "keep": lambda gateway: gateway.upload("https://files.example.test/1.jpg", keep=True),
    "read_chat": lambda gateway: gateway.read_chat("42", since=YESTERDAY),
    "list_chats": lambda gateway: gateway.list_chats(""),
    "list_messages": lambda gateway: gateway.list_messages("42", ""),
    "list_fans": lambda gateway: gateway.list_fans(""),
    "list_payments": lambda gateway: gateway.list_payments("", since=YESTERDAY),
    "ping": lambda gateway: gateway.ping(),
}


@pytest.fixture(params=[OfapiGateway, OfauthGateway])
def gateway(request: pytest.FixtureRequest, provider: RawProvider, settings: Settings) -> Gateway:
    settings.OFAUTH_BASE_URL = f"http://127.0.0.1:{provider.port}"
    made: Gateway = request.param(account_id="acct_1", api_key="a-key-for-this-provider-only")
    return made


@pytest.fixture
def elsewhere() -> Iterator[RawProvider]:
    """Where the redirect leads: it would accept anything."""
    elsewhere = RawProvider()
    elsewhere.says(reply(200, {"data": {"id": 1, "prefixed_id": "ofapi_media_1"}}))
    yield elsewhere
    elsewhere.close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("call", CALLS)
def test_no_call_follows_a_redirect(
    gateway: Gateway, provider: RawProvider, elsewhere: RawProvider, call: str, status: int
) -> None:
    provider.says(reply(status, Location=f"http://127.0.0.1:{elsewhere.port}/api"))

    answer = CALLS[call](gateway)

    if isinstance(gateway, OfauthGateway) and call in ("upload", "keep"):
        # Nothing is uploaded there: the message names its media by address.
        assert isinstance(answer, Uploaded)
        assert provider.requests == []
    else:
        assert isinstance(answer, Unknown)
        assert len(provider.requests) == 1
    assert elsewhere.requests == []
