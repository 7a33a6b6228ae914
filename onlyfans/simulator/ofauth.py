"""The same platform as OFAuth's bridge shows it: other addresses, headers and errors, one ledger."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiohttp import web

from onlyfans.simulator.faults import On
from onlyfans.simulator.refusals import Refusal
from onlyfans.simulator.wire import chat_json, fan_json, message_json

if TYPE_CHECKING:
    from onlyfans.simulator.server import Simulator

CHATS_PAGE, FANS_PAGE = 12, 50


class OfauthSide:
    """Answers below ``/v2/access`` for the account that ``x-connection-id`` names."""

    def __init__(self, platform: "Simulator") -> None:
        self.platform = platform

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v2/access/chats/{chat}/messages", self.send),
            web.get("/v2/access/chats/{chat}/messages", self.read_chat),
            web.get("/v2/access/chats", self.read_chats),
            web.get("/v2/access/subscribers", self.read_fans),
            web.get("/v2/access/earnings/transactions", self.read_payments),
        ]

    def account_of(self, request: web.Request) -> str:
        """Raises Refusal in the shape that OFAuth documents."""
        account = request.headers.get("x-connection-id", "")
        if request.headers.get("apiKey") != self.platform.options.api_key or not account:
            raise Refusal(401, _error("UNAUTHORIZED", "The API key or the connection is not known."))
        return account

    async def send(self, request: web.Request) -> web.StreamResponse:
        account, chat = self.account_of(request), request.match_info["chat"]
        fault = await self.platform.meet_fault(On.SEND, account)
        body = await self.platform.body_of(request)
        media = [str(item) for item in body.get("mediaItems") or []]
        text, price, _media = self.platform.parcel_of(account, {**body, "mediaFiles": []}, has_media=bool(media))
        self.platform.insist_on_gap(account)
        entry = self.platform.ledger.accept(account=account, chat=chat, text=text, price=price, media=media)
        self.platform.fans.read(account, entry)
        return await self.platform.answer(request, message_json(account, entry), fault)

    async def read_chat(self, request: web.Request) -> web.StreamResponse:
        account, chat = self.account_of(request), request.match_info["chat"]
        fault = await self.platform.meet_fault(On.READ, account)
        page, more = self.platform.page_of_chat(account, chat, request.query)
        answer = {"list": [message_json(account, entry) for entry in page], "hasMore": more}
        return await self.platform.answer(request, answer, fault)

    async def read_chats(self, request: web.Request) -> web.StreamResponse:
        account = self.account_of(request)
        fault = await self.platform.meet_fault(On.READ, account)
        latest = self.platform.latest_of_chats(account)
        chats = [chat_json(account, entry) for entry in latest]
        answer = self._paged(request, chats, size=CHATS_PAGE)
        return await self.platform.answer(request, answer, fault)

    async def read_fans(self, request: web.Request) -> web.StreamResponse:
        account = self.account_of(request)
        fault = await self.platform.meet_fault(On.READ, account)
        fans = [fan_json(chat, facts) for chat, facts in self.platform.ledger.fans[account].items()]
        return await self.platform.answer(request, self._paged(request, fans, size=FANS_PAGE), fault)

    async def read_payments(self, request: web.Request) -> web.StreamResponse:
        account = self.account_of(request)
        fault = await self.platform.meet_fault(On.READ, account)
        return await self.platform.answer(request, self.platform.page_of_payments(account, request.query), fault)

    def _paged(self, request: web.Request, entries: list[dict[str, Any]], *, size: int) -> dict[str, Any]:
        offset = int(request.query.get("offset", "0"))
        after = min(offset + size, len(entries))
        more = after < len(entries) or self.platform.options.lies_about_more
        return {"list": entries[offset:after], "hasMore": more, "nextOffset": after}


def _error(kind: str, words: str) -> Mapping[str, Any]:
    return {"error": words, "type": kind, "requestId": "req_simulated", "actionRequired": None}
