"""TCP between a client and a server, which a test can cut, silence, slow down, or answer in the server's place."""

import asyncio
import socket
import threading
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from huntaze.laptop.environment import free_ports

T = TypeVar("T")
CHUNK = 65_536
#: As much of a request as is kept.
HEAD = 500


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer in the server's place: ``parts`` one after the other, ``pause`` seconds before each."""

    parts: Sequence[bytes]
    pause: float = 0.0


class Proxy:
    """In front of one port of this machine. It passes everything on until it is told otherwise; ``mend`` ends that."""

    def __init__(self, port_behind: int) -> None:
        self.port_behind = port_behind
        (self.port,) = free_ports(1)
        #: When each connection said its first words, by this process's monotonic clock, and how the words began.
        self.heard: list[tuple[float, bytes]] = []
        self._canned: dict[bytes, Canned] = {}
        self._recited: list[bytes] = []
        self._delay = 0.0
        self._open: set[asyncio.StreamWriter] = set()
        self._fillers: list[socket.socket] = []
        self._loop = asyncio.new_event_loop()
        self._requests_pass, self._answers_pass = asyncio.Event(), asyncio.Event()
        self._server: asyncio.Server | None = None
        threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True).start()
        self.mend()

    # --- What a test says

    def mend(self) -> None:
        """Everything passes again."""
        self._run(self._mend())

    def cut(self) -> None:
        """Refuse connections, and reset the open ones."""
        self._run(self._cut())

    def silence(self) -> None:
        """A black hole: connections come about and stay, and nothing passes either way."""
        self._run(self._let_pass(requests=False, answers=False))

    def swallow_answers(self) -> None:
        """Half open: the server hears and acts, the client never learns of it."""
        self._run(self._let_pass(requests=True, answers=False))

    def slow_down(self, seconds: float) -> None:
        """Each chunk waits this long."""
        self._delay = seconds

    def answer(self, canned: Canned, *, to: bytes = b"") -> None:
        """Answer requests that begin with something in which ``to`` stands; the server hears nothing of them."""
        self._canned[to] = canned

    def deafen(self) -> None:
        """Let nobody even connect: SYNs are dropped, as behind a firewall."""
        self.cut()
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self._fillers = [listener]
        for _place in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)

    def heard_since(self, moment: float, word: bytes = b"") -> list[float]:
        """When requests with this word in their beginning came, since a moment of the monotonic clock."""
        return [at for at, words in self.heard if at >= moment and word in words]

    def refused(self, word: bytes) -> int:
        """How many requests with this word in their beginning were answered in the server's place."""
        return sum(word in words for words in self._recited)

    def close(self) -> None:
        self.cut()
        self._run(self._end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)

    # --- In the loop's thread

    async def _mend(self) -> None:
        self._canned.clear()
        self._delay = 0.0
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()
        await self._let_pass(requests=True, answers=True)
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _cut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()

    async def _end_all(self) -> None:
        everything = asyncio.all_tasks() - {asyncio.current_task()}
        for task in everything:
            task.cancel()
        await asyncio.gather(*everything, return_exceptions=True)

    async def _let_pass(self, *, requests: bool, answers: bool) -> None:
        for passes, wanted in ((self._requests_pass, requests), (self._answers_pass, answers)):
            (passes.set if wanted else passes.clear)()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            # In each protocol that is spoken here the client speaks first.
            words = await reader.read(CHUNK)
            self.heard.append((time.monotonic(), words[:HEAD]))
            canned = next((canned for word, canned in self._canned.items() if word in words), None)
            if canned:
                self._recited.append(words[:HEAD])
                await _recite(canned, writer)
            else:
                await self._pass_on(words, reader, writer)
        except OSError:
            pass
        finally:
            self._open.discard(writer)
            writer.close()

    async def _pass_on(self, words: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._requests_pass.wait()
        answers, behind = await asyncio.open_connection("127.0.0.1", self.port_behind)
        self._open.add(behind)
        try:
            behind.write(words)
            await asyncio.gather(
                self._pump(reader, behind, self._requests_pass), self._pump(answers, writer, self._answers_pass)
            )
        finally:
            self._open.discard(behind)
            behind.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event) -> None:
        while chunk := await reader.read(CHUNK):
            await passes.wait()
            await asyncio.sleep(self._delay)
            writer.write(chunk)
            await writer.drain()
        await passes.wait()
        if writer.can_write_eof():
            writer.write_eof()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(5)


async def _recite(canned: Canned, writer: asyncio.StreamWriter) -> None:
    for part in canned.parts:
        await asyncio.sleep(canned.pause)
        writer.write(part)
        await writer.drain()
