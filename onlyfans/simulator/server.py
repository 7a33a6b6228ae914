"""The simulated platform's HTTP side: what onlyfansapi.com documents, and our control panel beside it."""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import structlog
from aiohttp import web

from onlyfans.gateway.notation import Unreadable, cents_of, text_of
from onlyfans.simulator.deeds import Deeds
from onlyfans.simulator.fans import Fans, Temper, Webhook
from onlyfans.simulator.faults import Fault, Faults, Kind, On
from onlyfans.simulator.ledger import UPLOADED, ChatEntry, Ledger
from onlyfans.simulator.ofauth import OfauthSide
from onlyfans.simulator.refusals import HangUp, Refusal
from onlyfans.simulator.wire import chat_json, envelope, fan_json, message_json

PRICE_MIN_CENTS, PRICE_MAX_CENTS = 300, 20_000
MESSAGES_PAGE, CHATS_PAGE, FANS_PAGE, PAYMENTS_PAGE = 14, 12, 50, 10
SHUTDOWN_SECONDS = 0.5
UNAUTHORIZED = "Unauthorized. Go to https://app.onlyfansapi.com/api-keys to get your API key."

log = structlog.get_logger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(slots=True)
class Options:
    """How the platform behaves.

    ``gap`` is the number of seconds between two messages of one account that it insists on. With
    ``media_once`` an uploaded medium is good for one message only, as the provider documents. With ``lies_about_more``
    every page says that another follows, as the platform's does at times.
    """

    ledger: Path
    api_key: str
    gap: float = 3.0
    retry_after: bool = True
    media_once: bool = False
    lies_about_more: bool = False
    webhook: Webhook = field(default_factory=lambda: Webhook(url="", secret=""))
    temper: Temper = field(default_factory=Temper)
    seed: int | None = None


