"""The Redis that the buckets live on: how its address is written, and how a script gets there and back.

Every call has an answer or an error within ``TIMEOUT_SECONDS`` a connection, a reply and a redirection, and nothing is
asked twice: the first call may have been executed. Only NOSCRIPT is, once, because it certainly was not.
"""

import os
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha1
from typing import Any, Protocol, cast
from urllib.parse import SplitResult, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.cluster import ClusterNode, RedisCluster
from redis.exceptions import NoScriptError, RedisClusterException, RedisError
from redis.retry import Retry
from redis.sentinel import Sentinel

#: A frozen or unreachable Redis must cost a worker less than a second.
TIMEOUT_SECONDS = 0.5
#: A connection that was used so recently is not asked whether it is still open.
IN_USE_SECONDS = 0.01
PORT, SENTINEL_PORT = 6379, 26379
PORT_MAX = 65_535

#: What the script returns: one string.
Reply = bytes


class GateUnavailable(Exception):
    """Redis gave no answer. Nobody knows whether a token was taken; whoever sends must not send."""


class Server(Protocol):
    """Runs one script on keys. Everything raises GateUnavailable."""

    def run(self, key: str, argument: bytes) -> Reply: ...

    def run_many(self, calls: Sequence[tuple[str, bytes]]) -> list[Reply]:
        """Each key with its argument, in as few round trips as there are servers."""
        ...

    def command(self, *words: str) -> Any: ...


def server_at(endpoint: str, script: str) -> Server:
    """The server at an address as ``REDIS_ENDPOINT`` has it; nobody is connected to yet. Raises ValueError.

    host:port, [IPv6]:port
    redis://[user:password@]host[:port][/database]; rediss:// with TLS, unix:///path
    redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/database]
    redis+cluster://[user:password@]host[:port][,host[:port]…]
    The last two with TLS as rediss+sentinel:// and rediss+cluster://. A Sentinel's own password is the query
    ``sentinel_password``.
    """
    if "://" not in endpoint:
        endpoint = f"redis://{_bracketed(endpoint)}"
        if urlsplit(endpoint).port is None or "@" in endpoint or urlsplit(endpoint).path:
            raise ValueError("host:port is needed")
    url = _split(endpoint)
    scheme, _plus, kind = url.scheme.partition("+")
    options = _OPTIONS | ({"ssl": True} if scheme == "rediss" else {}) | _credentials(url)
    match scheme, kind:
        case ("redis" | "rediss", "cluster"):
            nodes = [ClusterNode(host, port) for host, port in _hosts(url, PORT)]
            return _Client(lambda: RedisCluster(startup_nodes=nodes, **options), script)
        case ("redis" | "rediss", "sentinel"):
            service, _slash, database = url.path.strip("/").partition("/")
            if not service:
                raise ValueError("the name of the Sentinel's service is needed, as the path")
            client = _sentinel(url, options | {"db": int(database or 0)}).master_for(service)
            return _PooledConnections(client.connection_pool, script)
        case ("redis" | "rediss" | "unix", ""):
            if scheme != "unix" and len(_hosts(url, PORT)) > 1:
                raise ValueError("one host is needed; several are for redis+sentinel:// and redis+cluster://")
            return _HeldConnections(redis.ConnectionPool.from_url(endpoint, **_OPTIONS), script)
    raise ValueError("it begins with none of redis://, rediss://, unix://, redis+sentinel://, redis+cluster://")


def shown(endpoint: str) -> str:
    """The address without a password, for people and logs."""
    scheme, separator, rest = endpoint.rpartition("://")
    return scheme + separator + rest.rpartition("@")[2].partition("?")[0]


#: The old protocol: nothing here needs the new one's pushes, and a connection begins with one question less.
_OPTIONS: dict[str, Any] = {
    "socket_timeout": TIMEOUT_SECONDS,
    "socket_connect_timeout": TIMEOUT_SECONDS,
    "retry": Retry(NoBackoff(), 0),
    "protocol": 2,
}


