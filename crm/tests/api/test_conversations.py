import uuid
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.clock import database_now
from crm.models import Conversation, Creator, Membership, Message, User
from crm.tests.factories import make_conversation, make_creator, make_message, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/crm/conversations"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user)


@pytest.fixture
def conversation(creator: Creator) -> Conversation:
    return make_conversation(creator)


@pytest.fixture
def api(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def messages_of(conversation: Conversation) -> str:
    return f"{LIST}/{conversation.public_id}/messages"


class TestList:
    def test_shows_newest_first_with_the_fan(self, api: Client, creator: Creator) -> None:
        now = database_now()
        old = make_conversation(creator, last_message_at=now - timedelta(days=1))
        new = make_conversation(creator, last_message_at=now)
        make_conversation(make_creator(make_user()))

        rows = api.get(LIST).json()["results"]

        assert [row["id"] for row in rows] == [str(new.public_id), str(old.public_id)]
        assert rows[0]["fan"]["platformId"] == new.fan.platform_id
        assert "pk" not in rows[0]

    def test_pages_by_cursor_without_skipping_or_repeating(self, api: Client, creator: Creator) -> None:
        now = database_now()
        expected = [
            str(make_conversation(creator, last_message_at=now - timedelta(minutes=n)).public_id) for n in range(5)
        ]

        seen: list[str] = []
        address: str | None = f"{LIST}?limit=2"
        while address:
            page = api.get(address).json()
            seen += [row["id"] for row in page["results"]]
            address = page["next"]

        assert seen == expected

    def test_filters_unread(self, api: Client, creator: Creator) -> None:
        unread = make_conversation(creator, unread_count=2)
        make_conversation(creator)

        rows = api.get(f"{LIST}?unread=true").json()["results"]

        assert [row["id"] for row in rows] == [str(unread.public_id)]

    def test_refuses_a_filter_it_cannot_read(self, api: Client) -> None:
        assert api.get(f"{LIST}?creatorId=nonsense").status_code == 400

    @pytest.mark.parametrize("rows", [2, 40])
    def test_asks_the_database_the_same_number_of_times(
        self, rows: int, api: Client, creator: Creator, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(rows):
            make_conversation(creator)

        with django_assert_max_num_queries(5):
            api.get(LIST)


class TestMessages:
    def test_shows_the_thread_newest_first(self, api: Client, conversation: Conversation) -> None:
        now = database_now()
        make_message(conversation, text="old", send_at=now - timedelta(hours=1))
        make_message(conversation, text="new", send_at=now)

        rows = api.get(messages_of(conversation)).json()["results"]

        assert [row["text"] for row in rows] == ["new", "old"]
        assert rows[0]["waiting"]["code"] == "dispatch_silent"

    def test_writes_into_the_thread(self, api: Client, conversation: Conversation, user: User) -> None:
        reply = api.post(messages_of(conversation), {"text": "Hello!"}, content_type="application/json")

        assert reply.status_code == 202
        message = Message.objects.get()
        assert reply.json()["id"] == str(message.public_id)
        assert (message.author, message.priority, message.status) == (user, 10, "queued")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "text"),
            ({"text": ""}, "text"),
            ({"text": "x" * 5001}, "text"),
            ({"text": "x", "priceCents": 500}, "priceCents"),
            ({"text": "x", "attachments": ["nonsense"]}, "attachments"),
        ],
    )
    def test_names_the_field_of_a_bad_value(
        self, api: Client, conversation: Conversation, body: dict[str, object], field: str
    ) -> None:
        reply = api.post(messages_of(conversation), body, content_type="application/json")

        assert reply.status_code == 400
        assert [error["field"].split(".")[0] for error in reply.json()["errors"]] == [field]
        assert not Message.objects.exists()

    def test_foreign_and_missing_are_not_found_alike(self, api: Client) -> None:
        foreign = make_conversation(make_creator(make_user()))

        for public_id in (foreign.public_id, uuid.uuid4()):
            for address in (f"{LIST}/{public_id}/messages", f"{LIST}/{public_id}/messages/"):
                assert api.get(address).status_code == 404
                assert api.post(address, {"text": "x"}, content_type="application/json").status_code == 404
        assert not Message.objects.exists()

    def test_a_viewer_reads_and_does_not_write(self, client: Client) -> None:
        viewer = make_user()
        conversation = make_conversation(make_creator(viewer, role=Membership.Role.VIEWER))
        client.force_login(viewer)

        assert client.get(messages_of(conversation)).status_code == 200
        reply = client.post(messages_of(conversation), {"text": "x"}, content_type="application/json")
        assert reply.status_code == 403


class TestRead:
    def test_a_viewer_leaves_it_unread(self, client: Client) -> None:
        viewer = make_user()
        conversation = make_conversation(make_creator(viewer, role=Membership.Role.VIEWER), unread_count=3)
        client.force_login(viewer)

        assert client.post(f"{LIST}/{conversation.public_id}/read").status_code == 403

        conversation.refresh_from_db()
        assert conversation.unread_count == 3

    def test_clears_the_unread_count(self, api: Client, creator: Creator) -> None:
        conversation = make_conversation(creator, unread_count=3)

        assert api.post(f"{LIST}/{conversation.public_id}/read").status_code == 204

        conversation.refresh_from_db()
        assert conversation.unread_count == 0


def test_nobody_reads_anything_without_signing_in(client: Client) -> None:
    assert client.get(LIST).status_code == 401
