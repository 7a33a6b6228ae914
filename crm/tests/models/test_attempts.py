from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.models import SignInBucket
from crm.tests.parallel import at_once

INTERVAL, BURST = timedelta(minutes=1), 3


def take(subject: str = "account:ava") -> float:
    return SignInBucket.objects.take(subject, interval=INTERVAL, burst=BURST)


@pytest.mark.django_db
class TestLaw:
    def test_a_burst_passes_and_then_it_says_when_there_is_room(self) -> None:
        assert [take() for _attempt in range(BURST)] == [0] * BURST
        assert 50 < take() <= 60

    def test_another_subject_has_its_own(self) -> None:
        for _attempt in range(BURST):
            take()

        assert take("account:bea") == 0

    def test_after_each_interval_there_is_room_for_one(self) -> None:
        for _attempt in range(BURST):
            take()
        SignInBucket.objects.update(full_at=database_now() + (BURST - 1) * INTERVAL)

        assert [bool(take()) for _attempt in range(2)] == [False, True]

    def test_what_is_given_back_is_there_again(self) -> None:
        for _attempt in range(BURST):
            take()

        SignInBucket.objects.give_back("account:ava", interval=INTERVAL)

        assert [bool(take()) for _attempt in range(2)] == [False, True]

    def test_nobody_saves_up_more_than_a_burst(self) -> None:
        take()
        SignInBucket.objects.update(full_at=database_now() - timedelta(days=1))

        assert [bool(take()) for _attempt in range(BURST + 1)] == [False] * BURST + [True]


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_moment_only_a_burst_passes() -> None:
    assert sorted(bool(wait) for wait in at_once(take, 8)) == [False] * BURST + [True] * (8 - BURST)