class _Connections(ABC):
    """One Redis: a call is packed here, goes out on one connection, and its answer is read from it.

    redis-py's own call packs what it does not know beforehand, retries what must not be retried, and measures itself,
    which together takes longer than Redis takes to answer.
    """

    def __init__(self, pool: redis.ConnectionPool, script: str) -> None:
        self._pool = pool
        self._script = script.encode()
        sha = sha1(self._script, usedforsecurity=False).hexdigest()
        self._call = b"*5\r\n$7\r\nEVALSHA\r\n$40\r\n%b\r\n$1\r\n1\r\n" % sha.encode() + 2 * b"$%d\r\n%b\r\n"

    @abstractmethod
    def _borrowed(self) -> redis.Connection:
        """A connection that is open, with nothing to read. Raises RedisError."""

    @abstractmethod
    def _give_back(self, connection: redis.Connection) -> None: ...

    @abstractmethod
    def _drop(self, connection: redis.Connection) -> None:
        """Close it: an answer may still be under way, and nobody may take it for theirs."""

    def run(self, key: str, argument: bytes) -> Reply:
        # `_connection` unrolled: a generator would take a tenth of the call's time.
        try:
            connection = self._borrowed()
            try:
                connection.send_packed_command((self._packed(key, argument),), False)
                try:
                    reply = connection.read_response()
                except NoScriptError:
                    reply = self._ask(connection, b"EVAL", self._script, b"1", key, argument)
            except BaseException:
                self._drop(connection)
                raise
            self._give_back(connection)
        except RedisError as error:
            raise GateUnavailable(str(error)) from error
        return cast("Reply", reply)

    def run_many(self, calls: Sequence[tuple[str, bytes]]) -> list[Reply]:
        replies: list[Any] = []
        with self._connection() as connection:
            connection.send_packed_command((b"".join([self._packed(*call) for call in calls]),), False)
            for _call in calls:
                try:
                    replies.append(connection.read_response())
                except NoScriptError as missing:
                    replies.append(missing)
            for place, (key, argument) in enumerate(calls):
                if isinstance(replies[place], NoScriptError):
                    replies[place] = self._ask(connection, b"EVAL", self._script, b"1", key, argument)
        return replies

    def command(self, *words: str) -> Any:
        with self._connection() as connection:
            return self._ask(connection, *words)

    @contextmanager
    def _connection(self) -> Iterator[redis.Connection]:
        try:
            connection = self._borrowed()
            try:
                yield connection
            except BaseException:
                self._drop(connection)
                raise
            self._give_back(connection)
        except RedisError as error:
            raise GateUnavailable(str(error)) from error

    def _packed(self, key: str, argument: bytes) -> bytes:
        name = key.encode()
        return self._call % (len(name), name, len(argument), argument)

    @staticmethod
    def _ask(connection: redis.Connection, *words: str | bytes) -> Any:
        connection.send_packed_command(connection.pack_command(*words), False)
        return connection.read_response()


class _HeldConnections(_Connections):
    """Every thread keeps a connection, which saves what a pool does to lend one and to take it back."""

    def __init__(self, pool: redis.ConnectionPool, script: str) -> None:
        super().__init__(pool, script)
        self._held = threading.local()

    def _borrowed(self) -> redis.Connection:
        """This thread's. One that a fork brought along is the parent's, one that was closed is of no use."""
        held: _Held | None = getattr(self._held, "mine", None)
        now = time.monotonic()
        if held and held.process == os.getpid():
            if now < held.used_at + IN_USE_SECONDS or _is_well(held.connection):
                held.used_at = now
                return held.connection
            held.connection.disconnect()
        connection = cast("redis.Connection", self._pool.make_connection())
        connection.connect()
        self._held.mine = _Held(connection, os.getpid(), now)
        return connection

    def _give_back(self, connection: redis.Connection) -> None:
        """It is kept."""

    def _drop(self, connection: redis.Connection) -> None:
        self._held.mine = None
        connection.disconnect()


@dataclass(slots=True)
class _Held:
    connection: redis.Connection
    process: int
    used_at: float


