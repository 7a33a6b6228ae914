from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from crm.changes import Seen, latest, since
from crm.clock import database_now
from crm.models import Conversation, Creator, Line, Message, User
from crm.models.messages import Status
from crm.tests.api.asking import Api
from crm.tests.factories import make_conversation, make_creator, make_message, make_user

pytestmark = pytest.mark.django_db

CHANGES = "/api/crm/changes"


def follow(asks: Api, after: str, limit: int = 100) -> Iterator[dict[str, Any]]:
    """Every answer until there is no more."""
    while True:
        answer = asks.get(f"{CHANGES}?after={after}&limit={limit}")
        yield answer
        after = answer["after"]
        if not answer["more"]:
            return


def test_begins_now_and_tells_what_happens_then(asks: Api, creator: Creator) -> None:
    talk = make_conversation(creator)
    make_message(talk, text="before")
    begun = asks.get(CHANGES)

    message = talk.queue(text="after", author=None)
    [answer] = follow(asks, begun["after"])

    assert (begun["messages"], begun["conversations"], begun["more"]) == ([], [], False)
    assert [each["id"] for each in answer["messages"]] == [str(message.public_id)]
    assert answer["messages"][0]["conversationId"] == str(talk.public_id)
    assert [each["id"] for each in answer["conversations"]] == [str(talk.public_id)]
    assert answer["pollAfterSeconds"] == 5
    assert asks.get(f"{CHANGES}?after={answer['after']}")["messages"] == []


def test_a_number_is_one_creators_seq(asks: Api, user: User, creator: Creator) -> None:
    message = make_message(make_conversation(creator))
    later = make_message(message.conversation)

    assert len(asks.get(f"{CHANGES}?after=0")["messages"]) == 2
    [only] = asks.get(f"{CHANGES}?after={message.seq}")["messages"]
    assert only["id"] == str(later.public_id)
    make_creator(user)
    assert asks.refused("get", f"{CHANGES}?after=0") == ["after"]
    assert len(asks.get(f"{CHANGES}?after=0&creatorId={creator.public_id}")["messages"]) == 2


def test_a_snooze_that_ends_by_itself_is_told_once(asks: Api, creator: Creator) -> None:
    talk, longer = make_conversation(creator), make_conversation(creator)
    now = database_now()
    for each, hours in ((talk, 1), (longer, 2)):
        each.snooze(now + timedelta(hours=hours))
    begun = asks.get(CHANGES)["after"]
    assert asks.get(f"{CHANGES}?after={begun}")["conversations"] == []

    # An hour later.
    Conversation.objects.filter(pk=talk.pk).update(snoozed_until=now - timedelta(seconds=1))

    [answer] = follow(asks, begun)
    assert [(each["id"], each["state"]) for each in answer["conversations"]] == [(str(talk.public_id), "open")]
    assert asks.get(f"{CHANGES}?after={answer['after']}")["conversations"] == []


def test_snoozes_that_end_together_come_a_page_at_a_time(asks: Api, creator: Creator) -> None:
    talks = [make_conversation(creator) for _ in range(5)]
    begun = asks.get(CHANGES)["after"]
    over = database_now() - timedelta(seconds=1)
    Conversation.objects.update(snoozed_until=over)

    answers = list(follow(asks, begun, limit=2))

    assert [len(answer["conversations"]) for answer in answers] == [2, 2, 1]
    told = {each["id"] for answer in answers for each in answer["conversations"]}
    assert told == {str(talk.public_id) for talk in talks}


def test_a_state_that_moves_is_told_again(asks: Api, creator: Creator) -> None:
    message = make_conversation(creator).queue(text="x", author=None)
    after = asks.get(CHANGES)["after"]

    message.cancel(by=None)

    assert [each["status"] for each in asks.get(f"{CHANGES}?after={after}")["messages"]] == ["cancelled"]


