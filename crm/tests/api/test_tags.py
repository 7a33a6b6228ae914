import uuid

import pytest

from crm import segments
from crm.models import Conversation, Creator, FanTag, Segment, Tag
from crm.tests.api.asking import Api
from crm.tests.factories import make_conversation, make_creator, make_fan

pytestmark = pytest.mark.django_db

TAGS = "/api/crm/tags"


@pytest.fixture
def tag(creator: Creator) -> Tag:
    return Tag.objects.add(creator, name="VIP")


def test_a_tag_is_added_found_renamed_and_removed(asks: Api, creator: Creator) -> None:
    added = asks.post(TAGS, name=" VIP ")
    address = f"{TAGS}/{added['id']}"

    assert (added["name"], added["creatorId"]) == ("VIP", str(creator.public_id))
    assert asks.get(TAGS)["results"] == [asks.get(address)]
    assert asks.patch(address, name="Very important")["name"] == "Very important"
    asks.delete(address)
    assert asks.get(address, status=404)


def test_a_name_is_there_once_whatever_its_case(asks: Api, tag: Tag) -> None:
    other = asks.post(TAGS, name="Élan")

    assert asks.refused("post", TAGS, status=409, name="vip") == ["name"]
    assert asks.refused("post", TAGS, status=409, name="ÉLAN") == ["name"]
    assert asks.refused("patch", f"{TAGS}/{other['id']}", status=409, name="Vip") == ["name"]
    assert asks.patch(f"{TAGS}/{other['id']}", name="ÉLAN")["name"] == "ÉLAN"


@pytest.mark.parametrize("name", ["", " ", "x" * 61, "a\0b"])
def test_a_name_that_cannot_be_is_refused(asks: Api, creator: Creator, name: str) -> None:
    assert asks.refused("post", TAGS, name=name) == ["name"]


class TestFans:
    def test_one_fan_gets_it_and_loses_it_however_often_that_is_said(
        self, asks: Api, creator: Creator, tag: Tag
    ) -> None:
        talk = make_conversation(creator)
        address = f"/api/crm/fans/{talk.fan.public_id}/tags/{tag.public_id}"

        for _ in range(2):
            asks.put(address, status=204)
        assert [worn.name for worn in talk.fan.tags.all()] == ["VIP"]
        seq = Conversation.objects.get().seq
        assert seq > 0
        for _ in range(2):
            asks.delete(address)
        assert not talk.fan.tags.exists()
        assert Conversation.objects.get().seq > seq

    def test_many_get_it_at_once_or_none_when_one_is_somebody_elses(
        self, asks: Api, creator: Creator, tag: Tag
    ) -> None:
        mine = [str(make_fan(creator).public_id) for _ in range(3)]
        foreign = str(make_fan(make_creator()).public_id)

        reply = asks.post(f"{TAGS}/{tag.public_id}/fans", status=400, fanIds=[*mine, foreign])
        assert foreign in reply["detail"]
        assert not FanTag.objects.exists()
        asks.post(f"{TAGS}/{tag.public_id}/fans", status=204, fanIds=mine)
        assert FanTag.objects.count() == 3
        asks.post(f"{TAGS}/{tag.public_id}/fans/remove", status=204, fanIds=mine[:2])
        assert FanTag.objects.count() == 1

    def test_at_most_a_hundred_at_once(self, asks: Api, tag: Tag) -> None:
        many = [str(uuid.uuid4()) for _ in range(101)]

        assert asks.refused("post", f"{TAGS}/{tag.public_id}/fans", fanIds=many) == ["fanIds"]
        assert asks.refused("post", f"{TAGS}/{tag.public_id}/fans", fanIds=[]) == ["fanIds"]

    def test_a_tag_of_another_creator_is_not_there(self, asks: Api, creator: Creator) -> None:
        foreign = Tag.objects.add(make_creator(), name="VIP")

        asks.put(f"/api/crm/fans/{make_fan(creator).public_id}/tags/{foreign.public_id}", status=404)

    def test_nobody_gets_more_than_fifty(self, asks: Api, creator: Creator, tag: Tag) -> None:
        fan = make_fan(creator)
        Tag.objects.wear(fan, [f"tag {number}" for number in range(Tag.PER_FAN_MAX)])

        asks.put(f"/api/crm/fans/{fan.public_id}/tags/{tag.public_id}", status=400)


class TestWhatSegmentsChooseBy:
    @pytest.fixture
    def segment(self, creator: Creator, tag: Tag) -> Segment:
        segment = Segment(creator=creator)
        segments.write(segment, name="Important", rule={"not": {"tag": "vip"}})
        return segment

    def test_a_tag_in_use_stays(self, asks: Api, tag: Tag, segment: Segment) -> None:
        assert "Important" in asks.delete(f"{TAGS}/{tag.public_id}", status=409)["detail"]

    def test_merging_gives_the_fans_and_the_rules_the_other_tag(
        self, asks: Api, creator: Creator, tag: Tag, segment: Segment
    ) -> None:
        other = Tag.objects.add(creator, name="Whale")
        both, one = make_fan(creator), make_fan(creator)
        tag.put_on([both, one])
        other.put_on([both])

        asks.post(f"{TAGS}/{tag.public_id}/merge", status=200, into=str(other.public_id))

        assert not Tag.objects.filter(pk=tag.pk).exists()
        assert FanTag.objects.filter(tag=other).count() == 2
        segment.refresh_from_db()
        assert segment.rule == {"not": {"tag": str(other.public_id)}}

    def test_a_tag_is_not_merged_into_itself_or_a_foreign_one(self, asks: Api, tag: Tag) -> None:
        foreign = Tag.objects.add(make_creator(), name="VIP")

        assert asks.refused("post", f"{TAGS}/{tag.public_id}/merge", into=str(tag.public_id)) == ["into"]
        asks.post(f"{TAGS}/{tag.public_id}/merge", status=404, into=str(foreign.public_id))


def test_a_chatter_adds_and_renames_and_leaves_removing_to_others(chatter_asks: Api, tag: Tag) -> None:
    chatter_asks.post(TAGS, name="New")
    chatter_asks.patch(f"{TAGS}/{tag.public_id}", name="Newer")
    chatter_asks.delete(f"{TAGS}/{tag.public_id}", status=403)


@pytest.mark.parametrize("how_many", [0, 1, 3, 5])
def test_the_tags_of_any_number_of_fans_are_named_in_order(creator: Creator, tag: Tag, how_many: int) -> None:
    other, worn = Tag.objects.add(creator, name="Ask first"), make_fan(creator, handle="somebody else")
    fans = [make_fan(creator, handle=f"fan{number}") for number in range(how_many)]
    for fan in (worn, *fans[1:]):
        Tag.objects.wear(fan, [tag.name, other.name])

    assert Tag.objects.names_by_fan(fans) == {fan.pk: ["Ask first", "VIP"] for fan in fans[1:]}
