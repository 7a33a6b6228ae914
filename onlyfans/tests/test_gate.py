"""A creator's law at the gate, and what is left of it when Redis forgets or is not there."""

from datetime import datetime, timedelta

import pytest
import redis
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries, Settings

from crm.clock import database_now
from crm.models import Creator, Dispatch, Line, Membership
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_message, make_user
from onlyfans import gate
from ratelimit.bucket import Denied, GateUnavailable, Limit, Lost, State, Taken

pytestmark = pytest.mark.django_db


@pytest.fixture
def line() -> Line:
    """One message a minute."""
    return make_creator(pace="1/60").line


@pytest.fixture
def no_redis(settings: Settings) -> None:
    """Nobody listens where Redis should be."""
    settings.REDIS_ENDPOINT = "127.0.0.1:1"


def send(creator: Creator, *, seconds_ago: float) -> None:
    """The ledger remembers a call that began so long ago."""
    began = database_now() - timedelta(seconds=seconds_ago)
    make_message(make_conversation(creator), status=Status.SENT, sending_at=began)


def expect_a_bucket(line: Line) -> Line:
    """The bucket cannot be full before a minute from now."""
    return remember(line, full_in=60)


def remember_another_law(line: Line) -> Line:
    line.bucket_law = "1/1"
    return line


def remember(line: Line, *, full_in: float) -> Line:
    """The line knows when its bucket is full, under the law that is in force."""
    line.bucket_full_at, line.bucket_law = database_now() + timedelta(seconds=full_in), line.creator.law
    line.save()
    return line


class TestLimits:
    def test_without_a_pace_of_its_own_a_creator_has_the_default(self, settings: Settings) -> None:
        settings.HUNTAZE_PACE = "20/60"

        assert gate.limits_of(make_creator()) == (Limit(20, 60 * 1.005, 1),)

    def test_the_default_is_ten_a_minute_evenly_spaced(self) -> None:
        (limit,) = gate.limits_of(make_creator())

        assert (limit.interval_us, limit.burst) == (6_030_000, 1)

    def test_a_creators_own_pace_wins(self, settings: Settings) -> None:
        settings.HUNTAZE_PACE = "20/60"

        assert gate.limits_of(make_creator(pace="5/60:2")) == (Limit(5, 60 * 1.005, 2),)

    def test_a_burst_has_a_gap_of_three_seconds(self, settings: Settings, redis_server: redis.Redis) -> None:
        settings.HUNTAZE_BURST_GAP_SECONDS = 3.0
        line = make_creator(pace="5/60:2").line

        first, second = gate.take(line), gate.take(line)

        assert isinstance(first, Taken)
        assert isinstance(second, Denied)
        assert second.limit == Limit(1, 3 * 1.005, 1)
        assert second.retry_in == pytest.approx(3.015, abs=0.5)

    def test_a_cap_never_lets_more_through_in_any_period(self) -> None:
        _pace, hour, day = gate.limits_of(make_creator(pace="10/60, 100/3600, 250/86400"))

        assert (hour, day) == (Limit(75, 3600, 25), Limit(187, 86400, 63))
        for limit, cap in ((hour, 100), (day, 250)):
            assert limit.burst + limit.limit == cap

    def test_a_pace_that_cannot_be_read_lets_nothing_through(self, redis_server: redis.Redis) -> None:
        with pytest.raises(ValidationError):
            gate.take(make_creator(pace="often").line)


class TestOpensIn:
    def test_it_is_what_the_bucket_says_now_whatever_the_line_remembers(
        self, line: Line, redis_server: redis.Redis
    ) -> None:
        before = gate.opens_in(line, database_now())
        gate.take(line)

        assert (before, line.hold_until) == (0.0, None)
        assert gate.opens_in(line, database_now()) == pytest.approx(60.3, abs=1)

    def test_the_estimate_of_a_bulk_send_begins_there(
        self, line: Line, client: Client, redis_server: redis.Redis
    ) -> None:
        """Nobody wrote a hold into the line, and nothing else waits."""
        make_membership(user := make_user(), line.creator, role=Membership.Role.OWNER)
        client.force_login(user)
        Dispatch.note(heartbeat_at=database_now())
        gate.take(line)

        body = {"recipientIds": [make_fan(line.creator).platform_id], "content": "Hello"}
        sent = client.post("/api/messages/bulk", body, content_type="application/json").json()

        waits = datetime.fromisoformat(sent["estimatedCompletionTime"]) - database_now()
        assert waits.total_seconds() == pytest.approx(60.3, abs=5)

    def test_without_redis_nobody_can_say(self, line: Line, no_redis: None) -> None:
        assert gate.opens_in(line, database_now()) is None

    def test_a_pace_that_cannot_be_read_is_said_elsewhere(self, redis_server: redis.Redis) -> None:
        assert gate.opens_in(make_creator(pace="often").line, database_now()) == 0.0