def _is_well(connection: redis.Connection) -> bool:
    """Still open, and nothing to read: an answer that nobody asked for is somebody else's."""
    try:
        return not connection.can_read()
    except RedisError:
        return False


class _PooledConnections(_Connections):
    """Behind a Sentinel: its pool knows where the primary is now, so every call borrows a connection from it."""

    def _borrowed(self) -> redis.Connection:
        return self._pool.get_connection()

    def _give_back(self, connection: redis.Connection) -> None:
        self._pool.release(connection)

    def _drop(self, connection: redis.Connection) -> None:
        connection.disconnect()
        self._pool.release(connection)


class _Client:
    """A Cluster: its client knows where a key's primary is now, so every call goes through it."""

    def __init__(self, make: "Callable[[], redis.Redis | RedisCluster]", script: str) -> None:
        self._make = make
        self._known: redis.Redis | RedisCluster | None = None
        self._script, self._sha = script, sha1(script.encode(), usedforsecurity=False).hexdigest()

    def run(self, key: str, argument: bytes) -> Reply:
        try:
            try:
                reply = self._client.execute_command("EVALSHA", self._sha, 1, key, argument)
            except NoScriptError:
                reply = self._client.eval(self._script, 1, key, argument)
        except (RedisError, RedisClusterException) as error:
            raise GateUnavailable(str(error)) from error
        return cast("Reply", reply)

    def run_many(self, calls: Sequence[tuple[str, bytes]]) -> list[Reply]:
        try:
            pipeline = self._client.pipeline(transaction=False)
            for key, argument in calls:
                pipeline.execute_command("EVALSHA", self._sha, 1, key, argument)
            replies = pipeline.execute(raise_on_error=False)
        except (RedisError, RedisClusterException) as error:
            raise GateUnavailable(str(error)) from error
        for place, (key, argument) in enumerate(calls):
            if isinstance(replies[place], NoScriptError):
                replies[place] = self.run(key, argument)
            elif isinstance(replies[place], Exception):
                raise GateUnavailable(str(replies[place])) from replies[place]
        return cast("list[Reply]", replies)

    def command(self, *words: str) -> Any:
        try:
            return self._client.execute_command(*words)
        except (RedisError, RedisClusterException) as error:
            raise GateUnavailable(str(error)) from error

    @property
    def _client(self) -> "redis.Redis | RedisCluster":
        """Made at the first call, because a Cluster's client asks for the slots at once."""
        if self._known is None:
            self._known = self._make()
        return self._known


def _sentinel(url: SplitResult, options: dict[str, Any]) -> Sentinel:
    query = dict(pair.split("=", 1) for pair in url.query.split("&") if "=" in pair)
    own = _OPTIONS | {name: value for name, value in options.items() if name == "ssl"}
    if password := query.get("sentinel_password"):
        own |= {"password": unquote(password)}
    return Sentinel(_hosts(url, SENTINEL_PORT), sentinel_kwargs=own, **options)


def _split(address: str) -> SplitResult:
    """As urlsplit, which in newer Pythons refuses an IPv6 address behind another host."""
    scheme, _separator, rest = address.partition("://")
    rest, _question_mark, query = rest.partition("?")
    netloc, slash, path = rest.partition("/")
    return SplitResult(scheme.lower(), netloc, slash + path, query, "")


def _credentials(url: SplitResult) -> dict[str, str]:
    user, _colon, password = url.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _hosts(url: SplitResult, default_port: int) -> list[tuple[str, int]]:
    """The hosts of ``user:password@host:port,[IPv6]:port``. Raises ValueError."""
    found: list[tuple[str, int]] = []
    for part in url.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{part}")
        port = default_port if one.port is None else one.port
        if not one.hostname or not 0 < port <= PORT_MAX:
            raise ValueError(f"“{part}” is not host:port")
        found.append((one.hostname, port))
    return found


def _bracketed(endpoint: str) -> str:
    """An IPv6 address may stand without brackets: what follows the last colon is the port."""
    host, _colon, port = endpoint.rpartition(":")
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else endpoint
