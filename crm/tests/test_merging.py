"""Who a platform's (id, handle) is, and making one fan of two."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crm.merging import identify, merge
from crm.models import Conversation, Creator, Fan, FanTag, Message, Note, Payment, SubscriptionEvent, Tag, Transaction
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def creator() -> Creator:
    return make_creator()


def test_somebody_new_becomes_a_fan(creator: Creator) -> None:
    fan = identify(creator, "42", handle="@sam", name="Sam")

    assert (fan.platform_id, fan.handle, fan.name, fan.platform) == ("42", "sam", "Sam", creator.platform)


def test_a_known_fan_keeps_what_they_are_called_and_gets_what_is_missing(creator: Creator) -> None:
    named = make_fan(creator, platform_id="42", handle="", name="My Sam")

    fan = identify(creator, "42", handle="sam", name="Sam")

    assert (fan, fan.handle, fan.name) == (named, "sam", "My Sam")


def test_who_is_known_by_handle_alone_gets_the_id(creator: Creator) -> None:
    known = make_fan(creator, platform_id="", handle="SAM")

    assert identify(creator, "42", handle="sam") == known

    known.refresh_from_db()
    assert known.platform_id == "42"


def test_two_rows_of_one_person_become_one(creator: Creator) -> None:
    with_id = make_fan(creator, platform_id="42", handle="", name="Sam")
    by_handle = make_fan(creator, platform_id="", handle="sam", name="Samuel", email="sam@example.test")

    fan = identify(creator, "42", handle="Sam")

    assert fan == with_id
    assert (fan.handle, fan.name, fan.email) == ("sam", "Sam", "sam@example.test")
    assert not Fan.objects.filter(pk=by_handle.pk).exists()


def test_a_fan_of_another_creator_is_left_alone(creator: Creator) -> None:
    other = make_fan(platform_id="", handle="sam")

    assert identify(creator, "42", handle="sam") != other


def test_merging_moves_everything_that_belongs_to_the_other(creator: Creator) -> None:
    kept, other = make_fan(creator), make_fan(creator, platform_id="")
    conversations = [make_conversation(fan=fan, unread_count=1) for fan in (kept, other)]
    texts = [make_message(conversation, status=Status.RECEIVED) for conversation in conversations]
    for fan in (kept, other):
        Note.objects.create(fan=fan, text="likes cats")
        SubscriptionEvent.objects.record(fan, "started", occurred_at=NOW)
        Transaction.objects.record(
            creator,
            [
                Payment(
                    kind="tip", amount_cents=500, occurred_at=NOW, source="event", fan=fan, platform_id=f"tx_{fan.pk}"
                )
            ],
        )
    tags = [Tag.objects.create(creator=creator, name=name) for name in ("both", "theirs")]
    FanTag.objects.create(fan=kept, tag=tags[0])
    for tag in tags:
        FanTag.objects.create(fan=other, tag=tag)

    merge(kept, other)

    kept.refresh_from_db()
    assert Conversation.objects.get().unread_count == 2
    assert set(Message.objects.filter(conversation=conversations[0])) == set(texts)
    assert kept.value_cents == 1000
    assert (kept.notes.count(), kept.tags.count(), kept.subscription_events.count()) == (2, 2, 1)


def test_a_conversation_that_only_the_other_has_is_taken_over(creator: Creator) -> None:
    kept, other = make_fan(creator), make_fan(creator, platform_id="")
    conversation = make_conversation(fan=other)

    merge(kept, other)

    conversation.refresh_from_db()
    assert conversation.fan == kept


def test_what_is_true_as_of_a_moment_is_the_newer(creator: Creator) -> None:
    older = {"stated_value_cents": 100, "stated_value_at": NOW - timedelta(days=1), "joined_at": NOW}
    newer = {"stated_value_cents": 900, "stated_value_at": NOW, "joined_at": NOW - timedelta(days=9)}
    kept, other = make_fan(creator, **older), make_fan(creator, platform_id="", is_priority=True, **newer)

    merge(kept, other)

    assert (kept.stated_value_cents, kept.value_cents) == (900, 900)
    assert kept.joined_at == NOW - timedelta(days=9)
    assert kept.is_priority


def test_no_relation_of_a_fan_is_forgotten() -> None:
    related: set[Any] = {relation.get_accessor_name() for relation in Fan._meta.related_objects}

    assert related == {
        "conversation",
        "transactions",
        "notes",
        "fan_tags",
        "campaign_recipients",
        "subscription_events",
    }, "crm.merging.merge must move what belongs to a fan"
