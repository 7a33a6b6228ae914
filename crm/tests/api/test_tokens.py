"""Signing in through the API, and everything that ends it."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.test import Client
from pytest_django import Settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from crm.clock import database_now
from crm.models import TokenFamily, User
from crm.tests.factories import PASSWORD, make_user
from crm.tests.parallel import at_once
from crm.tidying import forget_expired

pytestmark = pytest.mark.django_db


class Program:
    """Somebody who has signed in by name and password."""

    def __init__(self, user: User) -> None:
        self.client = Client(raise_request_exception=False)
        self.take(self.post("token", username=user.username, password=PASSWORD).json())

    def take(self, pair: dict[str, str]) -> None:
        self.access, self.refresh = pair["access"], pair["refresh"]

    def post(self, action: str, **body: str) -> Any:
        return self.client.post(f"/api/auth/{action}", body, content_type="application/json")

    @property
    def is_let_in(self) -> bool:
        answer = self.client.get("/api/crm/conversations", headers={"Authorization": f"Bearer {self.access}"})
        assert answer.status_code in (200, 401)
        return answer.status_code == 200

    def renews(self, refresh: str = "") -> bool:
        answer = self.post("refresh", refresh=refresh or self.refresh)
        assert answer.status_code in (200, 401), answer.content
        if answer.status_code == 200:
            self.take(answer.json())
        return answer.status_code == 200


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def program(user: User) -> Program:
    return Program(user)


def test_a_refresh_gives_a_new_pair_that_is_good(program: Program) -> None:
    first = program.access, program.refresh

    assert program.renews()

    assert {program.access, program.refresh}.isdisjoint(first)
    assert program.is_let_in
    assert program.renews()


def test_a_used_refresh_token_ends_all_that_came_from_its_sign_in(program: Program, user: User) -> None:
    used, elsewhere = program.refresh, Program(user)
    assert program.renews()

    assert not program.renews(used)

    assert not program.renews()
    assert not program.is_let_in
    assert elsewhere.is_let_in
    assert elsewhere.renews()
    assert TokenFamily.objects.exclude(ended_at=None).get().end == TokenFamily.End.REPLAYED


@pytest.mark.django_db(transaction=True)
def test_of_two_refreshes_at_once_one_passes_and_the_sign_in_ends(program: Program) -> None:
    used = program.refresh

    answers = at_once(lambda: Client().post("/api/auth/refresh", {"refresh": used}, "application/json"), times=4)

    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]
    (pair,) = [answer.json() for answer in answers if answer.status_code == 200]
    program.take(pair)
    assert not program.is_let_in
    assert not program.renews()


def test_signing_out_ends_the_access_token_too(program: Program) -> None:
    assert program.post("logout", refresh=program.refresh).status_code == 200

    assert not program.is_let_in
    assert not program.renews()


def disable(user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)


def delete(user: User) -> None:
    user.delete()


def change_password(user: User) -> None:
    user.set_password("another-correct-horse")
    user.save()


@pytest.mark.parametrize("act", [disable, delete, change_password])
def test_who_is_put_out_is_out_at_once_on_every_device(act: Callable[[User], None], user: User) -> None:
    devices = [Program(user), Program(user)]

    act(user)

    assert not any(device.is_let_in for device in devices)
    assert not any(device.renews() for device in devices)


def test_a_demo_s_tokens_end_with_debug(settings: Settings) -> None:
    settings.DEBUG = True
    program = Program(make_user(is_demo=True))

    settings.DEBUG = False

    assert not program.is_let_in
    assert not program.renews()


def test_an_access_token_renews_nothing_and_a_refresh_token_opens_nothing(program: Program) -> None:
    program.access, program.refresh = program.refresh, program.access

    assert not program.is_let_in
    assert not program.renews()


def test_a_token_of_nobody_s_sign_in_is_refused(program: Program) -> None:
    program.access, program.refresh = str(AccessToken()), str(RefreshToken())

    assert not program.is_let_in
    assert not program.renews()


@pytest.mark.parametrize(("key", "algorithm"), [("somebody-else-s-key-of-enough-bytes", "HS256"), ("", "none")])
def test_a_token_with_another_signature_is_refused(program: Program, key: str, algorithm: str) -> None:
    claims = jwt.decode(program.access, options={"verify_signature": False})

    program.access = jwt.encode(claims, key, algorithm)

    assert not program.is_let_in


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(program: Program, user: User) -> None:
    wrong = program.post("token", username=user.username, password="wrong")
    unknown = program.post("token", username="nobody", password=PASSWORD)

    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert wrong.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert wrong.headers["Content-Type"] == "application/problem+json"


def test_neither_a_token_nor_its_id_is_stored_or_logged(user: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    program = Program(user)
    used = program.refresh
    secrets = {program.access, used, PASSWORD}
    program.renews()
    program.renews(used)
    program.post("logout", refresh=program.refresh)
    secrets |= {program.access, program.refresh}
    secrets |= {
        jwt.decode(token, options={"verify_signature": False})["jti"] for token in secrets if token.startswith("eyJ")
    }

    written = caplog.text + repr(list(TokenFamily.objects.values()))

    assert "a used refresh token came again" in written
    assert not [secret for secret in secrets if secret in written]


def test_an_expired_sign_in_is_forgotten(program: Program) -> None:
    forget_expired(database_now() + timedelta(days=13))
    assert TokenFamily.objects.exists()

    forget_expired(database_now() + timedelta(days=15))

    assert not TokenFamily.objects.exists()
