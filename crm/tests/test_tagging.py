import pytest
from django.core.exceptions import ValidationError

from crm import tagging
from crm.models import Conversation, Creator, Fan, FanTag, Tag
from crm.tests.factories import make_conversation, make_creator, make_fan

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    return make_creator()


@pytest.fixture
def vip(creator: Creator) -> Tag:
    [tag] = Tag.objects.named(creator, ["VIP"])
    return tag


def wearing(tag: Tag) -> set[Fan]:
    return {worn.fan for worn in FanTag.objects.filter(tag=tag)}


def test_those_without_the_tag_are_counted_and_their_conversations_are_news(creator: Creator, vip: Tag) -> None:
    news, old = make_conversation(fan=make_fan(creator)), make_conversation(fan=make_fan(creator))
    old.fan.change(tags=["VIP"])
    before = {talk.pk: talk.seq for talk in Conversation.objects.all()}

    assert tagging.put_on_all(vip, Fan.objects.filter(creator=creator)) == 1

    assert wearing(vip) == {news.fan, old.fan}
    told = [talk.pk for talk in Conversation.objects.all() if talk.seq > before[talk.pk]]
    assert told == [news.pk]


def test_one_fan_with_as_many_tags_as_there_may_be_leaves_everybody_as_they_were(creator: Creator, vip: Tag) -> None:
    full, _other = make_fan(creator), make_fan(creator)
    full.change(tags=[f"tag {number}" for number in range(Tag.PER_FAN_MAX)])

    with pytest.raises(ValidationError, match=f"At most {Tag.PER_FAN_MAX} tags on one fan"):
        tagging.put_on_all(vip, Fan.objects.filter(creator=creator))

    assert wearing(vip) == set()


def test_those_who_had_the_tag_are_counted_and_their_conversations_are_news(creator: Creator, vip: Tag) -> None:
    talk, _other = make_conversation(fan=make_fan(creator)), make_fan(creator)
    talk.fan.change(tags=["VIP", "Buyer"])
    talk.refresh_from_db()

    assert tagging.take_off_all(vip, Fan.objects.filter(creator=creator)) == 1

    assert [tag.name for tag in talk.fan.tags.all()] == ["Buyer"]
    assert Conversation.objects.get().seq > talk.seq


def test_more_fans_than_a_campaign_may_have_are_refused_with_the_limit(
    creator: Creator, vip: Tag, monkeypatch: pytest.MonkeyPatch
) -> None:
    fans = [make_fan(creator), make_fan(creator)]
    everybody = Fan.objects.filter(creator=creator)
    monkeypatch.setattr(tagging, "FANS_MAX", 1)

    with pytest.raises(ValidationError, match="At most 1 fans at once"):
        tagging.put_on_all(vip, everybody)
    for fan in fans:
        fan.change(tags=["VIP"])
    with pytest.raises(ValidationError, match="At most 1 fans at once"):
        tagging.take_off_all(vip, everybody)