class Simulator:
    """One running platform. Make it, ``start`` it inside an event loop, ``stop`` it there."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.ledger = Ledger(options.ledger)
        self.faults = Faults()
        self.fans = Fans(self.ledger, webhook=options.webhook, temper=options.temper, seed=options.seed)
        self.deeds = Deeds(self.fans)
        self._runner = web.AppRunner(
            self._application(), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS, handler_cancellation=True
        )

    async def start(self, host: str, port: int) -> str:
        """Listen; the answer is the base URL for OFAPI_BASE_URL. Port 0 takes any free one."""
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        bound_host, bound_port = self._runner.addresses[0][:2]
        return f"http://{bound_host}:{bound_port}/api"

    async def stop(self) -> None:
        await self.fans.close()
        await self._runner.cleanup()
        self.ledger.close()

    def _application(self) -> web.Application:
        app = web.Application(middlewares=[_speak_provider, self._guard])
        app.add_routes(
            [
                web.get("/api/whoami", self.whoami),
                web.post("/api/{account}/chats/{chat}/messages", self.send),
                web.get("/api/{account}/chats/{chat}/messages", self.read_chat),
                web.get("/api/{account}/chats", self.read_chats),
                web.post("/api/{account}/media/upload", self.upload),
                web.get("/api/{account}/fans/{which:all|active|expired}", self.read_fans),
                web.get("/api/{account}/transactions", self.read_payments),
                *OfauthSide(self).routes(),
                web.post("/api/{account}/media/vault", self.upload_to_vault),
                web.get("/_simulator/health", self.health),
                web.get("/_simulator/ledger", self.read_ledger),
                web.get("/_simulator/faults", self.read_faults),
                web.post("/_simulator/faults", self.arm_fault),
                web.delete("/_simulator/faults", self.clear_faults),
                web.post("/_simulator/settings", self.change_settings),
                web.post("/_simulator/webhooks", self.register_webhook),
                web.post("/_simulator/fan-message", self.fan_writes),
                web.post("/_simulator/event", self.post_event),
                web.post("/_simulator/deed", self.do_deed),
                web.post("/_simulator/fan", self.know_fan),
            ]
        )
        return app

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The key for the provider's side; this machine only for ours."""
        if request.path.startswith("/_simulator/"):
            if not (request.remote and ip_address(request.remote).is_loopback):
                raise Refusal(403, {"error": "Only from this machine."})
        elif (
            request.path.startswith("/api/")
            and request.headers.get("Authorization") != f"Bearer {self.options.api_key}"
        ):
            raise Refusal(401, {"error": UNAUTHORIZED})
        return await handler(request)

    # --- The provider's side

    async def whoami(self, request: web.Request) -> web.StreamResponse:
        fault = await self.meet_fault(On.READ, "")
        return await _answer(request, envelope({"name": "Simulated team", "email": "team@example.test"}), fault)

    async def send(self, request: web.Request) -> web.StreamResponse:
        account, chat = request.match_info["account"], request.match_info["chat"]
        fault = await self.meet_fault(On.SEND, account)
        text, price, media = self.parcel_of(account, await _body(request))
        self.insist_on_gap(account)
        entry = self.ledger.accept(account=account, chat=chat, text=text, price=price, media=media)
        if self.options.media_once:
            self.ledger.media[account] -= {media_id for media_id in media if media_id.startswith(UPLOADED)}
        log.info("accepted", account=account, chat=chat, message=entry.message_id, price=price, media=len(media))
        self.fans.read(account, entry)
        return await _answer(request, envelope(message_json(account, entry)), fault)

    async def read_chat(self, request: web.Request) -> web.StreamResponse:
        account, chat = request.match_info["account"], request.match_info["chat"]
        fault = await self.meet_fault(On.READ, account)
        page, more = self.page_of_chat(account, chat, request.query)
        answer = envelope([message_json(account, entry) for entry in page])
        answer["_pagination"] = {
            "next_page": f"{request.url.update_query(first_id=page[-1].message_id)}" if more else None
        }
        return await _answer(request, answer, fault)

    async def read_chats(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        fault = await self.meet_fault(On.READ, account)
        latest = self.latest_of_chats(account)
        offset = _number(request.query.get("offset", "0"))
        # As the platform does: whatever the limit, a page has about a dozen.
        page = latest[offset : offset + CHATS_PAGE]
        answer = envelope([chat_json(account, entry) for entry in page])
        return await _answer(request, self._paged(request, answer, after=offset + len(page), of=len(latest)), fault)

    async def read_fans(self, request: web.Request) -> web.StreamResponse:
        account, which = request.match_info["account"], request.match_info["which"]
        fault = await self.meet_fault(On.READ, account)
        known = self.ledger.fans[account].items()
        fans = [(chat, facts) for chat, facts in known if which in ("all", facts.get("state", "active"))]
        offset = _number(request.query.get("offset", "0"))
        page = fans[offset : offset + min(_limit(request.query), FANS_PAGE)]
        answer = envelope([fan_json(chat, facts) for chat, facts in page])
        return await _answer(request, self._paged(request, answer, after=offset + len(page), of=len(fans)), fault)

    async def read_payments(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        fault = await self.meet_fault(On.READ, account)
        return await _answer(request, envelope(self.page_of_payments(account, request.query)), fault)

    def page_of_payments(self, account: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Newest first, since ``startDate``. The marker is the number of payments that came before."""
        since = query.get("startDate", "").replace(" ", "T")
        young = [payment for payment in self.ledger.payments[account] if payment["createdAt"] >= since]
        young.reverse()
        marker = _number(query.get("marker", "0"))
        page = young[marker : marker + PAYMENTS_PAGE]
        more = marker + len(page) < len(young) or self.options.lies_about_more
        return {"list": page, "marker": marker, "hasMore": more, "nextMarker": marker + len(page)}

    def page_of_chat(self, account: str, chat: str, query: Mapping[str, str]) -> tuple[list[ChatEntry], bool]:
        """As the platform does: a page is shorter than asked for, and begins with the cursor's message itself."""
        entries = list(self.ledger.chats[account][chat])
        newest_first = query.get("order", "desc") != "asc"
        if newest_first:
            entries.reverse()
        cursor = query.get("first_id" if newest_first else "last_id", "")
        start = next((at for at, entry in enumerate(entries) if entry.message_id == cursor), 0)
        page = entries[start : start + min(_limit(query), MESSAGES_PAGE)]
        return page, start + len(page) < len(entries) or (self.options.lies_about_more and bool(page))

    def latest_of_chats(self, account: str) -> list[ChatEntry]:
        latest = [entries[-1] for entries in self.ledger.chats[account].values() if entries]
        return sorted(latest, key=lambda entry: int(entry.message_id), reverse=True)

    async def body_of(self, request: web.Request) -> Mapping[str, Any]:
        return await _body(request)

    async def answer(self, request: web.Request, document: object, fault: Fault | None) -> web.StreamResponse:
        return await _answer(request, document, fault)

    def _paged(self, request: web.Request, answer: dict[str, Any], *, after: int, of: int) -> dict[str, Any]:
        more = after < of or self.options.lies_about_more
        next_page = f"{request.url.update_query(offset=after)}" if more else None
        return answer | {"_pagination": {"next_page": next_page}}

    async def upload(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        fault = await self.meet_fault(On.UPLOAD, account)
        file_url = await _file_url(request)
        media_id = self.ledger.take_media(account=account, file_url=file_url)
        answer = {"prefixed_id": media_id, "file_name": file_url.rpartition("/")[2]}
        return await _answer(request, answer, fault)

    async def upload_to_vault(self, request: web.Request) -> web.StreamResponse:
        account = request.match_info["account"]
        fault = await self.meet_fault(On.UPLOAD, account)
        media_id = self.ledger.take_media(account=account, file_url=await _file_url(request), to_vault=True)
        return await _answer(request, envelope({"id": int(media_id), "isReady": False}), fault)

    async def meet_fault(self, on: On, account: str) -> Fault | None:
        """The fault this request meets; one that comes before anything is accepted happens here."""
        fault = self.faults.meet(on, account)
        match fault:
            case Fault(kind=Kind.LATENCY):
                await asyncio.sleep(fault.seconds or 1.0)
            case Fault(kind=Kind.DROP_BEFORE):
                raise HangUp
            case Fault(kind=Kind.ERROR_BEFORE):
                raise Refusal(fault.status or 500, {"error": "Server Error"})
            case Fault(kind=Kind.THROTTLE):
                raise _too_fast(self.options.gap, fault.seconds)
            case Fault(kind=Kind.SESSION_LOST):
                raise Refusal(
                    fault.status or 401,
                    {"error": "The account's session has expired. Reconnect it.", "code": "SESSION_EXPIRED"},
                )
        return fault

    def parcel_of(
        self, account: str, body: Mapping[str, Any], *, has_media: bool = False
    ) -> tuple[str, int, list[str]]:
        """(text, cents, media ids) of a send. Refuses what the provider refuses; ``has_media`` that needs no upload."""
        try:
            text, price = text_of(body.get("text")), cents_of(body.get("price"))
        except Unreadable as error:
            raise _invalid("text", str(error)) from None
        media = body.get("mediaFiles") or []
        if not isinstance(media, list):
            raise _invalid("mediaFiles", "The media files field must be an array.")
        if not text and not (media or has_media):
            raise _invalid("text", "The text field is required when media files is not present.")
        if price and not PRICE_MIN_CENTS <= price <= PRICE_MAX_CENTS:
            raise _invalid("price", "The price must be 0 or between 3 and 200.")
        if price and not (media or has_media):
            raise _invalid("mediaFiles", "The media files field is required when price is not 0.")
        unknown = [str(media_id) for media_id in media if str(media_id) not in self.ledger.media[account]]
        if unknown:
            raise _invalid("mediaFiles", f"Unknown media: {', '.join(unknown)}.")
        return text, price, [str(media_id) for media_id in media]

    def insist_on_gap(self, account: str) -> None:
        last = self.ledger.last_accepted_at.get(account)
        elapsed = (datetime.now(UTC) - last).total_seconds() if last else math.inf
        # A clock that was set back must not lock an account out.
        if 0 <= elapsed < self.options.gap:
            log.warning("too fast", account=account, elapsed=round(elapsed, 3))
            raise _too_fast(self.options.gap, self.options.gap - elapsed if self.options.retry_after else None)

    # --- Our side

    async def health(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"status": "ok", "accepted": len(self.ledger.accepted), "faults": len(self.faults.as_json())}
        )

    async def read_ledger(self, request: web.Request) -> web.StreamResponse:
        account = request.query.get("account")
        lines = [asdict(entry) for entry in self.ledger.accepted if account in (None, entry.account)]
        return web.json_response({"messages": lines})

    async def read_faults(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"faults": self.faults.as_json()})

    async def arm_fault(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        try:
            self.faults.arm(Fault.from_json(wish))
        except ValueError as error:
            raise Refusal(400, {"error": str(error)}) from None
        log.info("fault armed", kind=wish["kind"])
        return web.json_response({"faults": self.faults.as_json()}, status=201)

    async def clear_faults(self, request: web.Request) -> web.StreamResponse:
        self.faults.clear()
        return web.Response(status=204)

    async def change_settings(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        options, temper = self.options, self.options.temper
        try:
            options.gap = float(wish.get("gap", options.gap))
            options.retry_after = bool(wish.get("retry_after", options.retry_after))
            options.media_once = bool(wish.get("media_once", options.media_once))
            options.lies_about_more = bool(wish.get("lies_about_more", options.lies_about_more))
            temper.reply_probability = float(wish.get("reply_probability", temper.reply_probability))
            shortest, longest = wish.get("reply_delay", temper.reply_delay)
            temper.reply_delay = float(shortest), float(longest)
            temper.backoff = float(wish.get("backoff", temper.backoff))
            temper.tell_sent = bool(wish.get("tell_sent", temper.tell_sent))
        except (TypeError, ValueError) as error:
            raise Refusal(400, {"error": str(error)}) from None
        changed = ("gap", "retry_after", "media_once", "lies_about_more")
        return web.json_response({name: getattr(options, name) for name in changed} | asdict(temper))

    async def register_webhook(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        self.fans.webhooks[_word(wish, "account")] = Webhook(url=_word(wish, "url"), secret=_word(wish, "secret"))
        return web.Response(status=204)

    async def fan_writes(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        details = {name: str(wish[name]) for name in ("text", "name", "username") if wish.get(name)}
        silent = bool(wish.get("silent", False))
        try:
            created_at = datetime.fromisoformat(wish["created_at"]) if wish.get("created_at") else None
        except (TypeError, ValueError) as error:
            raise Refusal(400, {"error": f"created_at: {error}."}) from None
        entry: ChatEntry = self.fans.write(
            _word(wish, "account"), _word(wish, "chat"), silent=silent, created_at=created_at, **details
        )
        return web.json_response({"message_id": entry.message_id}, status=201)

    async def post_event(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        self.fans.tell(_word(wish, "account"), _word(wish, "event"), wish.get("payload") or {})
        return web.Response(status=202)

    async def do_deed(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        try:
            told = self.deeds.do(_word(wish, "account"), wish)
        except (KeyError, ValueError) as error:
            raise Refusal(400, {"error": f"That makes no sense: {error}."}) from None
        return web.json_response({"told": told}, status=201)

    async def know_fan(self, request: web.Request) -> web.StreamResponse:
        wish = await _body(request)
        self.ledger.know(_word(wish, "account"), _word(wish, "chat"), **(wish.get("facts") or {}))
        return web.Response(status=204)


@web.middleware
async def _speak_provider(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals in the provider's JSON."""
    try:
        return await handler(request)
    except Refusal as refusal:
        return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)
    except HangUp:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


async def _body(request: web.Request) -> Mapping[str, Any]:
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, {"error": "The body must be a JSON object."})
    return body


def _word(wish: Mapping[str, Any], name: str) -> str:
    value = wish.get(name)
    if not value:
        raise Refusal(400, {"error": f"{name} is missing."})
    return str(value)


def _limit(query: Mapping[str, str]) -> int:
    return min(max(_number(query.get("limit", "10")), 1), 100)


def _number(text: str) -> int:
    try:
        return max(int(text), 0)
    except ValueError:
        raise Refusal(422, {"message": "The given data was invalid."}) from None


async def _file_url(request: web.Request) -> str:
    file_url = (await _body(request)).get("file_url")
    if not isinstance(file_url, str) or not file_url.startswith(("http://", "https://")):
        raise _invalid("file_url", "The file url field must be a valid URL.")
    return file_url


def _invalid(name: str, sentence: str) -> Refusal:
    return Refusal(422, {"message": sentence, "errors": {name: [sentence]}})


def _too_fast(gap: float, retry_after: float | None) -> Refusal:
    headers = {} if retry_after is None else {"Retry-After": str(max(math.ceil(retry_after), 1))}
    seconds = max(math.ceil(gap), 1)
    return Refusal(429, {"error": f"Too many messages. Allow {seconds} seconds between them."}, headers)


async def _answer(request: web.Request, answer: object, fault: Fault | None) -> web.StreamResponse:
    """The answer, or what the fault makes of it."""
    match fault:
        case Fault(kind=Kind.ERROR_AFTER):
            raise Refusal(fault.status or 500, {"error": "Server Error"})
        case Fault(kind=Kind.DROP):
            raise HangUp
        case Fault(kind=Kind.SLOW_BODY):
            return await _dribble(request, answer, fault.seconds or 1.0)
    return web.json_response(answer)


async def _dribble(request: web.Request, answer: object, seconds: float) -> web.StreamResponse:
    """The answer, one byte at a time."""
    body = json.dumps(answer).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Content-Length": str(len(body))})
    await response.prepare(request)
    for byte in body:
        await response.write(bytes([byte]))
        await asyncio.sleep(seconds)
    return response
