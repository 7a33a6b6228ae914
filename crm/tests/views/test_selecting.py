"""What is done on the page to the conversations that are selected in its list."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.models import Conversation, Creator, Line, Membership, Tag, User
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_user
from crm.tests.views.asking import text_of
from crm.tests.views.test_inbox import names_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def talks(creator: Creator) -> list[Conversation]:
    return [
        make_conversation(fan=make_fan(creator, name=name), unread_count=number)
        for number, name in enumerate(("Ann", "Bo", "Cy"))
    ]


@pytest.fixture
def anna(creator: Creator) -> User:
    anna = make_user("anna", first_name="Anna")
    make_membership(anna, creator, role=Membership.Role.CHATTER)
    return anna


def handle(client: Client, *talks: Conversation, query: str = "", **fields: str) -> Any:
    named = {"about": [str(talk.public_id) for talk in talks]}
    return client.post(reverse("handle_conversations") + query, named | fields)


def unread(creator: Creator) -> list[int]:
    return list(creator.conversations.order_by("id").values_list("unread_count", flat=True))


class TestActs:
    def test_they_are_marked_as_read_and_the_page_says_how_many(
        self, signed_in: Client, creator: Creator, talks: list[Conversation]
    ) -> None:
        answer = handle(signed_in, *talks, act="read")

        assert (answer.status_code, answer.headers["Location"]) == (303, reverse("inbox"))
        assert unread(creator) == [0, 0, 0]
        assert "3 conversations are marked as read." in text_of(signed_in.get(reverse("inbox")))

    def test_the_view_the_page_and_what_is_open_stay(self, signed_in: Client, talks: list[Conversation]) -> None:
        query = "?show=unread&before=1.x"

        answer = handle(signed_in, talks[1], act="read", opened=str(talks[0].public_id), query=query)

        assert answer.headers["Location"] == reverse("conversation", args=[talks[0].public_id]) + query

    def test_what_is_marked_as_unread_does_not_stay_open(
        self, signed_in: Client, creator: Creator, talks: list[Conversation]
    ) -> None:
        """Looking at it would read it again."""
        answer = handle(signed_in, *talks, act="unread", opened=str(talks[0].public_id))

        assert answer.headers["Location"] == reverse("inbox")
        assert unread(creator) == [1, 1, 2]

    def test_they_go_to_somebody_and_to_nobody(
        self, signed_in: Client, creator: Creator, talks: list[Conversation], anna: User
    ) -> None:
        page = signed_in.get(reverse("inbox")).content.decode()
        assert f'name="to" value="{anna.public_id}"' in page

        for to, name in ((str(anna.public_id), "Anna"), ("", "nobody")):
            answer = handle(signed_in, *talks, to=to)
            assert answer.status_code == 303
            assert f"3 conversations are assigned to {name}." in text_of(signed_in.get(reverse("inbox")))
            assert creator.conversations.filter(assigned_to=anna).count() == (3 if to else 0)

    def test_their_fans_get_a_tag_that_may_be_new(self, signed_in: Client, talks: list[Conversation]) -> None:
        [vip] = Tag.objects.named(talks[0].creator, ["VIP"])
        vip.put_on([talks[0].fan])

        handle(signed_in, *talks[:2], act="tag", tag=" vip ")
        assert "1 more fan has “vip” now." in text_of(signed_in.get(reverse("inbox")))
        handle(signed_in, *talks[:2], act="tag", tag="Night owl")

        assert [[tag.name for tag in talk.fan.tags.order_by("name")] for talk in talks] == [
            *([["Night owl", "VIP"]] * 2),
            [],
        ]

    def test_pages_that_are_open_elsewhere_see_it(self, signed_in: Client, talks: list[Conversation]) -> None:
        before = Line.objects.get().seq

        handle(signed_in, *talks, act="read")

        assert [talk.seq for talk in Conversation.objects.order_by("id")] == [0, before + 1, before + 1]


class TestRefusals:
    @pytest.mark.parametrize("how_many", [0, 101])
    def test_the_limit_is_named_above_the_page(
        self, signed_in: Client, talks: list[Conversation], how_many: int
    ) -> None:
        named = [str(uuid4()) for _ in range(how_many)]

        answer = signed_in.post(reverse("handle_conversations"), {"act": "read", "about": named})

        assert answer.status_code == 400
        assert "Choose from 1 to 100 conversations, and what to do with them." in text_of(answer)
        assert names_in(answer) == ["Cy", "Bo", "Ann"]

    def test_a_refusal_keeps_what_was_ticked_typed_and_open(self, signed_in: Client, talks: list[Conversation]) -> None:
        tag = 61 * "x"

        answer = handle(signed_in, *talks[:2], act="tag", tag=tag, opened=str(talks[2].public_id))

        page = answer.content.decode()
        assert answer.status_code == 400
        assert "60" in text_of(answer)
        assert page.count(" checked>") == 2
        assert f'value="{tag}"' in page
        assert 'id="thread-title"' in page
        assert not Tag.objects.exists()

    def test_a_tag_has_a_name(self, signed_in: Client, talks: list[Conversation]) -> None:
        assert "Name the tag." in text_of(handle(signed_in, *talks, act="tag", tag=" "))

    def test_what_one_fan_cannot_have_none_of_them_gets(
        self, signed_in: Client, creator: Creator, talks: list[Conversation]
    ) -> None:
        for tag in Tag.objects.named(creator, (f"tag {number}" for number in range(Tag.PER_FAN_MAX))):
            tag.put_on([talks[0].fan])

        answer = handle(signed_in, *talks, act="tag", tag="One more")

        assert answer.status_code == 400
        assert f"At most {Tag.PER_FAN_MAX} tags on one fan." in text_of(answer)
        assert not creator.tags.filter(name="One more").exists()

    def test_nobody_gets_them_who_may_not_write(
        self, signed_in: Client, creator: Creator, talks: list[Conversation]
    ) -> None:
        viewer, stranger = make_user(), make_user()
        make_membership(viewer, creator, role=Membership.Role.VIEWER)

        for to in (viewer, stranger):
            assert handle(signed_in, *talks, to=str(to.public_id)).status_code == 400
        for to_nobody in (str(uuid4()), "nonsense"):
            assert handle(signed_in, *talks, to=to_nobody).status_code == 404
        assert not creator.conversations.filter(assigned_to__isnull=False).exists()

    @pytest.mark.parametrize("act", ["read", "unread", "tag"])
    def test_with_one_that_is_foreign_or_gone_nothing_happens(
        self, signed_in: Client, creator: Creator, talks: list[Conversation], act: str
    ) -> None:
        foreign, gone = make_conversation(make_creator(make_user())), make_conversation(creator)
        gone.delete()

        for stranger in (foreign, gone):
            assert handle(signed_in, *talks, stranger, act=act, tag="VIP").status_code == 404
        assert unread(creator) == [0, 1, 2]
        assert not Tag.objects.exists()

    def test_whoever_only_looks_on_has_nothing_to_select_with(
        self, client: Client, creator: Creator, talks: list[Conversation]
    ) -> None:
        viewer = make_user()
        make_membership(viewer, creator, role=Membership.Role.VIEWER)
        client.force_login(viewer)

        page = client.get(reverse("inbox")).content.decode()

        assert 'name="about"' not in page
        assert "selection" not in page.split("<main")[1]
        assert handle(client, *talks, act="read").status_code == 403
        assert unread(creator) == [0, 1, 2]


#: In all, with the session, the transaction and its savepoints.
QUERIES_MAX = 30


@pytest.mark.parametrize("act", ["read", "unread", "tag", "close", "reopen", "undo_closing", "assign"])
def test_a_hundred_cost_the_queries_of_two(signed_in: Client, creator: Creator, user: User, act: str) -> None:
    # The tag is there already: making it would count for the first of the two.
    list(Tag.objects.named(creator, ["VIP"]))
    fields = {"to": ""} if act == "assign" else {"act": act, "tag": "VIP"}
    asked = []
    for how_many in (2, 100):
        talks = [make_conversation(creator, unread_count=1, assigned_to=user) for _ in range(how_many)]
        if act == "unread":
            creator.conversations.update(unread_count=0)
        if act in ("reopen", "undo_closing"):
            handle(signed_in, *talks, act="close")
        with CaptureQueriesContext(connection) as queries:
            assert handle(signed_in, *talks, **fields).status_code == 303
        asked.append(len(queries))

    assert asked[1] == asked[0] <= QUERIES_MAX