def test_many_rows_of_one_change_come_in_pieces_without_a_gap(asks: Api, creator: Creator) -> None:
    talk = make_conversation(creator)
    messages = [make_message(talk) for _ in range(7)]
    after = asks.get(CHANGES)["after"]
    Message.objects.update(seq=Line.objects.stamp(creator.pk))

    answers = list(follow(asks, after, limit=3))

    told = [each["id"] for answer in answers for each in answer["messages"]]
    assert told == [str(message.public_id) for message in messages]
    assert [(answer["more"], answer["pollAfterSeconds"]) for answer in answers] == [(True, 0), (True, 0), (False, 5)]


def test_several_creators_have_a_place_each(asks: Api, user: User, creator: Creator) -> None:
    quiet = make_creator(user)
    for _ in range(5):
        Line.objects.stamp(quiet.pk)
    after = asks.get(CHANGES)["after"]
    for of in (creator, quiet, make_creator(make_user())):
        make_conversation(of).queue(text="x", author=None)

    [answer] = follow(asks, after)

    assert {each["creatorId"] for each in answer["conversations"]} == {str(creator.public_id), str(quiet.public_id)}


def test_nothing_new_is_304_for_whoever_says_what_they_have(asks: Api, creator: Creator) -> None:
    reply = asks.client.get(CHANGES)
    after, tag = reply.json()["after"], reply.headers["ETag"]

    same = asks.client.get(f"{CHANGES}?after={after}", headers={"If-None-Match": tag})
    make_conversation(creator).queue(text="x", author=None)
    changed = asks.client.get(f"{CHANGES}?after={after}", headers={"If-None-Match": tag})

    assert (same.status_code, same.headers["ETag"], same.content) == (304, tag, b"")
    assert (changed.status_code, len(changed.json()["messages"])) == (200, 1)


@pytest.mark.parametrize("after", ["x", "-1", "gAAAA", "1e5"])
def test_what_is_not_ours_is_refused(asks: Api, creator: Creator, after: str) -> None:
    assert asks.refused("get", f"{CHANGES}?after={after}") == ["after"]


def test_a_cursor_of_a_list_is_refused(asks: Api, creator: Creator) -> None:
    for _ in range(2):
        make_conversation(creator)
    following = asks.get("/api/crm/conversations?limit=1")["next"]

    assert asks.refused("get", f"{CHANGES}?{following.split('?')[1].replace('cursor', 'after').split('&')[0]}")


def test_the_database_is_asked_as_often_for_much_as_for_little(
    asks: Api, creator: Creator, django_assert_max_num_queries: Any
) -> None:
    for _ in range(30):
        make_message(make_conversation(creator), status=Status.SENT)

    with django_assert_max_num_queries(7):  # session, user, creators, lines, messages, attachments, conversations
        assert len(asks.get(f"{CHANGES}?after=0")["messages"]) == 30


class TestProperties(TestCase):
    @given(
        acts=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3)), max_size=12),
        looks=st.lists(st.integers(0, 3), max_size=6),
        limit=st.integers(1, 4),
    )
    @settings(max_examples=25, deadline=None)
    def test_whoever_keeps_asking_knows_the_last_state_of_everything(
        self, acts: list[tuple[int, int]], looks: list[int], limit: int
    ) -> None:
        creators = [make_creator(), make_creator()]
        talks = [[make_conversation(creator) for _ in range(2)] for creator in creators]
        keys = [creator.pk for creator in creators]
        seen, known = Seen.up_to(latest(keys)), dict[int, int]()

        def look(times: int) -> bool:
            nonlocal seen
            for _ in range(times):
                changes = since(seen, latest(keys), limit=limit)
                known.update((message.pk, message.seq) for message in changes.messages)
                seen = changes.seen
                if not changes.more:
                    return False
            return True

        for number, (which, act) in enumerate(acts):
            talk = talks[which][act % 2]
            if act < 3:
                make_message(talk)
            else:  # One verb that changes everything of a conversation at once.
                Message.objects.filter(conversation=talk).update(seq=Line.objects.stamp(talk.creator_id))
            look(looks[number] if number < len(looks) else 0)
        while look(1):
            pass

        assert known == dict(Message.objects.values_list("pk", "seq"))
        assert Conversation.objects.exists()