class TestTake:
    def test_a_token_is_there_and_the_next_one_comes_at_the_pace(self, line: Line, redis_server: redis.Redis) -> None:
        taken, denied = gate.take(line), gate.take(line)

        assert isinstance(taken, Taken)
        assert taken.state.next_in == pytest.approx(60.3)
        assert isinstance(denied, Denied)
        assert denied.retry_in == pytest.approx(60.3, abs=1)
        assert denied.limit == Limit(1, 60.3, 1)

    def test_creators_do_not_wait_for_each_other(self, line: Line, redis_server: redis.Redis) -> None:
        gate.take(line)

        assert isinstance(gate.take(make_creator(pace="1/60").line), Taken)

    def test_one_creator_has_one_key_in_one_slot(self, line: Line, redis_server: redis.Redis) -> None:
        gate.take(line)
        gate.hold(line, seconds=5)

        assert redis_server.keys() == [f"rl:{{{line.creator.public_id}}}"]

    def test_a_refund_gives_the_token_back(self, line: Line, redis_server: redis.Redis) -> None:
        taken = gate.take(line)
        assert isinstance(taken, Taken)

        state = gate.refund(line.creator, taken)

        assert isinstance(state, State)
        assert state.free == 1
        assert isinstance(gate.take(line), Taken)

    def test_a_refund_to_a_bucket_that_redis_forgot_says_so(self, line: Line, redis_server: redis.Redis) -> None:
        taken = gate.take(line)
        assert isinstance(taken, Taken)
        redis_server.flushall()

        assert gate.refund(line.creator, taken) == Lost()

    def test_a_hold_on_a_bucket_that_redis_forgot_rebuilds_it_first(
        self, line: Line, redis_server: redis.Redis
    ) -> None:
        make_message(make_conversation(line.creator), status=Status.SENT, sending_at=database_now())

        gate.hold(line, seconds=0.001)

        assert isinstance(gate.take(line), Denied), "the message that went out is not forgotten"

    def test_a_hold_of_the_platform_has_no_limit_to_blame(self, line: Line, redis_server: redis.Redis) -> None:
        gate.hold(line, seconds=90)

        denied = gate.take(line)

        assert isinstance(denied, Denied)
        assert denied.limit is None
        assert denied.retry_in == pytest.approx(90, abs=1)

    def test_a_look_takes_nothing(self, line: Line, redis_server: redis.Redis) -> None:
        assert [gate.peek(line).free for _look in range(3)] == [1, 1, 1]

    def test_a_change_of_the_pace_holds_from_the_next_take_and_refills_nothing(
        self, line: Line, redis_server: redis.Redis
    ) -> None:
        gate.take(line)

        line.creator.pace = "10/60"
        denied = gate.take(line)

        assert isinstance(denied, Denied)
        assert 0 < denied.retry_in <= 60.3


class TestLostState:
    def test_a_missing_key_is_a_full_bucket_once_it_would_be_full(self, line: Line, redis_server: redis.Redis) -> None:
        send(line.creator, seconds_ago=10)

        assert isinstance(gate.take(remember(line, full_in=-1)), Taken)

    def test_a_key_that_is_missing_before_is_rebuilt_from_the_ledger(
        self, line: Line, redis_server: redis.Redis
    ) -> None:
        send(line.creator, seconds_ago=20)

        denied = gate.take(expect_a_bucket(line))

        assert isinstance(denied, Denied)
        assert denied.retry_in == pytest.approx(40.3, abs=1)

    def test_a_look_rebuilds_too(self, line: Line, redis_server: redis.Redis) -> None:
        send(line.creator, seconds_ago=20)

        state = gate.peek(expect_a_bucket(line))

        assert state.free == 0
        assert state.next_in == pytest.approx(40.3, abs=1)

    def test_flushing_redis_gives_no_burst_back(self, redis_server: redis.Redis) -> None:
        line = make_creator(pace="100/1, 8/3600").line
        for seconds_ago in (3, 2, 1):
            send(line.creator, seconds_ago=seconds_ago)
        redis_server.flushall()

        # Two of the burst of ⌈8/4⌉ are long gone.
        assert isinstance(gate.take(expect_a_bucket(line)), Denied)

    def test_lost_state_without_calls_in_the_ledger_is_a_full_bucket(
        self, line: Line, redis_server: redis.Redis
    ) -> None:
        make_message(make_conversation(line.creator))

        assert isinstance(gate.take(expect_a_bucket(line)), Taken)

    def test_calls_of_another_creator_count_for_nobody_else(self, line: Line, redis_server: redis.Redis) -> None:
        send(make_creator(), seconds_ago=1)

        assert isinstance(gate.take(expect_a_bucket(line)), Taken)


