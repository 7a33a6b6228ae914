import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm.clock import database_now
from crm.models import Creator, Fan, FanTag, Line, Subscription, Tag, Transaction, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message, make_segment, make_user

pytestmark = pytest.mark.django_db

FANS = "/api/crm/fans"


@pytest.fixture
def api(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def post(api: Client, address: str, **body: Any) -> Any:
    return api.post(address, body, content_type="application/json")


def handles(api: Client, query: str = "") -> list[str]:
    reply = api.get(f"{FANS}?{query}")
    assert reply.status_code == 200, reply.content
    return [row["handle"] for row in reply.json()["results"]]


def wear(fan: Fan, name: str) -> Tag:
    tag, _created = Tag.objects.get_or_create(creator=fan.creator, name=name)
    FanTag.objects.create(fan=fan, tag=tag)
    return tag


class TestList:
    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            ("", ["c", "b", "a"]),
            ("createdAt", ["a", "b", "c"]),
            ("-valueCents", ["b", "c", "a"]),
            ("lastSeenAt", ["c", "a", "b"]),
            ("-lastSeenAt", ["a", "c", "b"]),
            ("name", ["b", "a", "c"]),
        ],
    )
    def test_is_sorted_as_asked_and_what_is_missing_comes_last(
        self, api: Client, creator: Creator, sort: str, expected: list[str]
    ) -> None:
        now = timezone.now()
        make_fan(creator, handle="a", name="zoe", value_cents=1, last_seen_at=now)
        make_fan(creator, handle="b", name="Ádám", value_cents=3)
        make_fan(creator, handle="c", name="", value_cents=2, last_seen_at=now - timedelta(days=1))
        Fan.objects.filter(handle="a").update(sort_name="b")

        assert handles(api, f"sort={sort}" if sort else "") == expected

    def test_follows_next_and_previous_through_the_address(self, api: Client, creator: Creator) -> None:
        for number in range(5):
            make_fan(creator, handle=f"fan{number}")

        first = api.get(f"{FANS}?limit=2&sort=createdAt&total=true").json()
        second = api.get(first["next"]).json()
        back = api.get(second["previous"]).json()

        assert first["total"] == 5
        assert "total" not in second
        assert [row["handle"] for row in second["results"]] == ["fan2", "fan3"]
        assert back["results"] == first["results"]
        assert (first["previous"], back["previous"]) == (None, None)

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("limit=0", "limit"),
            ("limit=201", "limit"),
            ("sort=email", "sort"),
            ("cursor=nonsense", "cursor"),
            ("creatorId=nonsense", "creatorId"),
            ("valueMin=-1", "valueMin"),
            ("valueMin=1e3", "valueMin"),
            ("lastSeenAfter=tomorrow", "lastSeenAfter"),
            ("lastSeenAfter=9999-12-31T23:59:59-14:00", "lastSeenAfter"),
            ("subscription=gold", "subscription"),
            ("unread=maybe", "unread"),
            ("assigned=x", "assigned"),
            ("search=%E2%9C%A8", "search"),
            ("tagg=vip", "tagg"),
            ("limit=10&limit=20", "limit"),
            ("tag=vip&tag=whale", "tag"),
        ],
    )
    def test_names_the_parameter_it_cannot_read(
        self, api: Client, creator: Creator, query: str, parameter: str
    ) -> None:
        reply = api.get(f"{FANS}?{query}")

        assert reply.status_code == 400
        assert [error["field"] for error in reply.json()["errors"]] == [parameter]

    def test_says_the_highest_limit_there_is(self, api: Client) -> None:
        assert "200" in api.get(f"{FANS}?limit=1000").json()["detail"]

    def test_shows_the_fans_of_the_users_creators_only(self, api: Client, user: User, creator: Creator) -> None:
        second = make_creator(user)
        make_fan(creator, handle="one")
        make_fan(second, handle="two")
        foreign = make_fan(make_creator(make_user()), handle="three")

        assert set(handles(api)) == {"one", "two"}
        assert handles(api, f"creatorId={second.public_id}") == ["two"]
        assert handles(api, f"creatorId={foreign.creator.public_id}") == []

    @pytest.mark.parametrize(
        ("query", "rule", "sort"),
        [
            ("valueMin=1&silentForDays=3", {"silentForDays": 3, "valueMin": 1}, "-valueCents"),
            ("silentForDays=3", {"all": [{}, {"all": [{"silentForDays": 3}]}]}, "-lastSeenAt"),
            ("joinedWithinDays=30", {"all": [{"joinedWithinDays": 30}]}, "-joinedAt"),
            ("valueMax=900", {"valueMax": 900}, "-valueCents"),
            ("boughtWithinDays=30", {"boughtWithinDays": 30}, "-lastPurchaseAt"),
            ("expiredWithinDays=30", {"expiredWithinDays": 30}, "-subscriptionEndsAt"),
            ("blocked=false", {"any": [{"valueMin": 1}], "not": {"valueMin": 900}}, "-createdAt"),
        ],
    )
    def test_unsorted_it_is_in_the_order_of_what_it_is_narrowed_by(
        self, api: Client, creator: Creator, query: str, rule: dict[str, Any], sort: str
    ) -> None:
        for days, value in ((6, 300), (7, 200), (5, 100)):
            at = database_now() - timedelta(days=days)
            moments = dict.fromkeys(("last_seen_at", "joined_at", "last_purchase_at", "subscription_ends_at"), at)
            make_fan(creator, value_cents=value, subscription=Subscription.EXPIRED, **moments)
        segment = make_segment(creator, rule=rule)

        for asked in (query, f"segment={segment.public_id}"):
            usual, said = (api.get(f"{FANS}?limit=1&{asked}{more}").json() for more in ("", f"&sort={sort}"))
            assert usual["results"] == said["results"]
            assert parse_qs(urlsplit(usual["next"]).query)["sort"] == [sort]
            assert api.get(usual["next"]).json()["results"] == api.get(said["next"]).json()["results"]

    @pytest.mark.parametrize("query", ["", "sort=-valueCents", "search=fan", "tag=vip&unread=false"])
    def test_asks_the_database_as_often_for_two_fans_as_for_two_hundred(
        self, query: str, api: Client, creator: Creator
    ) -> None:
        def how_often(expected: int) -> int:
            with CaptureQueriesContext(connection) as queries:
                assert len(handles(api, f"limit=200&{query}")) == expected
            return len(queries)

        for _ in range(2):
            wear(make_fan(creator), "vip")
        for_two = how_often(2)
        fans = Fan.objects.bulk_create(
            Fan(creator=creator, handle=f"fan_{number}", name="Fan") for number in range(198)
        )
        tag = Tag.objects.get()
        FanTag.objects.bulk_create(FanTag(fan=fan, tag=tag) for fan in fans)

        # Session, user, creators, fans, tags; and one to find the tag, or to know how common the words are.
        assert how_often(200) == for_two <= 6


