"""The law, whatever happens: grants in any interval t <= burst + t * rate, for every limit of a bucket.

Properties are checked on a real Redis by a test build of the script, which takes the time from a key instead of from
the server. ``TEST_DEPTH=50`` looks fifty times deeper, and elsewhere each time.
"""

import multiprocessing
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Any

import pytest
import redis
from django.conf import settings
from hypothesis import HealthCheck, assume, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from ratelimit.bucket import SCRIPT, Bucket, Denied, Limit, Lost, Never, State, Taken

DEPTH = int(os.environ.get("TEST_DEPTH", "1"))
look = profile(
    max_examples=30 * DEPTH,
    deadline=None,
    database=None,
    derandomize=DEPTH == 1,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

SERVER_TIME = """local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
"""
TEST_TIME = "local now = tonumber(redis.call('GET', KEYS[1] .. ':now'))\n"
#: Far ahead of the server's own clock, so that nothing expires by that one while a test steps its own back and forth.
BEGINNING = 2_000_000_000_000_000
SECOND = 1_000_000
HOUR = 3_600 * SECOND


class TestBuild(Bucket):
    """Asks the test what time it is."""

    __test__ = False
    script = SCRIPT.replace(SERVER_TIME, TEST_TIME)


@dataclass
class World:
    """One bucket, the time on the server's clock, and the time that has really passed."""

    client: "redis.Redis"
    bucket: Bucket
    key: str = field(default_factory=lambda: f"rl:{{{uuid.uuid4()}}}")
    now: int = BEGINNING
    passed: int = 0
    grants: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.step(0)

    def wait(self, microseconds: int) -> None:
        self.passed += microseconds
        self.step(microseconds)

    def step(self, microseconds: int) -> None:
        """Move the server's clock only. A key goes when its time is over by that clock, as Redis would do it."""
        self.now += microseconds
        self.client.set(f"{self.key}:now", self.now)
        if 0 < self.client.pexpiretime(self.key) < self.now // 1_000:
            self.client.delete(self.key)

    def take(self, limits: list[Limit], cost: int = 1) -> Taken | Denied | Never | Lost:
        answer = self.bucket.take(self.key, limits, cost=cost)
        if isinstance(answer, Taken):
            assert answer.granted_at_us == self.now
            self.grants.append((self.passed, cost))
        return answer

    def free(self, limits: list[Limit]) -> int:
        state = self.bucket.peek(self.key, limits)
        assert isinstance(state, State)
        return state.free

    def assert_lawful(self, limits: list[Limit], *, more: int = 0) -> None:
        """Every interval between two grants, in whole microseconds. ``more`` is what a test allows besides."""
        for first, last in combinations_with_replacement(range(len(self.grants)), 2):
            granted = sum(cost for _at, cost in self.grants[first : last + 1])
            lasted = self.grants[last][0] - self.grants[first][0]
            for limit in limits:
                assert (granted - limit.burst - more) * limit.interval_us <= lasted, (limit, self.grants)


@pytest.fixture
def make_world(redis_server: redis.Redis) -> Callable[[], World]:
    bucket = TestBuild.at(settings.REDIS_ENDPOINT)
    return lambda: World(redis_server, bucket)


@st.composite
def limit_of(draw: st.DrawFn) -> Limit:
    grants = draw(st.integers(1, 50))
    period = draw(st.sampled_from([0.001, 0.007, 1.0, 60.0, 60.3, 3_600.0, 86_400.0]))
    return Limit(grants, period, draw(st.integers(1, 12)))


laws = st.lists(limit_of(), min_size=1, max_size=4)
#: Waits that matter: nothing, a bit around an interval, several, very long.
waits = st.tuples(st.sampled_from([0, 0, 0.5, 0.999_999, 1, 1, 1.000_001, 2.5, 7, 1_000]), st.integers(-2, 2))
costs = st.integers(1, 4)
steps = st.lists(st.tuples(waits, costs), min_size=1, max_size=12)


def microseconds(wait: tuple[float, int], limits: list[Limit]) -> int:
    return max(0, int(wait[0] * limits[0].interval_us) + wait[1])


class TestTheLaw:
    @look
    @given(law=laws, steps=st.lists(st.tuples(waits, costs), min_size=1, max_size=25))
    def test_holds_for_every_limit_and_every_interval(
        self, make_world: Callable[[], World], law: list[Limit], steps: Any
    ) -> None:
        world = make_world()

        for wait, cost in steps:
            world.wait(microseconds(wait, law))
            world.take(law, cost)

        world.assert_lawful(law)

    @look
    @given(law=laws, steps=steps)
    def test_a_denial_charges_nothing_and_names_the_moment_to_the_microsecond(
        self, make_world: Callable[[], World], law: list[Limit], steps: Any
    ) -> None:
        world = make_world()
        for wait, cost in steps:
            world.wait(microseconds(wait, law))
            before = world.bucket.peek(world.key, law)
            answer = world.take(law, cost)
            if isinstance(answer, Never):
                assert any(cost > limit.burst for limit in law)
            if not isinstance(answer, Denied):
                continue
            assert world.bucket.peek(world.key, law) == before
            left = round(answer.retry_in * SECOND)
            world.wait(left - 1)
            again = world.take(law, cost)
            assert isinstance(again, Denied)
            assert round(again.retry_in * SECOND) == 1
            world.wait(1)
            assert isinstance(world.take(law, cost), Taken), "whoever waits exactly that long is granted"

    @look
    @given(law=laws, steps=steps)
    def test_a_look_says_what_a_take_would_get(
        self, make_world: Callable[[], World], law: list[Limit], steps: Any
    ) -> None:
        world = make_world()
        for wait, cost in steps:
            world.wait(microseconds(wait, law))
            world.take(law, cost)
            free = world.free(law)
            assert 0 <= free <= min(limit.burst for limit in law)
            if free:
                assert isinstance(world.take(law, free), Taken)
            assert not isinstance(world.take(law), Taken)

    @look
    @given(law=laws, steps=steps)
    def test_a_key_lives_exactly_until_its_bucket_is_full(
        self, make_world: Callable[[], World], law: list[Limit], steps: Any
    ) -> None:
        world = make_world()
        for wait, cost in steps:
            world.wait(microseconds(wait, law))
            if isinstance(answer := world.take(law, cost), Taken):
                full_at = world.now + round(answer.state.full_in * SECOND)
                expires_at = (world.client.pexpiretime(world.key) + 1) * 1_000
                assert full_at <= expires_at < full_at + 2_000, "a key goes in the millisecond after its time"


class TestClock:
    @look
    @given(
        law=laws,
        steps=st.lists(
            st.tuples(waits, costs, st.sampled_from([0, 0, 0, -1, -SECOND, -HOUR])), min_size=1, max_size=20
        ),
    )
    def test_stepping_back_grants_nothing_extra(
        self, make_world: Callable[[], World], law: list[Limit], steps: Any
    ) -> None:
        world = make_world()

        for wait, cost, back in steps:
            world.step(back)
            world.wait(microseconds(wait, law))
            world.take(law, cost)

        world.assert_lawful(law)

    @look
    @given(law=laws, back=st.integers(1, 1_000 * HOUR), looks=st.integers(1, 4))
    def test_stepping_back_locks_nobody_out_for_longer_than_an_empty_bucket_takes(
        self, make_world: Callable[[], World], law: list[Limit], back: int, looks: int
    ) -> None:
        world = make_world()
        while isinstance(world.take(law), Taken):
            pass
        world.step(-back)

        for _look in range(looks):
            world.free(law)
            world.wait(1)
        world.wait(max(limit.interval_us * limit.burst for limit in law))

        assert isinstance(world.take(law), Taken)

    @look
    @given(law=laws, ahead=st.integers(1, 1_000 * HOUR))
    def test_stepping_ahead_grants_one_burst_at_most(
        self, make_world: Callable[[], World], law: list[Limit], ahead: int
    ) -> None:
        world = make_world()
        for _jump in range(2):
            while isinstance(world.take(law), Taken):
                pass
            world.step(ahead)

        world.assert_lawful(law, more=min(limit.burst for limit in law))


class TestRefund:
    @look
    @given(
        law=st.lists(
            st.builds(Limit, st.just(10), st.sampled_from([1.0, 60.0]), st.integers(1, 3)), min_size=1, max_size=2
        ),
        steps=st.lists(st.tuples(st.sampled_from([0, 0, 0.5, 1, 1.5]), st.booleans()), min_size=1, max_size=20),
    )
    def test_never_gives_more_than_the_law(self, make_world: Callable[[], World], law: list[Limit], steps: Any) -> None:
        """``steps``: wait, take, and now and then give the oldest grant back that nobody has given back yet."""
        world = make_world()
        receipts: list[tuple[Taken, tuple[int, int]]] = []

        for intervals, gives_back in steps:
            world.wait(int(intervals * law[0].interval_us))
            answer = world.take(law)
            if isinstance(answer, Taken):
                receipts.append((answer, world.grants[-1]))
            if gives_back and receipts:
                receipt, grant = receipts.pop(0)
                world.bucket.refund(world.key, law, receipt)
                world.grants.remove(grant)
                assert world.free(law) <= min(limit.burst for limit in law)

        world.assert_lawful(law)

    def test_gives_nothing_that_others_have_used_since(self, make_world: Callable[[], World]) -> None:
        world, law = make_world(), [Limit(10, 60, 2)]
        first = world.take(law)
        assert isinstance(first, Taken)
        world.wait(4 * SECOND)
        world.take(law)

        world.bucket.refund(world.key, law, first)

        # 4 s of its 6 have flowed back by themselves and are used: only the other 2 s are given.
        assert world.bucket.peek(world.key, law) == State(1, 0.0, 6.0)

    @look
    @given(law=laws, cost=costs)
    def test_at_once_undoes_the_take(self, make_world: Callable[[], World], law: list[Limit], cost: int) -> None:
        world = make_world()
        before = world.free(law)
        answer = world.take(law, cost)
        assume(isinstance(answer, Taken))
        assert isinstance(answer, Taken)

        world.bucket.refund(world.key, law, answer)

        assert world.free(law) == before
        assert not world.client.exists(world.key)


class TestHold:
    @look
    @given(law=laws, seconds=st.floats(0.001, 100_000), waits=st.lists(waits, max_size=8))
    def test_grants_nothing_before_it_is_over_and_no_more_afterwards(
        self, make_world: Callable[[], World], law: list[Limit], seconds: float, waits: Any
    ) -> None:
        world = make_world()
        world.take(law)
        world.bucket.hold(world.key, law, seconds=seconds)
        over = world.passed + min(int(seconds * SECOND), 24 * HOUR)

        for wait in waits:
            world.wait(microseconds(wait, law))
            answer = world.take(law)
            assert not (isinstance(answer, Taken) and world.passed < over)

        world.assert_lawful(law)

    def test_until_a_moment_of_the_server_s_clock(self, make_world: Callable[[], World]) -> None:
        world, law = make_world(), [Limit(10, 60, 2)]
        taken = world.take(law)
        assert isinstance(taken, Taken)

        world.bucket.hold_until(world.key, law, at_us=taken.granted_at_us + 20 * SECOND)

        assert world.take(law) == Denied(20.0, None)
        world.wait(20 * SECOND)
        assert isinstance(world.take(law), Taken)

    def test_a_clock_that_stepped_back_holds_nobody_for_longer_than_a_day(
        self, make_world: Callable[[], World]
    ) -> None:
        world, law = make_world(), [Limit(10, 60, 2)]
        world.bucket.hold(world.key, law, seconds=60)
        world.step(-1_000 * HOUR)

        assert world.take(law) == Denied(86_400.0, None)
        world.wait(24 * HOUR)
        assert isinstance(world.take(law), Taken)


class TestChangedLaw:
    @look
    @given(
        law=laws,
        numbers=st.lists(st.tuples(st.integers(1, 50), st.integers(1, 12)), min_size=4, max_size=4),
        steps=steps,
    )
    def test_never_refills(self, make_world: Callable[[], World], law: list[Limit], numbers: Any, steps: Any) -> None:
        world = make_world()
        for wait, cost in steps:
            world.wait(microseconds(wait, law))
            world.take(law, cost)
        had = world.free(law)
        assume(world.client.exists(world.key))

        changed = [Limit(new[0], old.period, new[1]) for old, new in zip(law, numbers, strict=False)]

        assert world.free(changed) <= had
        if world.client.exists(world.key):
            assert world.free(law) <= had, "nor does changing it back, but to a bucket that was full and gone"

    @look
    @given(before=laws, after=laws, steps=steps)
    def test_without_a_ledger_an_added_limit_has_what_the_tightest_had_left(
        self, make_world: Callable[[], World], before: list[Limit], after: list[Limit], steps: Any
    ) -> None:
        assume(not {limit.period for limit in before} & {limit.period for limit in after})
        world = make_world()
        for wait, cost in steps:
            world.wait(microseconds(wait, before))
            world.take(before, cost)
        had = world.free(before)
        assume(world.client.exists(world.key))

        assert world.free(after) <= had

    def test_holds_from_the_next_look_on(self, make_world: Callable[[], World]) -> None:
        """Under the old law the next token would come after a second, under the new one after an hour."""
        world = make_world()
        fast, slow = [Limit(60, 60, 1)], [Limit(1, 60, 1)]
        world.take(fast)
        assert world.free(slow) == 0

        world.wait(30 * SECOND)

        assert world.free(slow) == 0
        assert world.free(fast) == 0

    def test_an_added_limit_is_lost_state_to_whoever_knows_better(self, make_world: Callable[[], World]) -> None:
        world, minute, day = make_world(), Limit(10, 60, 3), Limit(100, 86_400, 25)
        world.take([minute])

        assert world.bucket.take(world.key, [minute, day], not_full_for=1e-6) == Lost()
        state = world.bucket.rebuild(world.key, [minute, day], [3_600.0 - number for number in range(25)])

        assert state.free == 2, "the minute knows of the one that was taken"
        assert world.free([day]) == 4, "25 calls began an hour ago, 4 of them have flowed back"

    def test_a_removed_limit_leaves_the_others_as_they_are(self, make_world: Callable[[], World]) -> None:
        world, minute, day = make_world(), Limit(10, 60, 3), Limit(100, 86_400, 25)
        for _token in range(2):
            world.take([minute, day])

        assert world.free([day]) == 23
        assert world.free([minute, day]) == 3, "the minute is new again, and at most what its neighbour has"


class TestLostState:
    @look
    @given(law=laws, steps=steps)
    def test_a_rebuilt_bucket_grants_no_more_than_the_one_that_was_lost(
        self, make_world: Callable[[], World], law: list[Limit], steps: Any
    ) -> None:
        world = make_world()
        for wait, _cost in steps:
            world.wait(microseconds(wait, law))
            world.take(law)
        before = world.bucket.peek(world.key, law)
        world.client.delete(world.key)

        after = world.bucket.rebuild(world.key, law, [(world.passed - at) / SECOND for at, _cost in world.grants])

        assert after == before
        assert world.bucket.rebuild(world.key, law, []) == before, "a second one changes nothing"

    def test_a_bucket_that_is_fuller_than_the_ledger_knows_is_lost(self, make_world: Callable[[], World]) -> None:
        world, law = make_world(), [Limit(10, 60, 3)]
        world.take(law)

        assert isinstance(world.bucket.peek(world.key, law, not_full_for=6.9), State)
        assert world.bucket.peek(world.key, law, not_full_for=7.1) == Lost()
        assert world.bucket.hold(world.key, law, seconds=1, not_full_for=7.1) == Lost()


class TestContention:
    def test_eight_processes_get_what_is_permitted_and_nothing_else(self, redis_server: redis.Redis) -> None:
        law, context = [Limit(200, 1, 400), Limit(9_000, 30, 4_000)], multiprocessing.get_context("fork")
        # Empty, so that a machine which is busy elsewhere for less than two seconds wastes nothing of the permitted.
        emptied = Bucket.at(settings.REDIS_ENDPOINT).take("rl:{contended}", law, cost=400)
        assert isinstance(emptied, Taken)
        until = time.monotonic() + 1.5

        with ProcessPoolExecutor(8, context) as pool:
            asking = [pool.submit(_take_all, settings.REDIS_ENDPOINT, law, until) for _process in range(8)]
            granted = sorted(at for process in asking for at in process.result())

        for place, at in enumerate(granted, start=1):
            assert place * law[0].interval_us <= at - emptied.granted_at_us
        assert len(granted) >= 0.995 * (granted[-1] - emptied.granted_at_us) // law[0].interval_us


def _take_all(endpoint: str, law: list[Limit], until: float) -> list[int]:
    bucket, granted = Bucket.at(endpoint), []
    while True:
        answer = bucket.take("rl:{contended}", law)
        if isinstance(answer, Taken):
            granted.append(answer.granted_at_us)
        elif time.monotonic() >= until:
            # Nothing is left over that a busy machine had no time to ask for.
            return granted


class TestProduction:
    """What the test build can, production cannot: nobody tells it what time it is."""

    def test_the_test_build_differs_in_its_clock_only(self) -> None:
        assert SCRIPT.count(SERVER_TIME) == 1
        assert SCRIPT.replace(SERVER_TIME, "") == TestBuild.script.replace(TEST_TIME, "")
        assert Bucket.script == SCRIPT

    def test_reads_no_other_key_and_no_argument_but_one(self) -> None:
        assert SCRIPT.count("redis.call(") == 4, "TIME, GET, SET, DEL"
        assert SCRIPT.count("KEYS[1]") == SCRIPT.count("KEYS[")
        assert SCRIPT.count("ARGV[1]") == SCRIPT.count("ARGV[")

    def test_does_not_believe_a_time_beside_the_bucket(self, redis_server: redis.Redis) -> None:
        redis_server.set("rl:{a}:now", BEGINNING)

        answer = Bucket.at(settings.REDIS_ENDPOINT).take("rl:{a}", [Limit(10, 60, 1)])

        assert isinstance(answer, Taken)
        seconds, _microseconds = redis_server.time()
        assert abs(answer.granted_at_us / SECOND - seconds) < 60
