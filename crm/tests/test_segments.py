from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from crm import segments
from crm.conditions import CONDITIONS
from crm.models import Creator, Fan, Tag
from crm.tests.factories import make_creator, make_fan
from crm.tests.plans import analyze, plan_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    creator = make_creator()
    for handle, value, days in (("ann", 100, 1), ("bob", 200, 10), ("cid", 300, 100), ("dot", 0, None)):
        make_fan(
            creator,
            handle=handle,
            value_cents=value,
            last_seen_at=None if days is None else timezone.now() - timedelta(days=days),
        )
    make_fan(handle="foreign", value_cents=100)
    return creator


def chosen(creator: Creator, rule: Any) -> str:
    fans = segments.select(Fan.objects.all(), rule, creator=creator).order_by("handle")
    return " ".join(fan.handle for fan in fans)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, "ann bob cid dot"),
        ({"valueMin": 200}, "bob cid"),
        ({"valueMin": 100, "seenWithinDays": 30}, "ann bob"),
        ({"all": [{"valueMin": 200}, {"silentForDays": 30}]}, "cid"),
        ({"any": [{"valueMax": 100}, {"silentForDays": 30}]}, "ann cid dot"),
        ({"not": {"valueMin": 200}}, "ann dot"),
        ({"not": {"seenWithinDays": 30}}, "cid dot"),
        ({"valueMin": 100, "not": {"any": [{"search": "ann"}, {"search": "bob"}]}}, "cid"),
        ({"any": [{"search": "ann"}, {"all": [{"valueMin": 200}, {"not": {"search": "cid"}}]}]}, "ann bob"),
        ({"topPercent": 20}, "cid"),
        ({"topPercent": 34}, "bob cid"),
        ({"topPercent": 100}, "ann bob cid"),
    ],
)
def test_a_rule_chooses_those_of_the_creator_for_whom_it_holds(
    creator: Creator, rule: dict[str, Any], expected: str
) -> None:
    assert chosen(creator, rule) == expected


def deep(levels: int) -> dict[str, Any]:
    return {"not": deep(levels - 1)} if levels > 1 else {"valueMin": 1}


@pytest.mark.parametrize(
    ("rule", "paths"),
    [
        (None, ["rule"]),
        ([], ["rule"]),
        ({"all": []}, ["rule.all"]),
        ({"all": {}}, ["rule.all"]),
        ({"any": [{"valueMin": 1}, 5]}, ["rule.any.1"]),
        ({"not": []}, ["rule.not"]),
        ({"spent": 5}, ["rule.spent"]),
        (
            {"all": [{"valueMin": "many"}, {"priority": "yes", "unread": True}]},
            ["rule.all.0.valueMin", "rule.all.1.priority"],
        ),
        ({"valueMin": True}, ["rule.valueMin"]),
        ({"valueMin": 1.5}, ["rule.valueMin"]),
        ({"search": ""}, ["rule.search"]),
        ({"search": "a\0b"}, ["rule.search"]),
        ({"assigned": "me"}, ["rule.assigned"]),
        ({"tag": "unheard of"}, ["rule.tag"]),
        (deep(6), ["rule.not.not.not.not.not"]),
        ({"any": [{"valueMin": 1}] * 51}, ["rule"]),
    ],
)
def test_what_is_wrong_is_named_by_its_path(creator: Creator, rule: Any, paths: list[str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        segments.check(rule, creator=creator)

    assert list(refusal.value.message_dict) == paths


def test_a_rule_at_its_limits_is_accepted(creator: Creator) -> None:
    assert segments.check(deep(5), creator=creator) == deep(5)
    assert segments.check({"any": [{"valueMin": 1}] * 50}, creator=creator)


def test_a_tag_is_kept_by_its_id_so_that_it_may_be_renamed(creator: Creator) -> None:
    tag = Tag.objects.add(creator, name="VIP")
    tag.put_on([Fan.objects.get(handle="bob")])

    rule = segments.check({"not": {"tag": "vip"}}, creator=creator)
    tag.rename("Whale")

    assert rule == {"not": {"tag": str(tag.public_id)}}
    assert chosen(creator, rule) == "ann cid dot"


def test_another_creators_tag_is_no_tag(creator: Creator) -> None:
    foreign = Tag.objects.add(make_creator(), name="VIP")

    with pytest.raises(ValidationError):
        segments.check({"tag": str(foreign.public_id)}, creator=creator)


@pytest.mark.parametrize("ready_made", segments.READY_MADE, ids=lambda segment: segment.key)
def test_every_ready_made_segment_can_be_read_and_asked(creator: Creator, ready_made: segments.ReadyMade) -> None:
    segments.check(ready_made.rule, creator=creator)
    segments.select(Fan.objects.all(), ready_made.rule, creator=creator).count()


def test_who_never_bought_is_listed_in_the_order_of_an_index(creator: Creator) -> None:
    """They are most of the fans: whoever first found all of them would sort them all."""
    many = [Fan(creator=creator, handle=f"many{n}", value_cents=max(0, n - 300)) for n in range(500)]
    Fan.objects.bulk_create(many)
    analyze("crm_fan")

    found = segments.select(Fan.objects.all(), {"neverBought": True}, creator=creator)

    assert "fan_by_creation" in plan_of(found.order_by("-created_at", "-pk")[:51])


def test_there_is_a_ready_made_segment_for_every_use() -> None:
    assert len({each.key for each in segments.READY_MADE}) == len(segments.READY_MADE) == 16


def test_the_limits_of_a_number_are_said_in_groups_of_digits(creator: Creator) -> None:
    with pytest.raises(ValidationError, match="A whole number from 1 to 3,660"):
        segments.check({"silentForDays": 4_000}, creator=creator)


def test_every_condition_says_in_words_and_in_a_schema_what_it_is() -> None:
    assert all(str(condition.words) and condition.kind.schema for condition in CONDITIONS.values())