class TestFilters:
    """Each condition finds whom it is about; what conditions mean together is in test_segments."""

    @pytest.fixture(autouse=True)
    def people(self, creator: Creator, user: User) -> None:
        now = timezone.now()
        bought_at = now - timedelta(days=10)
        ann = make_fan(
            creator,
            handle="ann",
            name="Ann Lefèvre",
            value_cents=5_000,
            last_seen_at=now - timedelta(days=2),
            joined_at=now - timedelta(days=3),
            subscription="active",
            subscription_price_cents=999,
            subscription_ends_at=now + timedelta(days=5),
            is_priority=True,
            last_purchase_at=bought_at,
        )
        wear(ann, "VIP")
        talk = make_conversation(fan=ann, unread_count=2, last_direction="in", assigned_to=user)
        make_message(talk, status=Status.FAILED)
        make_message(talk, status=Status.SENT)
        for kind in ("tip", "message"):
            Transaction.objects.create(
                creator=creator, fan=ann, kind=kind, amount_cents=500, occurred_at=bought_at, source="event"
            )
        make_fan(
            creator,
            handle="bob",
            name="Bob",
            platform_id="",
            last_seen_at=now - timedelta(days=40),
            joined_at=now - timedelta(days=400),
            subscription="expired",
            subscription_price_cents=0,
            subscription_ends_at=now - timedelta(days=5),
            blocked_at=now,
        )

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("search=lefev", "ann"),
            ("search=bo", "bob"),
            ("tag=vip", "ann"),
            ("valueMin=5000", "ann"),
            ("valueMax=4999", "bob"),
            ("topPercent=20", "ann"),
            ("lastSeenAfter=2000-01-01&lastSeenBefore=2001-01-01", ""),
            ("seenWithinDays=30", "ann"),
            ("silentForDays=30", "bob"),
            ("joinedWithinDays=7", "ann"),
            ("joinedAfter=2000-01-01T00:00:00Z", "ann bob"),
            ("joinedBefore=2000-01-01", ""),
            ("subscription=active", "ann"),
            ("subscription=unknown", ""),
            ("subscriptionPaid=true", "ann"),
            ("subscriptionPaid=false", "bob"),
            ("expiredWithinDays=7", "bob"),
            ("expiresWithinDays=7", "ann"),
            ("neverBought=true", "bob"),
            ("neverBought=false", "ann"),
            ("boughtWithinDays=30", "ann"),
            ("boughtWithinDays=5", ""),
            ("unlockedWithinDays=30", "ann"),
            ("unlockedWithinDays=5", ""),
            ("tippedWithinDays=30", "ann"),
            ("messagedWithinHours=1", "ann"),
            ("priority=true", "ann"),
            ("priority=false", "bob"),
            ("reachable=true", "ann"),
            ("reachable=false", "bob"),
            ("blocked=true", "bob"),
            ("blocked=false", "ann"),
            ("unread=true", "ann"),
            ("unread=false", "bob"),
            ("unanswered=true", "ann"),
            ("failed=true", "ann"),
            ("failed=false", "bob"),
            ("assigned=me", "ann"),
            ("assigned=none", "bob"),
            ("search=a&subscription=expired", ""),
        ],
    )
    def test_finds_whom_it_is_about(self, api: Client, query: str, expected: str) -> None:
        assert handles(api, f"sort=name&{query}") == expected.split()

    def test_a_tag_is_found_by_its_id_too_and_a_foreign_one_finds_nobody(self, api: Client) -> None:
        foreign = wear(make_fan(), "vip")

        assert handles(api, f"tag={Tag.objects.get(name='VIP').public_id}") == ["ann"]
        assert handles(api, f"tag={foreign.public_id}") == []


