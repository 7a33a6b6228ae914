"""A list that is narrowed is found by an index, however few it shows of however many."""

from datetime import timedelta

import pytest

from crm.clock import database_now
from crm.models import Creator, Fan
from crm.paging import page_of
from crm.segments import select
from crm.sorting import sorting_of, usual_sort
from crm.tests.factories import make_creator, make_fan
from crm.tests.plans import analyze, plan_of

#: By each condition the index that has the list, in its usual order.
INDEXES = {
    "boughtWithinDays": "fan_by_last_purchase",
    "unlockedWithinDays": "fan_by_last_purchase",
    "tippedWithinDays": "fan_by_last_purchase",
    "expiresWithinDays": "fan_by_subscription_end",
    "expiredWithinDays": "fan_by_subscription_end",
}
FLAGS = {
    ("blocked", True): "fan_blocked",
    ("subscriptionPaid", True): "fan_paying",
    ("subscriptionPaid", False): "fan_for_free",
}


@pytest.fixture
def creator(db: None) -> Creator:
    """With many fans, of whom few are anything special."""
    creator, now = make_creator(), database_now()
    Fan.objects.bulk_create(Fan(creator=creator, platform_id=f"usual_{number}") for number in range(500))
    special = {"blocked_at": now, "last_purchase_at": now, "subscription_ends_at": now}
    Fan.objects.bulk_create(
        Fan(creator=creator, platform_id=f"special_{price}", subscription_price_cents=price, **special)
        for price in (0, 500)
    )
    analyze("crm_fan")
    return creator


@pytest.mark.parametrize(("condition", "index"), INDEXES.items())
def test_whoever_fulfils_a_condition_stands_together(creator: Creator, condition: str, index: str) -> None:
    sorting = sorting_of(usual_sort([condition]), [condition])
    sign = "-" if sorting.descending else ""
    found = select(Fan.objects.all(), {condition: 7}, creator=creator)

    plan = plan_of(found.order_by(f"{sign}{sorting.column}", f"{sign}pk")[:51], sorts=False)

    assert index in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(("flag", "index"), FLAGS.items())
def test_the_few_of_whom_something_is_so_have_an_index(creator: Creator, flag: tuple[str, bool], index: str) -> None:
    found = select(Fan.objects.all(), dict([flag]), creator=creator)

    assert index in plan_of(found.order_by("-created_at", "-pk")[:51], sorts=False)


def test_nobody_is_looked_for_who_has_not_what_they_are_sorted_by(
    creator: Creator, django_assert_num_queries: object
) -> None:
    """The list ends with its last fan: a query for those without the value would go through everybody else."""
    make_fan(creator, last_purchase_at=database_now() - timedelta(days=1))
    rows = select(Fan.objects.all(), {"boughtWithinDays": 7}, creator=creator)

    with django_assert_num_queries(1):  # type: ignore[operator]
        page = page_of(rows, sorting_of("-lastPurchaseAt", ["boughtWithinDays"]))

    assert len(page.rows) == 3
    assert not sorting_of("-valueCents", ["boughtWithinDays"]).always


def test_a_place_among_those_without_the_value_is_good_in_a_list_of_those_with_it(creator: Creator) -> None:
    everybody = page_of(Fan.objects.filter(creator=creator), sorting_of("-lastPurchaseAt", []), limit=100)
    rows = select(Fan.objects.all(), {"boughtWithinDays": 7}, creator=creator)

    page = page_of(rows, sorting_of("-lastPurchaseAt", ["boughtWithinDays"]), cursor=everybody.next)

    assert page.rows == []


class TestWhoCannotBeWrittenTo:
    @pytest.fixture(params=[1000, 1])
    def few(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("crm.conditions.FEW", request.param)

    @pytest.mark.usefixtures("few")
    def test_is_blocked_or_without_an_id_be_they_few_or_many(self, creator: Creator) -> None:
        Fan.objects.create(creator=creator, handle="nameless")
        Fan.objects.create(creator=make_creator(), handle="foreign")

        found = select(Fan.objects.all(), {"reachable": False}, creator=creator)

        assert {fan.display_name for fan in found} == {"special_0", "special_500", "nameless"}
        others = select(Fan.objects.all(), {"reachable": True}, creator=creator)
        assert others.count() == 500

    def test_is_found_by_key_while_they_are_few(self, creator: Creator) -> None:
        found = select(Fan.objects.all(), {"reachable": False}, creator=creator)

        assert "platform_id" not in str(found.query).split("WHERE")[1]
