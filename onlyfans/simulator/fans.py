"""Simulated life: a fan answers now and then, and the platform tells the CRM through a signed webhook."""

import asyncio
import hashlib
import hmac
import json
import random
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import structlog

from onlyfans.simulator.ledger import ChatEntry, Ledger
from onlyfans.simulator.wire import message_json, sent_json

USER_AGENT = "OnlyFansAPI.com/Webhook-Client"
ATTEMPTS_MAX = 5
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)

REPLIES = (
    "Good morning! ☀️",
    "That made my day, thank you!",
    "Haha, I did not expect that 😄",
    "How was your weekend?",
    "You always know how to cheer me up",
    "I just got home from work",
    "Tell me more!",
    "Wow, that looks great",
    "Is it sunny where you are?",
    "I am making pancakes right now 🥞",
    "Sorry, I only saw this now",
    "My cat says hi 🐈",
    "What music are you listening to?",
    "I will be back later tonight",
    "Happy to hear from you!",
    "You have the best stories",
    "Good luck tomorrow!",
    "I was just thinking about that",
    "Sweet dreams 🌙",
    "Can't wait to see the next one",
    "Coffee or tea?",
    "Greetings from a rainy bus stop",
    "Yes please!",
    "That is so kind of you <3",
    "Have a lovely evening & talk soon",
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an account's events go, and the secret that signs them."""

    url: str
    secret: str


@dataclass(slots=True)
class Temper:
    """How lively the fans are. ``reply_delay`` and ``backoff`` in seconds."""

    reply_probability: float = 0.35
    reply_delay: tuple[float, float] = (2.0, 6.0)
    backoff: float = 1.0
    tell_sent: bool = False


class Fans:
    """Everybody who writes back. Must be used inside the server's event loop."""

    def __init__(self, ledger: Ledger, *, webhook: Webhook, temper: Temper, seed: int | None) -> None:
        self.ledger = ledger
        self.temper = temper
        self.webhooks: dict[str, Webhook] = {}
        self._default_webhook = webhook
        self._dice = random.Random(seed)  # noqa: S311
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self, account: str, entry: ChatEntry) -> None:
        """The fan reads the creator's message and may answer; with ``tell_sent`` an event tells that it was sent."""
        if self.temper.tell_sent:
            self.tell(account, "messages.sent", sent_json(account, entry))
        if self._dice.random() < self.temper.reply_probability:
            self._begin(self._answer(account, entry.chat))

    def write(
        self,
        account: str,
        chat: str,
        *,
        text: str = "",
        name: str = "",
        username: str = "",
        silent: bool = False,
        created_at: datetime | None = None,
    ) -> ChatEntry:
        """The fan writes, now if it does not say when; without ``text``, something pleasant.

        ``silent``: no event tells of it.
        """
        entry = self.ledger.hear(
            account=account,
            chat=chat,
            text=text or self._dice.choice(REPLIES),
            name=name or f"Fan {chat}",
            username=username or f"u{chat}",
            created_at=created_at,
        )
        if not silent:
            self.tell(account, "messages.received", message_json(account, entry))
        return entry

    def tell(self, account: str, event: str, payload: Mapping[str, Any]) -> None:
        """Post an event as the provider does: up to five times, until the door says 2xx."""
        webhook = self.webhooks.get(account, self._default_webhook)
        if webhook.url:
            body = json.dumps({"event": event, "account_id": account, "payload": payload}).encode()
            self._begin(self._deliver(account, event, body, webhook))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, account: str, chat: str) -> None:
        await asyncio.sleep(self._dice.uniform(*self.temper.reply_delay))
        self.write(account, chat)

    async def _deliver(self, account: str, event: str, body: bytes, webhook: Webhook) -> None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": USER_AGENT,
            "Signature": hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest(),
            "X-OFAPI-Idempotency-Key": f"evt_{secrets.token_hex(20)}",
        }
        url = webhook.url.replace("{account}", account)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            status = await _post(url, body, headers)
            if 200 <= status < 300:
                log.info("webhook delivered", account=account, kind=event, attempt=attempt)
                return
            log.warning("webhook refused", account=account, kind=event, attempt=attempt, status=status)
            if attempt < ATTEMPTS_MAX:
                await asyncio.sleep(self.temper.backoff * 2 ** (attempt - 1))
        log.error("webhook dropped", account=account, kind=event)


async def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    """The status that came back; 0 when none did."""
    try:
        async with (
            aiohttp.ClientSession(timeout=TIMEOUT) as session,
            session.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return response.status
    except (aiohttp.ClientError, TimeoutError):
        return 0