class TestAdd:
    def test_gives_the_fan_back_with_its_address(self, api: Client, creator: Creator) -> None:
        reply = post(api, FANS, platformId="77", handle="@Mia", valueCents=1250, tags=["VIP", "vip "])

        assert reply.status_code == 201
        assert reply.json() | {"platformId": "77", "handle": "Mia", "valueCents": 1250, "tags": ["VIP"]} == reply.json()
        assert api.get(reply.headers["Location"]).json() == reply.json()
        fan = Fan.objects.get()
        assert (fan.creator, fan.stated_value_cents, fan.search_text) == (creator, 1250, "mia 77")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "platformId"),
            ({"handle": " @ "}, "platformId"),
            ({"handle": "x" * 121}, "handle"),
            ({"handle": "x", "name": "x" * 201}, "name"),
            ({"handle": "x", "email": "nobody"}, "email"),
            ({"handle": "x", "valueCents": -1}, "valueCents"),
            ({"handle": "x", "valueCents": 12.5}, "valueCents"),
            ({"handle": "x", "subscription": "gold"}, "subscription"),
            ({"platformId": "has space"}, "platformId"),
            ({"handle": "x", "tags": ["x" * 61]}, "tags"),
            ({"handle": "x", "tags": [" "]}, "tags"),
            ({"handle": "x", "tags": [f"t{n}" for n in range(51)]}, "tags"),
        ],
    )
    def test_names_the_field_it_refuses_and_writes_nothing(
        self, api: Client, creator: Creator, body: dict[str, Any], field: str
    ) -> None:
        make_fan(creator, platform_id="", handle="taken")
        make_fan(creator, platform_id="55", handle="")

        reply = api.post(FANS, body, content_type="application/json")

        assert reply.status_code == 400
        assert {error["field"].split(".")[0] for error in reply.json()["errors"]} == {field}
        assert Fan.objects.count() == 2
        assert not Tag.objects.exists()

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"platformId": "1", "handle": "TAKEN"}, "handle"),
            ({"platformId": "55"}, "platformId"),
            ({"handle": "Taken"}, "handle"),
        ],
    )
    def test_who_is_there_already_is_a_conflict(
        self, api: Client, creator: Creator, body: dict[str, Any], field: str
    ) -> None:
        make_fan(creator, platform_id="", handle="taken")
        make_fan(creator, platform_id="55", handle="")

        reply = api.post(FANS, body, content_type="application/json")

        assert reply.status_code == 409
        assert [error["field"] for error in reply.json()["errors"]] == [field]
        assert Fan.objects.count() == 2

    def test_the_creator_must_be_named_when_there_are_several(self, api: Client, user: User, creator: Creator) -> None:
        second = make_creator(user)

        assert post(api, FANS, handle="mia").json()["errors"][0]["field"] == "creatorId"
        assert post(api, FANS, handle="mia", creatorId=str(second.public_id)).status_code == 201
        assert post(api, FANS, handle="mia", creatorId=str(uuid.uuid4())).status_code == 404


