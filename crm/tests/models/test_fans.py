"""Finding people and messages by the names that a platform has for them."""

import re

import pytest

from crm.models import Creator, Fan, Message, Platform
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message
from crm.tests.plans import analyze, plan_of


@pytest.fixture
def creator(db: None) -> Creator:
    return make_creator()


class TestOfPlatformId:
    def test_finds_a_fan_by_the_unique_index(self, creator: Creator) -> None:
        # Of a few rows a planner takes any index; of many that it has counted, the one that fits.
        Fan.objects.bulk_create(Fan(creator=creator, platform_id=f"fan_{number}") for number in range(500))
        analyze("crm_fan")
        there = Fan.objects.filter(creator=creator, platform=Platform.ONLYFANS)

        assert "fan_once_per_platform_id" in plan_of(there.of_platform_id("42").order_by("pk")[:1])
        assert "fan_once_per_platform_id" in plan_of(there.of_platform_id("42", "43"))

    def test_finds_a_message_by_the_unique_index(self, creator: Creator) -> None:
        make_message(make_conversation(fan=make_fan(creator)))

        there = Message.objects.filter(creator=creator)

        assert "message_once_per_platform_id" in plan_of(there.of_platform_id("42").order_by("pk")[:1])

    def test_nobody_and_nothing_has_an_empty_one(self, creator: Creator) -> None:
        fan = Fan.objects.create(creator=creator, handle="nameless")
        make_message(make_conversation(fan=fan))

        assert not Fan.objects.of_platform_id("").exists()
        assert not Message.objects.of_platform_id("").exists()


class TestOfHandle:
    def test_finds_who_has_no_id_by_the_unique_index(self, creator: Creator) -> None:
        make_fan(creator)
        there = Fan.objects.filter(creator=creator, platform=Platform.ONLYFANS)

        assert re.search("fan_by_handle|fan_once_per_handle", plan_of(there.of_handle("Sam").order_by("pk")[:1]))
