"""One bounded HTTP call to a provider: the only place that speaks HTTP to one.

What matters most here is whether a request can have left. Until there is a connection (name, TCP, TLS) it
cannot; from then on everything that goes wrong counts as "it left". Every call opens a connection of its own:
a pooled one that the far side has just closed would turn "never left" into "nobody knows".
"""

import asyncio
import json
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from time import monotonic
from typing import Any

import aiohttp
import structlog
from django.utils.translation import gettext_noop
from multidict import CIMultiDict, CIMultiDictProxy

from crm.causes import NO_ANSWER, NO_CONNECTION

BODY_MAX_BYTES = 1024 * 1024
CHUNK_BYTES = 16 * 1024
USER_AGENT = "Huntaze"

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """The provider answered. ``document`` is its JSON, numbers exact; None when it was not readable."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    document: Any = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The request left, or may have, and no answer came."""

    words: str


@dataclass(frozen=True, slots=True)
class NeverLeft:
    """There was no connection: the provider has seen nothing."""

    words: str


Reply = Answer | NoAnswer | NeverLeft


def call(
    method: str,
    url: str,
    *,
    deadline: float,
    headers: Mapping[str, str],
    query: Mapping[str, str] | None = None,
    document: object = None,
) -> Reply:
    """Ask, and wait ``deadline`` seconds at most in all. Raises nothing for what a network or provider does.

    ``document`` is sent as JSON. Redirects are not followed, certificates are verified, a body is read up to
    1 MiB. A POST is made once; a GET whose connection broke is asked once more within the deadline.
    """
    ask = partial(_call, method, url, deadline=deadline, headers=headers, query=query or {}, document=document)
    began = monotonic()
    reply = _wait_for(ask)
    seconds = monotonic() - began
    result = str(reply.status) if isinstance(reply, Answer) else type(reply).__name__
    path = "/" + url.partition("://")[2].partition("/")[2]
    log.info("provider called", method=method, path=path, result=result, milliseconds=round(seconds * 1e3))
    return reply


def _wait_for(ask: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(ask)
    # Somebody's event loop lives in this thread already; ours gets a thread of its own.
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_run, ask).result()


class _Kept(threading.local):
    """Each thread's event loop: to make one for a call and to end it takes as long as the call itself.

    By process, because a fork brings the parent's along, which is still in use there.
    """

    def __init__(self) -> None:
        self.runners: dict[int, asyncio.Runner] = {}


_kept = _Kept()


def _run(ask: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
    process = os.getpid()
    runner = _kept.runners.setdefault(process, asyncio.Runner(loop_factory=asyncio.new_event_loop))
    try:
        return runner.run(_alone(ask))
    except BaseException:
        # Somebody ended it from outside: who knows what is left of it.
        del _kept.runners[process]
        runner.close()
        raise


async def _alone(ask: Callable[[], Coroutine[Any, Any, Reply]]) -> Reply:
    """Nothing of a call is left in the loop for the next one."""
    asyncio.get_running_loop().set_default_executor(lookups := _Unwaited(max_workers=1))
    try:
        return await ask()
    finally:
        lookups.shutdown()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, asyncio.sleep(0), return_exceptions=True)


async def _call(
    method: str,
    url: str,
    *,
    deadline: float,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    document: object,
) -> Reply:
    connected = False
    answer: Answer | None = None

    async def note_connection(*_args: object) -> None:
        nonlocal connected
        connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(note_connection)
    try:
        async with (
            asyncio.timeout(deadline),
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                trace_configs=[trace],
            ) as session,
            session.request(
                method,
                url,
                params=query,
                data=None if document is None else json.dumps(document).encode(),
                headers=_headers(headers, with_body=document is not None),
                allow_redirects=False,
            ) as response,
        ):
            # From here on the status stands, whatever becomes of the body.
            answer = Answer(response.status, _plain(response.headers))
            answer = replace(answer, document=_json(await _body(response)))
    except (aiohttp.ClientError, OSError) as error:
        if answer is None:
            return NoAnswer(_after(error, deadline)) if connected else NeverLeft(_before(error, deadline))
    return answer


def _headers(headers: Mapping[str, str], *, with_body: bool) -> dict[str, str]:
    common = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": USER_AGENT}
    return common | ({"Content-Type": "application/json"} if with_body else {}) | dict(headers)


def _plain(headers: CIMultiDictProxy[str]) -> Mapping[str, str]:
    """A copy that outlives the response; names in any case."""
    return CIMultiDict(headers)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    """The body, or as much of it as shows that it is too long."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            break
    return bytes(body)


def _json(body: bytes) -> Any:
    if len(body) > BODY_MAX_BYTES:
        return None
    try:
        return json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None


def _before(error: Exception, deadline: float) -> str:
    """Why there was no connection. Only our own words: an exception's text may quote what was sent."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return gettext_noop("The provider's name could not be looked up.")
        case aiohttp.ClientSSLError():
            return gettext_noop(
                "There was no secure connection to the provider: its certificate or its TLS is not valid."
            )
        case aiohttp.InvalidURL():
            return gettext_noop("The provider's address is not a valid one.")
        case TimeoutError():
            return NO_CONNECTION % {"seconds": f"{deadline:g}"}
    return gettext_noop("The provider could not be reached.")


def _after(error: Exception, deadline: float) -> str:
    if isinstance(error, TimeoutError):
        return NO_ANSWER % {"seconds": f"{deadline:g}"}
    return gettext_noop("The connection broke before the provider answered.")


class _Unwaited(ThreadPoolExecutor):
    """Looks up names. Nobody waits for a lookup that outlasted the deadline: it cannot be interrupted."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)