class TestChange:
    def test_put_writes_all_of_it_and_empties_what_is_left_out(self, api: Client, creator: Creator) -> None:
        fan = make_fan(creator, platform_id="1", name="Mia", email="mia@example.com", is_priority=True)
        wear(fan, "vip")

        reply = api.put(f"{FANS}/{fan.public_id}", {"platformId": "1"}, content_type="application/json")

        assert reply.status_code == 200
        assert (reply.json()["name"], reply.json()["email"]) == ("", "")
        assert (reply.json()["isPriority"], reply.json()["tags"]) == (False, [])

    def test_what_get_gives_can_be_put_back(self, api: Client, creator: Creator) -> None:
        fan = make_fan(creator, last_seen_at=timezone.now(), subscription="active", blocked_at=timezone.now())
        wear(fan, "vip")
        shown = api.get(f"{FANS}/{fan.public_id}").json()

        assert api.put(f"{FANS}/{fan.public_id}", shown, content_type="application/json").json() == shown

    def test_patch_writes_what_is_named_and_nothing_else(self, api: Client, creator: Creator) -> None:
        fan = make_fan(creator, name="Mia", email="mia@example.com")
        Fan.objects.filter(pk=fan.pk).update(value_cents=500)

        reply = api.patch(f"{FANS}/{fan.public_id}", {"name": "Maya"}, content_type="application/json")

        assert (reply.json()["name"], reply.json()["email"]) == ("Maya", "mia@example.com")
        assert reply.json()["valueCents"] == 500
        assert handles(api, "search=maya") == [fan.handle]

    def test_a_stated_value_counts_until_now_and_money_after_it_on_top(self, api: Client, creator: Creator) -> None:
        fan = make_fan(creator)
        for days in (-1, 1):
            Transaction.objects.create(
                creator=creator,
                fan=fan,
                kind="tip",
                amount_cents=100,
                occurred_at=timezone.now() + timedelta(days=days),
                source="import",
            )

        def write(value: int | None) -> int:
            reply = api.patch(f"{FANS}/{fan.public_id}", {"valueCents": value}, content_type="application/json")
            value_now: int = reply.json()["valueCents"]
            return value_now

        assert write(1000) == 1100
        assert write(None) == 200

    def test_another_fans_identity_is_refused(self, api: Client, creator: Creator) -> None:
        make_fan(creator, platform_id="55")
        fan = make_fan(creator)

        reply = api.patch(f"{FANS}/{fan.public_id}", {"platformId": "55"}, content_type="application/json")

        assert [(error["field"], error["code"]) for error in reply.json()["errors"]] == [("platformId", "taken")]

    def test_the_conversation_has_changed_with_the_fan(self, api: Client, creator: Creator) -> None:
        talk = make_conversation(creator)

        api.patch(f"{FANS}/{talk.fan.public_id}", {"name": "Maya"}, content_type="application/json")

        talk.refresh_from_db()
        assert talk.seq == Line.objects.get(creator=creator).seq > 0


class TestErase:
    def test_is_for_good(self, api: Client, creator: Creator) -> None:
        fan = make_fan(creator)

        assert api.delete(f"{FANS}/{fan.public_id}").status_code == 204

        assert api.get(f"{FANS}/{fan.public_id}").status_code == 404
        assert not Fan.objects.exists()

    def test_waits_for_a_call_that_is_under_way(self, api: Client, creator: Creator) -> None:
        talk = make_conversation(creator)
        make_message(talk, status=Status.SENDING)

        assert api.delete(f"{FANS}/{talk.fan.public_id}").status_code == 409

        assert Fan.objects.exists()
