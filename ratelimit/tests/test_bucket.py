import socket
import threading
import time
from collections.abc import Iterator

import pytest
import redis
from pytest_django import Settings

from ratelimit.bucket import Bucket, Denied, GateUnavailable, Limit, Lost, Never, Taken

TEN_A_MINUTE = [Limit(10, 60, 1)]
KEY = "rl:{a}"


@pytest.fixture
def bucket(redis_server: redis.Redis, settings: Settings) -> Bucket:
    return Bucket.at(settings.REDIS_ENDPOINT)


@pytest.fixture
def frozen_port() -> Iterator[int]:
    """A port that takes connections and never answers, like a Redis that was stopped with SIGSTOP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


class TestTake:
    def test_grants_the_burst_and_then_says_exactly_how_long_to_wait(self, bucket: Bucket) -> None:
        granted = bucket.take(KEY, TEN_A_MINUTE)
        denied = bucket.take(KEY, TEN_A_MINUTE)

        assert isinstance(granted, Taken)
        assert granted.state.next_in == 6.0
        assert isinstance(denied, Denied)
        assert 5.9 < denied.retry_in <= 6.0
        assert denied.limit == TEN_A_MINUTE[0]

    def test_waiting_exactly_that_long_succeeds(self, bucket: Bucket) -> None:
        limits = [Limit(10, 1, 1)]
        bucket.take(KEY, limits)
        denied = bucket.take(KEY, limits)
        assert isinstance(denied, Denied)

        due = time.monotonic() + denied.retry_in
        while time.monotonic() < due:
            pass

        assert isinstance(bucket.take(KEY, limits), Taken)

    def test_charges_every_limit_or_none(self, bucket: Bucket) -> None:
        minute, day = Limit(10, 60, 5), Limit(100, 86_400, 2)
        assert isinstance(bucket.take(KEY, [minute, day]), Taken)
        assert isinstance(bucket.take(KEY, [minute, day]), Taken)

        denied = bucket.take(KEY, [minute, day])

        assert isinstance(denied, Denied)
        assert denied.limit == day
        assert bucket.peek(KEY, [minute, day]).free == 0  # type: ignore[union-attr]
        assert bucket.peek("rl:{b}", [minute, day]).free == 2  # type: ignore[union-attr]

    def test_never_grants_a_cost_above_a_burst(self, bucket: Bucket) -> None:
        assert bucket.take(KEY, TEN_A_MINUTE, cost=2) == Never(TEN_A_MINUTE[0])
        assert isinstance(bucket.take(KEY, TEN_A_MINUTE), Taken)

    def test_keeps_creators_apart(self, bucket: Bucket) -> None:
        bucket.take(KEY, TEN_A_MINUTE)

        assert isinstance(bucket.take("rl:{b}", TEN_A_MINUTE), Taken)

    def test_holds_the_law_among_threads(self, bucket: Bucket) -> None:
        limits, seconds = [Limit(50, 1, 5)], 1.0
        granted: list[int] = []

        def take_all() -> None:
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                answer = bucket.take(KEY, limits)
                if isinstance(answer, Taken):
                    granted.append(answer.granted_at_us)

        threads = [threading.Thread(target=take_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        granted.sort()
        for first, earlier in enumerate(granted):
            for last in range(first, len(granted)):
                assert last - first + 1 <= 5 + (granted[last] - earlier) * 50 / 1_000_000
        assert len(granted) >= 5 + 0.9 * 50 * seconds


class TestKey:
    def test_lives_until_the_bucket_is_full_again(self, bucket: Bucket, redis_server: redis.Redis) -> None:
        bucket.take(KEY, TEN_A_MINUTE)

        assert 5_900 < redis_server.pttl(KEY) <= 6_000

    def test_is_not_kept_for_a_full_bucket(self, bucket: Bucket, redis_server: redis.Redis) -> None:
        bucket.peek(KEY, TEN_A_MINUTE)

        assert not redis_server.exists(KEY)

    def test_is_lost_state_when_the_caller_knows_better(self, bucket: Bucket) -> None:
        assert bucket.take(KEY, TEN_A_MINUTE, not_full_for=60) == Lost()
        assert bucket.peek(KEY, TEN_A_MINUTE, not_full_for=60) == Lost()

    def test_is_lost_state_when_a_limit_was_added(self, bucket: Bucket) -> None:
        bucket.take(KEY, TEN_A_MINUTE)

        assert bucket.take(KEY, [*TEN_A_MINUTE, Limit(250, 86_400, 60)], not_full_for=60) == Lost()


class TestRebuild:
    def test_replays_what_was_sent(self, bucket: Bucket) -> None:
        limits = [Limit(10, 60, 3)]

        state = bucket.rebuild(KEY, limits, [10.0, 5.0, 1.0])

        # 12 s owed from the second 10 on, 18 in all, minus what flowed back.
        assert state.free == 1
        assert state.full_in == pytest.approx(8.0, abs=0.1)

    def test_never_gives_more_than_a_full_bucket_owes(self, bucket: Bucket) -> None:
        assert bucket.rebuild(KEY, TEN_A_MINUTE, [2.0, 1.0, 0.5]).full_in <= 6.0

    def test_leaves_a_key_that_came_back_alone(self, bucket: Bucket) -> None:
        bucket.take(KEY, TEN_A_MINUTE)

        assert bucket.rebuild(KEY, TEN_A_MINUTE, []).free == 0


class TestChangedLaw:
    def test_never_refills(self, bucket: Bucket) -> None:
        bucket.take(KEY, TEN_A_MINUTE)

        assert isinstance(bucket.take(KEY, [Limit(10, 60, 3)]), Denied)

    def test_holds_from_the_next_take(self, bucket: Bucket) -> None:
        bucket.take(KEY, TEN_A_MINUTE)

        denied = bucket.take(KEY, [Limit(100, 60, 1)])

        assert isinstance(denied, Denied)
        assert denied.retry_in <= 0.6


class TestHold:
    def test_denies_until_it_is_over_and_names_no_limit(self, bucket: Bucket) -> None:
        bucket.hold(KEY, TEN_A_MINUTE, seconds=20)

        denied = bucket.take(KEY, TEN_A_MINUTE)

        assert isinstance(denied, Denied)
        assert denied.limit is None
        assert 19 < denied.retry_in <= 20

    def test_a_longer_hold_stays(self, bucket: Bucket) -> None:
        bucket.hold(KEY, TEN_A_MINUTE, seconds=20)

        assert bucket.hold(KEY, TEN_A_MINUTE, seconds=1).next_in > 19  # type: ignore[union-attr]


class TestRefund:
    def test_gives_an_unused_token_back(self, bucket: Bucket) -> None:
        receipt = bucket.take(KEY, TEN_A_MINUTE)
        assert isinstance(receipt, Taken)

        bucket.refund(KEY, TEN_A_MINUTE, receipt)

        assert isinstance(bucket.take(KEY, TEN_A_MINUTE), Taken)

    def test_gives_nothing_back_that_has_flowed_back_by_itself(self, bucket: Bucket) -> None:
        limits = [Limit(10, 60, 2)]
        bucket.take(KEY, limits)
        long_ago = Taken(granted_at_us=0, cost=1, state=bucket.peek(KEY, limits))  # type: ignore[arg-type]

        bucket.refund(KEY, limits, long_ago)

        assert bucket.peek(KEY, limits).free == 1  # type: ignore[union-attr]


class TestTrouble:
    def test_survives_script_flush(self, bucket: Bucket, redis_server: redis.Redis) -> None:
        bucket.take(KEY, TEN_A_MINUTE)
        redis_server.script_flush()

        assert isinstance(bucket.take(KEY, TEN_A_MINUTE), Denied)

    def test_says_so_when_nobody_listens(self) -> None:
        with pytest.raises(GateUnavailable):
            Bucket.at("127.0.0.1:1").take(KEY, TEN_A_MINUTE)

    def test_says_so_when_redis_does_not_answer(self, frozen_port: int) -> None:
        started = time.monotonic()

        with pytest.raises(GateUnavailable):
            Bucket.at(f"127.0.0.1:{frozen_port}").take(KEY, TEN_A_MINUTE)

        assert time.monotonic() - started < 10

    @pytest.mark.parametrize(("limit", "period", "burst"), [(0, 60, 1), (10, 0, 1), (10, 60, 0)])
    def test_refuses_a_limit_that_is_none(self, limit: int, period: float, burst: int) -> None:
        with pytest.raises(ValueError, match="limit"):
            Limit(limit, period, burst)
