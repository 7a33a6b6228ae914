"""A simulated platform for every test that speaks to one."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from pytest_django import Settings

from crm.models import Conversation, Creator
from crm.tests.factories import make_conversation, make_creator
from onlyfans import delivery
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.models import Connection
from onlyfans.simulator.fans import Temper
from onlyfans.simulator.server import Options, Simulator

API_KEY = "simulated-key"
AS_BORN = {
    "gap": 0,
    "retry_after": True,
    "media_once": False,
    "reply_probability": 0,
    "reply_delay": [0, 0],
    "backoff": 0.05,
    "tell_sent": False,
    "lies_about_more": False,
}


class RunningSimulator:
    """The simulated platform in a thread, steered and read over HTTP like any other process.

    It lives as long as the test session: use an account of your own in each test.
    """

    api_key = API_KEY

    def __init__(self, ledger: Path) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulator", daemon=True)
        self._thread.start()
        self._simulator = Simulator(Options(ledger=ledger, api_key=API_KEY, gap=0, temper=Temper(0.0, (0.0, 0.0))))
        #: What OFAPI_BASE_URL must be.
        self.url: str = self._run(self._simulator.start("127.0.0.1", 0))
        self.control_url = self.url.removesuffix("/api") + "/_simulator"

    def ledger(self, account: str | None = None) -> list[dict[str, Any]]:
        """What was accepted, oldest first; prices in cents."""
        messages: list[dict[str, Any]] = self._control("GET", f"/ledger?account={account}" if account else "/ledger")[
            "messages"
        ]
        return messages

    def fault(self, kind: str, **wish: Any) -> None:
        """Arm a fault, as POST /_simulator/faults does: times, account, on, seconds, status."""
        self._control("POST", "/faults", {"kind": kind} | wish)

    def set(self, **settings: Any) -> None:
        """Change one of the settings that POST /_simulator/settings takes until ``clear``."""
        self._control("POST", "/settings", settings)

    def webhook(self, account: str, *, url: str, secret: str) -> None:
        self._control("POST", "/webhooks", {"account": account, "url": url, "secret": secret})

    def fan_writes(self, account: str, chat: str, text: str = "", **details: Any) -> str:
        """The answer is the message's platform id. With ``silent`` no event tells of it."""
        wish = {"account": account, "chat": chat, "text": text} | details
        return str(self._control("POST", "/fan-message", wish)["message_id"])

    def event(self, account: str, event: str, payload: dict[str, Any]) -> None:
        self._control("POST", "/event", {"account": account, "event": event, "payload": payload})

    def do(self, account: str, deed: str, **wish: Any) -> dict[str, dict[str, Any]]:
        """Something happens at the platform, as POST /_simulator/deed does it; the answer is the events' payloads."""
        told: dict[str, dict[str, Any]] = self._control("POST", "/deed", {"account": account, "deed": deed} | wish)[
            "told"
        ]
        return told

    def knows(self, account: str, chat: str, **facts: Any) -> None:
        """A fan is in the account's list of fans."""
        self._control("POST", "/fan", {"account": account, "chat": chat, "facts": facts})

    def clear(self) -> None:
        """No faults, no gap, nobody answers. The ledger stays: it only grows."""
        self._control("DELETE", "/faults")
        self.set(**AS_BORN)

    def stop(self) -> None:
        self._run(self._simulator.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)

    def _control(self, method: str, path: str, wish: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self.control_url + path,
            method=method,
            data=None if wish is None else json.dumps(wish).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.loads(response.read() or b"null")


@pytest.fixture(scope="session")
def _running_simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    simulator = RunningSimulator(tmp_path_factory.mktemp("simulator") / "ledger.jsonl")
    yield simulator
    simulator.stop()


@pytest.fixture
def simulator(_running_simulator: RunningSimulator, settings: Settings) -> Iterator[RunningSimulator]:
    """The platform in good order, and OFAPI_BASE_URL pointing to it."""
    settings.OFAPI_BASE_URL = _running_simulator.url
    settings.OFAUTH_BASE_URL = _running_simulator.url.removesuffix("/api")
    yield _running_simulator
    _running_simulator.clear()


@pytest.fixture
def account(request: pytest.FixtureRequest) -> str:
    """An account no other test uses."""
    return (
        "acct_"
        + "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in request.node.name)[-50:]
    )


@pytest.fixture
def gateway(simulator: RunningSimulator, account: str) -> OfapiGateway:
    return OfapiGateway(account_id=account, api_key=simulator.api_key)


@pytest.fixture(autouse=True)
def _patient_tokens() -> Iterator[None]:
    """A busy machine must not look like a commit that waited for a lock."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(delivery, "TOKEN_GOOD_FOR_SECONDS", 30.0)
        yield


class Basket:
    """A queue that keeps what it was given until somebody works on it."""

    def __init__(self) -> None:
        self.ids: list[UUID] = []

    def carry(self, public_id: UUID) -> None:
        self.ids.append(public_id)

    def work(self, task: Callable[[UUID], None]) -> None:
        while self.ids:
            task(self.ids.pop(0))


@pytest.fixture
def basket() -> Basket:
    return Basket()


@pytest.fixture
def creator(db: None, simulator: RunningSimulator, account: str, redis_server: redis.Redis) -> Creator:
    """A creator with an account at the simulated platform and an empty bucket."""
    creator = make_creator()
    connection = Connection(creator=creator, account_id=account)
    connection.api_key = simulator.api_key
    connection.save()
    return creator


@pytest.fixture
def conversation(creator: Creator) -> Conversation:
    return make_conversation(creator)
