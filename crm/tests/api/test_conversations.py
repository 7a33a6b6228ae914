import uuid
from datetime import timedelta

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.clock import database_now
from crm.models import Conversation, Creator, Fan, Membership, Message, Tag, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_message, make_user

pytestmark = pytest.mark.django_db

LIST = "/api/crm/conversations"


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

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("unread=true", "ann"),
            ("unread=false", "bob"),
            ("unanswered=true", "ann"),
            ("unanswered=false", "bob"),
            ("assigned=me", "ann"),
            ("assigned=none", "bob"),
            ("tag=vip", "ann"),
            ("priority=true", "ann"),
            ("search=lefevre", "ann"),
            ("failed=true", "ann"),
            ("failed=false", "bob"),
        ],
    )
    def test_filters_find_what_they_are_about(
        self, api: Client, creator: Creator, user: User, query: str, expected: str
    ) -> None:
        ann = make_fan(creator, handle="ann", name="Ann Lefèvre", is_priority=True)
        Tag.objects.add(creator, name="VIP").put_on([ann])
        talk = make_conversation(fan=ann, unread_count=2, last_direction="in", assigned_to=user)
        make_message(talk, status=Status.NEEDS_PERSON)
        make_conversation(fan=make_fan(creator, handle="bob"), last_direction="out")

        rows = api.get(f"{LIST}?{query}").json()["results"]

        assert [row["fan"]["handle"] for row in rows] == [expected]

    def test_refuses_a_filter_it_cannot_read(self, api: Client) -> None:
        assert api.get(f"{LIST}?creatorId=nonsense").status_code == 400
        assert api.get(f"{LIST}?valueMin=5").status_code == 400

    def test_asks_the_database_as_often_for_two_as_for_two_hundred(
        self, api: Client, creator: Creator, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        def add(how_many: int) -> None:
            fans = [Fan(creator=creator, handle=f"fan{n}of{how_many}") for n in range(how_many)]
            Conversation.objects.bulk_create(
                Conversation(creator=creator, fan=fan, last_message_at=database_now())
                for fan in Fan.objects.bulk_create(fans)
            )

        for how_many, all_of_them in ((2, 2), (198, 200)):
            add(how_many)
            with django_assert_num_queries(4):  # session, user, creators, conversations with all that is shown
                assert len(api.get(f"{LIST}?limit=200").json()["results"]) == all_of_them


class TestAssignment:
    def test_somebody_of_the_team_has_it_until_nobody_has(
        self, api: Client, conversation: Conversation, user: User
    ) -> None:
        address = f"{LIST}/{conversation.public_id}/assignment"

        reply = api.put(address, {"userId": "me"}, content_type="application/json")
        assert reply.json()["assignedTo"] == {"id": str(user.public_id), "name": user.username}
        seq = Conversation.objects.get().seq
        assert api.delete(address).status_code == 204

        conversation.refresh_from_db()
        assert conversation.assigned_to is None
        assert conversation.seq > seq > 0

    @pytest.mark.parametrize("role", [None, Membership.Role.VIEWER])
    def test_nobody_who_may_not_write_gets_it(
        self, api: Client, conversation: Conversation, role: Membership.Role | None
    ) -> None:
        somebody = make_user()
        if role:
            make_membership(somebody, conversation.creator, role=role)

        for user_id in (str(somebody.public_id), "nonsense", None):
            reply = api.put(
                f"{LIST}/{conversation.public_id}/assignment", {"userId": user_id}, content_type="application/json"
            )
            assert reply.status_code == 400
            assert [error["field"] for error in reply.json()["errors"]] == ["userId"]
        assert Conversation.objects.get().assigned_to is None


class TestMessages:
    def test_shows_the_thread_newest_first(self, api: Client, conversation: Conversation) -> None:
        now = database_now()
        make_message(conversation, text="old", send_at=now - timedelta(hours=1))
        make_message(conversation, text="new", send_at=now)

        rows = api.get(messages_of(conversation)).json()["results"]

        assert [row["text"] for row in rows] == ["new", "old"]
        assert rows[0]["waiting"]["code"] == "dispatch_silent"

    def test_is_paged_both_ways(self, api: Client, conversation: Conversation) -> None:
        now = database_now()
        for number in range(5):
            make_message(conversation, status=Status.SENT, text=str(number), send_at=now + timedelta(minutes=number))

        newest = api.get(f"{messages_of(conversation)}?limit=2").json()
        older = api.get(newest["next"]).json()
        newer = api.get(older["previous"]).json()
        oldest = api.get(f"{messages_of(conversation)}?limit=2&sort=sendAt").json()

        assert [row["text"] for row in older["results"]] == ["2", "1"]
        assert newer["results"] == newest["results"]
        assert [row["text"] for row in oldest["results"]] == ["0", "1"]

    @pytest.mark.parametrize("how_many", [2, 200])
    def test_asks_the_database_as_often_for_two_as_for_two_hundred(
        self,
        how_many: int,
        api: Client,
        conversation: Conversation,
        django_assert_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(how_many):
            message = Message(
                creator=conversation.creator,
                conversation=conversation,
                direction="in",
                status="received",
                text="x",
                platform_id=str(number),
                send_at=database_now(),
                due_at=database_now(),
            )
            message.save()

        with django_assert_num_queries(5):  # session, user, conversation, messages, attachments
            assert len(api.get(f"{messages_of(conversation)}?limit=200").json()["results"]) == how_many

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


class TestClosing:
    def test_closes_and_reopens(self, api: Client, creator: Creator) -> None:
        place = f"{LIST}/{make_conversation(creator, unread_count=1).public_id}"

        closed = api.post(f"{place}/close", content_type="application/json").json()
        assert (closed["state"], closed["unreadCount"]) == ("closed", 0)
        assert closed["closedAt"] is not None

        reopened = api.post(f"{place}/reopen").json()
        assert (reopened["state"], reopened["closedAt"]) == ("open", None)

    def test_whoever_has_not_seen_what_the_fan_wrote_closes_nothing(self, api: Client, creator: Creator) -> None:
        talk = make_conversation(creator)
        place = f"{LIST}/{talk.public_id}"
        seen = api.get(place).json()["seq"]
        talk.receive(text="Wait!", platform_id="1", written_at=database_now())

        refused = api.post(f"{place}/close", {"seenSeq": seen}, content_type="application/json")
        assert refused.status_code == 409
        assert refused.json()["detail"] == "The fan has just written."
        assert api.get(place).json()["state"] == "open"

        now = api.get(place).json()["seq"]
        assert api.post(f"{place}/close", {"seenSeq": now}, content_type="application/json").status_code == 200

    def test_snoozes_until_a_moment_within_limits(self, api: Client, creator: Creator) -> None:
        place = f"{LIST}/{make_conversation(creator).public_id}"
        until = (database_now() + timedelta(days=1)).replace(microsecond=0)

        snoozed = api.post(f"{place}/snooze", {"until": until.isoformat()}, content_type="application/json").json()
        assert (snoozed["state"], snoozed["snoozedUntil"]) == ("snoozed", f"{until:%Y-%m-%dT%H:%M:%S}Z")
        assert len(api.get(f"{LIST}?state=snoozed").json()["results"]) == 1
        assert api.get(f"{LIST}?state=open").json()["results"] == []
        assert api.post(f"{place}/reopen").json()["state"] == "open"

        refused = api.post(f"{place}/snooze", {"until": "2020-01-01T00:00:00Z"}, content_type="application/json")
        assert refused.status_code == 400
        assert "366" in refused.content.decode()

    def test_the_list_has_those_of_every_state_or_of_one(self, api: Client, creator: Creator) -> None:
        make_conversation(creator, last_direction="in")
        closed = make_conversation(creator, last_direction="in")
        closed.close()

        assert len(api.get(LIST).json()["results"]) == 2
        assert [row["id"] for row in api.get(f"{LIST}?state=closed").json()["results"]] == [str(closed.public_id)]
        for query in ("state=open", "unanswered=true"):
            assert str(closed.public_id) not in api.get(f"{LIST}?{query}").content.decode()

    def test_who_only_looks_on_closes_nothing(self, client: Client) -> None:
        viewer = make_user()
        conversation = make_conversation(make_creator(viewer, role=Membership.Role.VIEWER))
        client.force_login(viewer)

        assert client.post(f"{LIST}/{conversation.public_id}/close").status_code == 403


class TestGuard:
    def test_who_has_not_seen_the_latest_answer_is_told_and_writes_nothing(
        self, api: Client, conversation: Conversation
    ) -> None:
        seen = make_message(conversation, status=Status.RECEIVED)
        answer = make_message(conversation, author=make_user(), text="Somebody was faster")
        body = {"text": "Hello", "seenMessageId": str(seen.public_id)}

        refused = api.post(messages_of(conversation), body, "application/json")

        assert refused.status_code == 409
        assert "Somebody else has just answered" in refused.json()["detail"]
        assert conversation.messages.count() == 2
        for now in ({"seenMessageId": str(answer.public_id)}, {}):
            sent = api.post(messages_of(conversation), {"text": "Hello"} | now, "application/json")
            assert sent.status_code == 202

    @pytest.mark.parametrize("seen", [None, str(uuid.uuid4())])
    def test_who_has_seen_nothing_is_told_of_every_answer(
        self, api: Client, conversation: Conversation, seen: str | None
    ) -> None:
        make_message(conversation, author=make_user())

        refused = api.post(messages_of(conversation), {"text": "Hello", "seenMessageId": seen}, "application/json")

        assert refused.status_code == 409
