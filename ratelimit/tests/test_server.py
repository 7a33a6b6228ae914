"""How the address of a Redis is written, what lies behind each form, and what happens when it breaks."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ratelimit.bucket import Ask, Bucket, Denied, GateUnavailable, Limit, Lost, State, Taken
from ratelimit.server import shown
from tests.servers import RedisProcess

LIMITS = [Limit(10, 60, 3)]
KEY = "rl:{a}"
ASKS = [Ask(f"rl:{{{name}}}", LIMITS) for name in "abcdefgh"]


@pytest.fixture
def own(make_redis: Callable[..., RedisProcess]) -> RedisProcess:
    """A Redis that nobody else needs."""
    return make_redis()


@pytest.fixture
def sentinel_of(make_redis: Callable[..., RedisProcess], tmp_path: Path) -> Callable[..., RedisProcess]:
    """Starts a Sentinel that calls a Redis "main"; its further lines are given without the word sentinel."""

    def start(main: RedisProcess, *lines: str) -> RedisProcess:
        host, _colon, port = main.endpoint.rpartition(":")
        config = tmp_path / "sentinel.conf"
        config.write_text("".join(f"sentinel {line}\n" for line in (f"monitor main {host} {port} 1", *lines)))
        return make_redis(str(config), "--sentinel")

    return start


def free(bucket: Bucket) -> int:
    state = bucket.peek(KEY, LIMITS)
    assert isinstance(state, State)
    return state.free


class TestAddress:
    @pytest.mark.parametrize(
        "endpoint",
        [
            "redis:6379",
            "127.0.0.1:1",
            "r-1.cache.amazonaws.com:65535",
            "[::1]:6379",
            "::1:6379",
            "redis://redis",
            "redis://user:secret@[::1]:6379/2",
            "rediss://redis:6380/0?ssl_ca_certs=/etc/ca.pem",
            "unix:///run/redis.sock",
            "redis+sentinel://one,two:26380/main",
            "rediss+sentinel://user:secret@one/main/1?sentinel_password=other",
            "redis+cluster://one:7000,[::1]:7001",
            "rediss+cluster://user:secret@one",
        ],
    )
    def test_has_many_forms(self, endpoint: str) -> None:
        Bucket.at(endpoint)

    @pytest.mark.parametrize(
        "endpoint",
        [
            "",
            "redis",
            "redis:",
            ":6379",
            "redis:port",
            "redis:0",
            "redis:65536",
            "me@redis:6379",
            "redis:6379/0",
            "http://redis:6379",
            "redis://",
            "redis://one,two",
            "redis+sentinel://one",
            "redis+cluster://one:0",
        ],
    )
    def test_that_is_none_is_refused(self, endpoint: str) -> None:
        with pytest.raises(ValueError, match=r"host|begins|[Pp]ort|service"):
            Bucket.at(endpoint)

    @pytest.mark.parametrize(
        ("endpoint", "words"),
        [
            ("redis:6379", "redis:6379"),
            ("rediss://user:secret@redis:6379/0", "rediss://redis:6379/0"),
            ("redis+sentinel://one/main?sentinel_password=secret", "redis+sentinel://one/main"),
        ],
    )
    def test_is_shown_without_its_password(self, endpoint: str, words: str) -> None:
        assert shown(endpoint) == words


class TestKinds:
    def test_a_database_and_a_password(self, own: RedisProcess) -> None:
        own.client.config_set("requirepass", "secret")
        bucket = Bucket.at(f"redis://:secret@{own.endpoint}/3")

        assert isinstance(bucket.take(KEY, LIMITS), Taken)

        own.client.execute_command("AUTH", "secret")
        assert own.client.info("keyspace").keys() == {"db3"}

    def test_a_cluster(self, make_redis: Callable[..., RedisProcess]) -> None:
        nodes = [make_redis("--cluster-enabled", "yes") for _node in range(2)]
        for node, (first, last) in zip(nodes, [(0, 8191), (8192, 16383)], strict=True):
            node.client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
        host, _colon, port = nodes[0].endpoint.rpartition(":")
        bus = nodes[0].client.config_get("cluster-port")["cluster-port"]
        nodes[1].client.execute_command("CLUSTER MEET", host, port, bus)
        wait_until(lambda: all(node.client.cluster("info")["cluster_state"] == "ok" for node in nodes))
        bucket = Bucket.at(f"redis+cluster://{nodes[0].endpoint}")

        assert all(isinstance(answer, Taken) for answer in bucket.take_many(ASKS))
        assert [answer.free for answer in bucket.peek_many(ASKS) if isinstance(answer, State)] == 8 * [2]
        assert all(node.client.dbsize() for node in nodes), "keys lie on both"
        bucket.reset(KEY)
        bucket.ping()
        assert free(bucket) == 3

        for node in nodes:
            node.kill()
        with pytest.raises(GateUnavailable):
            bucket.take_many(ASKS)

    def test_a_sentinel(self, own: RedisProcess, sentinel_of: Callable[..., RedisProcess]) -> None:
        main, sentinel = own, sentinel_of(own)
        bucket = Bucket.at(f"redis+sentinel://{sentinel.endpoint}/main")

        assert isinstance(bucket.take(KEY, LIMITS), Taken)
        assert all(isinstance(answer, Taken) for answer in bucket.take_many(ASKS))
        assert main.client.pttl(KEY) > 0

        main.kill()
        with pytest.raises(GateUnavailable):
            bucket.take(KEY, LIMITS)

    def test_a_failover_is_followed_to_the_replica_and_what_it_was_told(
        self, make_redis: Callable[..., RedisProcess], sentinel_of: Callable[..., RedisProcess]
    ) -> None:
        main, replica, slow = make_redis(), make_redis(), [Limit(10, 86_400, 3)]
        host, _colon, port = main.endpoint.rpartition(":")
        replica.client.replicaof(host, int(port))
        sentinel = sentinel_of(main, "down-after-milliseconds main 500", "failover-timeout main 5000")
        wait_until(lambda: bool(sentinel.client.sentinel_slaves("main")))
        bucket = Bucket.at(f"redis+sentinel://{sentinel.endpoint}/main")
        assert isinstance(bucket.take(KEY, slow), Taken)
        wait_until(lambda: bool(replica.client.exists(KEY)))

        main.kill()
        with pytest.raises(GateUnavailable):
            bucket.take(KEY, slow)

        wait_until(lambda: is_answered(bucket), 60)
        assert replica.client.role()[0] == "master"
        state = bucket.peek(KEY, slow)
        assert isinstance(state, State)
        assert state.free == 2

    def test_a_service_that_no_sentinel_knows_is_out_of_reach(self) -> None:
        with pytest.raises(GateUnavailable):
            Bucket.at("redis+sentinel://127.0.0.1:1/main").ping()

    def test_a_cluster_that_is_not_there_is_out_of_reach(self) -> None:
        bucket = Bucket.at("redis+cluster://127.0.0.1:1")

        with pytest.raises(GateUnavailable):
            bucket.take(KEY, LIMITS)
        with pytest.raises(GateUnavailable):
            bucket.peek_many(ASKS)


@pytest.fixture(params=["one", "behind a Sentinel"])
def bucket(request: pytest.FixtureRequest, own: RedisProcess, sentinel_of: Callable[..., RedisProcess]) -> Bucket:
    """The buckets on ``own``, by each way to a single Redis."""
    if request.param == "one":
        return Bucket.at(own.endpoint)
    return Bucket.at(f"redis+sentinel://{sentinel_of(own).endpoint}/main")


class TestFaults:
    def test_a_flush_of_scripts_is_not_noticed(self, own: RedisProcess, bucket: Bucket) -> None:
        bucket.take(KEY, LIMITS)

        own.client.script_flush()
        assert len(bucket.take_many(ASKS)) == len(ASKS)
        own.client.script_flush()
        assert isinstance(bucket.take(KEY, LIMITS), Taken)

        assert free(bucket) == 0, "each was charged once"

    def test_a_killed_connection_is_replaced(self, own: RedisProcess, bucket: Bucket) -> None:
        bucket.take(KEY, LIMITS)

        own.client.client_kill_filter(_type="normal", skipme=True)

        wait_until(lambda: is_answered(bucket))
        assert free(bucket) == 2

    def test_a_restart_is_survived_and_what_was_lost_is_known(self, own: RedisProcess, bucket: Bucket) -> None:
        taken = bucket.take(KEY, LIMITS)
        assert isinstance(taken, Taken)

        own.kill()
        with pytest.raises(GateUnavailable):
            bucket.take(KEY, LIMITS)
        own.start()

        assert bucket.take(KEY, LIMITS, not_full_for=taken.state.full_in) == Lost()
        assert isinstance(bucket.take(KEY, LIMITS), Taken)

    def test_one_frozen_for_5_seconds_costs_a_bounded_time_a_question_and_no_token_twice(
        self, own: RedisProcess, bucket: Bucket
    ) -> None:
        bucket.ping()
        own.signal(signal.SIGSTOP)
        began = time.monotonic()

        for _question in range(2):
            with pytest.raises(GateUnavailable):
                bucket.take(KEY, LIMITS)
        with pytest.raises(GateUnavailable):
            bucket.peek_many(ASKS)
        lasted = time.monotonic() - began
        while time.monotonic() < began + 5:
            with pytest.raises(GateUnavailable):
                bucket.peek_many(ASKS)

        own.signal(signal.SIGCONT)
        assert lasted < 15, "three questions, half a second each, on a machine that is busy"
        wait_until(lambda: is_answered(bucket))
        # Nobody knows whether the two were charged; not more than once each.
        assert free(bucket) >= 1

    def test_a_full_one_grants_nothing_that_it_cannot_write_down(self, own: RedisProcess, bucket: Bucket) -> None:
        for _token in range(3):
            bucket.take(KEY, LIMITS)
        own.client.config_set("maxmemory", 1)

        with pytest.raises(GateUnavailable, match="maxmemory"):
            bucket.take("rl:{b}", LIMITS)
        with pytest.raises(GateUnavailable, match="maxmemory"):
            bucket.take_many(ASKS[1:])
        assert isinstance(bucket.take(KEY, LIMITS), Denied), "what is known is still known"

        own.client.config_set("maxmemory", 0)
        assert isinstance(bucket.take("rl:{b}", LIMITS), Taken)

    def test_after_an_error_half_way_no_answer_is_left_for_whoever_asks_next(
        self, own: RedisProcess, bucket: Bucket
    ) -> None:
        bucket.peek_many(ASKS)
        used = others_on(own)
        assert used
        own.client.config_set("maxmemory", 1)

        with pytest.raises(GateUnavailable, match="maxmemory"):
            bucket.take_many(ASKS)

        wait_until(lambda: not used & others_on(own))

    def test_a_replica_grants_nothing(self, own: RedisProcess, make_redis: Callable[..., RedisProcess]) -> None:
        host, _colon, port = own.endpoint.rpartition(":")
        replica = make_redis("--replicaof", f"{host} {port}")

        with pytest.raises(GateUnavailable):
            Bucket.at(replica.endpoint).take(KEY, LIMITS)


def others_on(redis: RedisProcess) -> set[str]:
    """The connections there, without the test's own and a Sentinel's, which have names."""
    mine = str(redis.client.client_id())
    return {client["id"] for client in redis.client.client_list() if not client["name"]} - {mine}


def is_answered(bucket: Bucket) -> bool:
    try:
        bucket.ping()
    except GateUnavailable:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)
