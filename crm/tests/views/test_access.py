"""Whose page it is, when somebody works for several creators."""

import uuid
from urllib.parse import urlencode

import pytest
from django.test import Client

from crm.models import Creator, User
from crm.tests.factories import make_creator, make_fan, make_user

pytestmark = pytest.mark.django_db

PAGE = "/fans"


@pytest.fixture
def user() -> User:
    return make_user("mia")


@pytest.fixture
def creators(user: User) -> list[Creator]:
    creators = [make_creator(user, name=name) for name in ("Ava", "Zoe")]
    for creator in creators:
        make_fan(creator, name=f"Fan of {creator}")
    return creators


@pytest.fixture
def member(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


def shown(client: Client, query: str = "") -> str:
    answer = client.get(PAGE + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_first_creator_by_name_is_chosen_until_somebody_chooses(member: Client, creators: list[Creator]) -> None:
    page = shown(member)

    assert "Fan of Ava" in page
    assert "Fan of Zoe" not in page
    assert f"?creator={creators[1].public_id}" in page


def test_the_creator_asked_for_stays_chosen(member: Client, creators: list[Creator]) -> None:
    assert "Fan of Zoe" in shown(member, f"?creator={creators[1].public_id}")
    assert "Fan of Zoe" in shown(member)


@pytest.mark.parametrize("asked", [uuid.uuid4(), "nonsense"])
def test_an_unknown_creator_is_not_found(member: Client, creators: list[Creator], asked: object) -> None:
    assert member.get(f"{PAGE}?creator={asked}").status_code == 404


def test_a_foreign_creator_is_not_found_and_not_remembered(member: Client, creators: list[Creator]) -> None:
    foreign = make_creator(make_user())

    assert member.get(f"{PAGE}?creator={foreign.public_id}").status_code == 404
    assert "Fan of Ava" in shown(member)


def test_a_creator_whose_team_one_has_left_is_no_longer_chosen(
    member: Client, user: User, creators: list[Creator]
) -> None:
    shown(member, f"?creator={creators[1].public_id}")
    user.memberships.filter(creator=creators[1]).delete()

    assert "Fan of Ava" in shown(member)


def test_who_has_one_creator_is_not_asked(member: Client, user: User) -> None:
    make_creator(user)

    assert "creator-switch" not in shown(member)


def test_who_has_no_creator_is_told_so(member: Client) -> None:
    assert "not a member of any creator" in shown(member)


@pytest.mark.parametrize(
    ("referrer", "page"),
    [
        ("http://testserver/fans?tag=VIP", "/fans?tag=VIP"),
        ("https://elsewhere.example/", "/"),
        ("", "/"),
    ],
)
def test_whose_session_ended_over_a_form_comes_back_to_its_page(client: Client, referrer: str, page: str) -> None:
    answer = client.post("/fans/5d1b2f0a-8c1c-4e0e-9e60-4b4b8c6f0a11/tags", headers={"referer": referrer})

    assert answer.status_code == 302
    assert answer.headers["Location"] == f"/login?{urlencode({'next': page}, safe='/')}"
