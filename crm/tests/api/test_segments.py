from typing import Any

import pytest

from crm.models import Creator, Segment
from crm.tests.api.asking import Api
from crm.tests.factories import make_fan

pytestmark = pytest.mark.django_db

SEGMENTS = "/api/crm/segments"


def test_a_segment_is_written_counted_shown_and_listed(asks: Api, creator: Creator) -> None:
    for value in (100, 200, 300):
        make_fan(creator, handle=f"fan{value}", value_cents=value)

    segment = asks.post(SEGMENTS, name="Spenders", rule={"valueMin": 200})
    address = f"{SEGMENTS}/{segment['id']}"

    assert asks.get(f"{address}/count") == {"count": 2}
    assert [fan["handle"] for fan in asks.get(f"{address}/sample")["results"]] == ["fan300", "fan200"]
    listed = asks.get(f"/api/crm/fans?segment={segment['id']}&sort=valueCents&limit=1")
    assert [fan["handle"] for fan in listed["results"]] == ["fan200"]
    assert [fan["handle"] for fan in asks.get(listed["next"])["results"]] == ["fan300"]
    assert asks.patch(address, rule={"valueMin": 300})["name"] == "Spenders"
    assert asks.get(f"{address}/count") == {"count": 1}
    assert asks.refused("put", address, name="All") == ["rule"]
    assert asks.put(address, name="All", rule={})["rule"] == {}
    assert [each["name"] for each in asks.get(SEGMENTS)["results"]] == ["All"]
    asks.delete(address)
    assert not Segment.objects.exists()


def test_a_rule_is_shown_what_it_would_choose_before_it_is_saved(asks: Api, creator: Creator) -> None:
    make_fan(creator, value_cents=500)

    preview = asks.post(f"{SEGMENTS}/preview", status=200, rule={"valueMin": 200})

    assert (preview["count"], len(preview["results"])) == (1, 1)
    assert not Segment.objects.exists()


def test_what_is_wrong_in_a_rule_is_named_by_its_path(asks: Api, creator: Creator) -> None:
    rule = {"all": [{"valueMin": -1}, {"silentForDays": 0}]}

    for address, named in [(SEGMENTS, dict[str, Any](name="x")), (f"{SEGMENTS}/preview", {})]:
        assert asks.refused("post", address, rule=rule, **named) == ["rule.all.0.valueMin", "rule.all.1.silentForDays"]


def test_a_name_is_there_once(asks: Api, creator: Creator) -> None:
    asks.post(SEGMENTS, name="All", rule={})

    assert asks.refused("post", SEGMENTS, status=409, name="ALL", rule={}) == ["name"]


def test_a_chatter_reads_them_and_does_not_write_them(asks: Api, chatter_asks: Api, creator: Creator) -> None:
    segment = asks.post(SEGMENTS, name="All", rule={})

    assert chatter_asks.get(SEGMENTS)["results"] == [segment]
    chatter_asks.post(SEGMENTS, status=403, name="Mine", rule={})
    chatter_asks.delete(f"{SEGMENTS}/{segment['id']}", status=403)


def test_ready_made_ones_are_there_for_everybody(asks: Api) -> None:
    ready = asks.get(f"{SEGMENTS}/ready-made")["results"]

    assert {"key": "spent-100", "name": "Spent 100 or more", "rule": {"valueMin": 10000}} in ready