class TestFailover:
    """A replica that was promoted may be behind: its state is older than what the ledger knows."""

    def test_what_the_replica_never_heard_of_is_not_sent_again(self, line: Line, redis_server: redis.Redis) -> None:
        send(line.creator, seconds_ago=0)
        redis_server.flushall()
        # The replica's bucket: full again in a second, while the line knows of a call a moment ago.
        gate.bucket().rebuild(gate._key(line.creator), gate.limits_of(line.creator), [59.3])

        denied = gate.take(expect_a_bucket(line))

        assert isinstance(denied, Denied)
        assert denied.retry_in == pytest.approx(60.3, abs=1)

    def test_a_replica_that_was_up_to_date_is_believed(
        self, line: Line, redis_server: redis.Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gate.take(line)
        monkeypatch.setattr(gate, "_rebuild", lambda *_args: pytest.fail("nothing is lost"))

        assert isinstance(gate.take(expect_a_bucket(line)), Denied)


class TestAddedLimit:
    def test_starts_from_the_calls_of_the_ledger(self, line: Line, redis_server: redis.Redis) -> None:
        line.creator.pace = "100/1"
        assert isinstance(gate.take(line), Taken)
        for seconds_ago in range(40, 10, -10):
            send(line.creator, seconds_ago=seconds_ago)

        line.creator.pace = "100/1, 4/3600"
        denied = gate.take(remember_another_law(line))

        assert isinstance(denied, Denied)
        assert denied.limit == Limit(3, 3600, 1)

    def test_also_when_the_bucket_was_full_and_gone(self, line: Line, redis_server: redis.Redis) -> None:
        send(line.creator, seconds_ago=100)
        remember(line, full_in=-40)

        line.creator.pace = "1/60, 1/3600"

        denied = gate.take(line)
        assert isinstance(denied, Denied)
        assert denied.retry_in == pytest.approx(3500, abs=2)

    def test_a_known_law_does_not_ask_the_ledger(
        self, line: Line, redis_server: redis.Redis, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        remember(line, full_in=-1)
        clock = 1 if connection.vendor == "postgresql" else 0

        with django_assert_num_queries(clock):
            gate.take(line)


class TestManyLines:
    def test_are_looked_at_together(self, redis_server: redis.Redis) -> None:
        lines = [remember(make_creator(pace="1/60").line, full_in=-1) for _creator in range(3)]
        gate.take(lines[1])

        free = gate.peek_many(lines)

        assert [free[line.pk].free for line in lines] == [1, 0, 1]

    def test_one_with_a_pace_that_cannot_be_read_is_left_out(self, line: Line, redis_server: redis.Redis) -> None:
        broken = make_creator(pace="often").line

        assert list(gate.peek_many([broken, line])) == [line.pk]

    def test_each_that_was_lost_is_rebuilt(self, line: Line, redis_server: redis.Redis) -> None:
        other = make_creator(pace="1/60").line
        send(line.creator, seconds_ago=20)

        free = gate.peek_many([expect_a_bucket(line), expect_a_bucket(other)])

        assert [free[line.pk].free, free[other.pk].free] == [0, 1]


class TestWithoutRedis:
    @pytest.mark.usefixtures("no_redis")
    def test_nothing_passes(self, line: Line) -> None:
        taken = Taken(granted_at_us=1, cost=1, state=gate.OPEN)

        with pytest.raises(GateUnavailable):
            gate.take(line)
        with pytest.raises(GateUnavailable):
            gate.peek(line)
        with pytest.raises(GateUnavailable):
            gate.refund(line.creator, taken)
        with pytest.raises(GateUnavailable):
            gate.hold(line, seconds=1)

    @pytest.mark.usefixtures("no_redis")
    def test_with_the_rate_limiter_off_nobody_asks_it(self, line: Line, settings: Settings) -> None:
        settings.RATE_LIMITER_ENABLED = False

        taken = gate.take(line)

        assert isinstance(taken, Taken)
        assert gate.peek(line) == gate.refund(line.creator, taken) == gate.OPEN
        gate.hold(line, seconds=1)
