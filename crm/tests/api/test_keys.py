"""Keys for other programs. What each scope opens is in tests/test_routes.py, for every route."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from crm.clock import database_now
from crm.models import ApiKey, Creator, KeptReply, User
from crm.models.keys import USE_NOTED_EVERY
from crm.tests.factories import make_conversation, make_creator, make_user

pytestmark = pytest.mark.django_db

KEYS, LIST = "/api/auth/keys", "/api/crm/conversations"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user)


@pytest.fixture
def person(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def make(person: Client, **wish: object) -> Any:
    body = {"name": "Reports", "scopes": ["read"]} | wish
    return person.post(KEYS, body, content_type="application/json")


def ask(key: str, address: str = LIST) -> Any:
    return Client().get(address, headers={"Authorization": f"Bearer {key}"})


def test_a_new_key_is_shown_once_and_kept_as_a_hash(person: Client) -> None:
    made = make(person).json()

    (listed,) = person.get(KEYS).json()["results"]
    assert made.pop("key").startswith(made["prefix"])
    assert listed == made
    (row,) = ApiKey.objects.values()
    assert len(row["secret_hash"]) == 64


def test_it_opens_what_its_scope_says_and_its_user_may(person: Client, creator: Creator) -> None:
    conversation = make_conversation(creator)
    key = make(person).json()["key"]

    assert [row["id"] for row in ask(key).json()["results"]] == [str(conversation.public_id)]


def test_a_key_for_one_creator_sees_no_other(person: Client, user: User, creator: Creator) -> None:
    make_conversation(creator)
    mine = make_conversation(make_creator(user))
    key = make(person, creatorId=str(mine.creator.public_id)).json()["key"]

    assert [row["id"] for row in ask(key).json()["results"]] == [str(mine.public_id)]


def test_a_key_for_somebody_else_s_creator_is_not_made(person: Client) -> None:
    assert make(person, creatorId=str(make_creator().public_id)).status_code == 404
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "end",
    [
        lambda key: key.revoke(),
        lambda key: ApiKey.objects.filter(pk=key.pk).update(expires_at=database_now()),
        lambda key: User.objects.filter(pk=key.user_id).update(is_active=False),
        lambda key: key.user.delete(),
    ],
    ids=["revoked", "expired", "disabled", "deleted"],
)
def test_once_it_is_not_good_any_more_it_opens_nothing(user: User, end: Any) -> None:
    key, secret = ApiKey.issue(user, name="Reports", scopes=["read"])
    assert ask(secret).status_code == 200

    end(key)

    assert ask(secret).status_code == 401


class TestMadeTwice:
    """A POST that is sent again with its Idempotency-Key."""

    def again(self, person: Client) -> Any:
        body = {"name": "Reports", "scopes": ["read"]}
        return person.post(KEYS, body, content_type="application/json", headers={"Idempotency-Key": "once"})

    def test_it_is_one_key_shown_twice_and_lies_nowhere_in_clear(self, person: Client) -> None:
        made, shown_again = self.again(person), self.again(person)

        assert (made.status_code, shown_again.status_code) == (201, 201)
        assert made.json() == shown_again.json()
        (row,) = KeptReply.objects.values()
        assert ApiKey.objects.count() == 1
        assert made.json()["key"] not in str(row)
        assert row["is_sealed"]

    @pytest.mark.parametrize("keyring", ["", "another:" + 43 * "A" + "="])
    def test_when_no_key_of_the_ring_opens_the_reply_that_is_said(
        self, person: Client, settings: Settings, keyring: str
    ) -> None:
        if not keyring:
            settings.HUNTAZE_KEYRING = ""
        assert self.again(person).status_code == 201
        settings.HUNTAZE_KEYRING = keyring

        refused = self.again(person)

        assert refused.status_code == 409
        assert "cannot be shown again" in refused.json()["detail"]
        assert ApiKey.objects.count() == 1


def test_its_person_revokes_it_and_does_not_see_it_any_more(person: Client) -> None:
    made = make(person).json()

    assert person.delete(f"{KEYS}/{made['id']}").status_code == 204

    assert ask(made["key"]).status_code == 401
    assert person.get(KEYS).json()["results"] == []
    assert person.delete(f"{KEYS}/{made['id']}").status_code == 404


def test_somebody_else_s_keys_are_neither_seen_nor_revoked(person: Client) -> None:
    key, secret = ApiKey.issue(make_user(), name="Theirs", scopes=["read"])

    assert person.get(KEYS).json()["results"] == []
    assert person.delete(f"{KEYS}/{key.public_id}").status_code == 404
    assert ask(secret).status_code == 200


@pytest.mark.parametrize("days", [-1, 0, 367])
def test_it_lasts_a_year_at_most_and_the_limit_is_named(person: Client, days: int) -> None:
    refused = make(person, expiresAt=(database_now() + timedelta(days=days)).isoformat())

    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "expiresAt"
    assert "366" in refused.json()["detail"]


def test_a_person_has_so_many_keys_and_no_more(person: Client, user: User) -> None:
    for number in range(ApiKey.PER_USER_MAX):
        ApiKey.issue(user, name=f"Key {number}", scopes=["read"])

    refused = make(person)

    assert refused.status_code == 400
    assert str(ApiKey.PER_USER_MAX) in refused.json()["detail"]


def test_when_it_was_used_last_is_noted_to_the_minute(user: User) -> None:
    key, secret = ApiKey.issue(user, name="Reports", scopes=["read"])

    ask(secret)
    key.refresh_from_db()
    first = key.used_at
    ask(secret)
    key.refresh_from_db()

    assert first is not None
    assert key.used_at == first
    key.used(first + 2 * USE_NOTED_EVERY)
    key.refresh_from_db()
    assert key.used_at == first + 2 * USE_NOTED_EVERY


@pytest.mark.parametrize("key", ["hz_", "hz_00000000_made-up", "hz_\u00e9"])
def test_a_key_that_nobody_made_opens_nothing(key: str) -> None:
    assert ask(key).status_code == 401
