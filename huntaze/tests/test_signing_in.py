from typing import Any

import pytest
import redis
from django.test import Client
from pytest_django import Settings

from crm.models import SignInBucket
from crm.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_attempts(settings: Settings, redis_server: redis.Redis) -> None:
    """A minute, at one account; five from one address."""
    rates = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
    limited = rates | {"sign-in-account": "3/min", "sign-in-address": "5/min"}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": limited}


def ask_for_a_token(client: Client, username: str, password: str = PASSWORD) -> Any:
    credentials = {"username": username, "password": password}
    return client.post("/api/auth/token", credentials, content_type="application/json")


def token_of(client: Client, username: str) -> int:
    return int(ask_for_a_token(client, username).status_code)


@pytest.mark.parametrize(("debug", "status"), [(True, 200), (False, 401)])
def test_the_demo_signs_in_only_while_debug_is_on(client: Client, settings: Settings, debug: bool, status: int) -> None:
    demo = make_user(is_demo=True)
    settings.DEBUG = debug

    assert client.login(username=demo.username, password=PASSWORD) is debug
    assert token_of(client, demo.username) == status


def test_a_session_of_the_demo_ends_with_debug(client: Client, settings: Settings) -> None:
    settings.DEBUG = True
    assert client.login(username=make_user(is_demo=True).username, password=PASSWORD)

    settings.DEBUG = False

    assert client.get("/messages/onlyfans").status_code == 302


def test_everybody_else_signs_in_whatever_debug_is(client: Client, settings: Settings) -> None:
    settings.DEBUG = False

    assert token_of(client, make_user().username) == 200


@pytest.mark.usefixtures("three_attempts")
class TestTooManyAttempts:
    def test_at_one_account_the_right_password_is_not_even_looked_at(self, client: Client) -> None:
        user = make_user()
        assert [ask_for_a_token(client, user.username, "wrong").status_code for _attempt in range(3)] == [401] * 3

        refused = ask_for_a_token(client, user.username)

        assert refused.status_code == 429
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.json()["violated-policies"] == ["sign-in-account"]
        assert 0 < int(refused.headers["Retry-After"]) <= 20
        assert refused.headers["RateLimit"].startswith('"sign-in-account";r=0;t=')

    def test_writing_the_name_in_capitals_is_no_other_account(self, client: Client) -> None:
        user = make_user()
        for name in (user.username, user.username.upper(), user.username.title()):
            ask_for_a_token(client, name, "wrong")

        assert token_of(client, user.username) == 429

    def test_from_one_address_nobody_s_password_is_looked_at(self, client: Client) -> None:
        for number in range(5):
            ask_for_a_token(client, f"nobody-{number}", "wrong")
        user = make_user()

        assert token_of(client, user.username) == 429
        assert token_of(Client(REMOTE_ADDR="10.0.0.2"), user.username) == 200

    def test_only_failures_count(self, client: Client) -> None:
        user = make_user()

        answers = [ask_for_a_token(client, user.username) for _attempt in range(7)]

        assert [answer.status_code for answer in answers] == 7 * [200]
        assert answers[-1].headers["RateLimit"] == '"sign-in-account";r=3, "sign-in-address";r=5'

    def test_a_success_forgets_no_failure(self, client: Client) -> None:
        user = make_user()
        for password in ("wrong", "wrong", PASSWORD, "wrong"):
            ask_for_a_token(client, user.username, password)

        assert token_of(client, user.username) == 429

    @pytest.mark.parametrize("page", ["/login", "/admin/login/"])
    def test_a_page_says_kindly_how_long_to_wait(self, client: Client, page: str) -> None:
        user = make_user(is_staff=True)
        for _attempt in range(3):
            assert client.post(page, {"username": user.username, "password": "wrong"}).status_code == 200

        refused = client.post(page, {"username": user.username, "password": PASSWORD})

        assert refused.status_code == 429
        assert f"Please try again in {refused.headers['Retry-After']} seconds." in refused.text
        assert "_auth_user_id" not in client.session

    def test_without_redis_people_sign_in_within_the_same_limits(self, client: Client, settings: Settings) -> None:
        settings.REDIS_ENDPOINT = "127.0.0.1:1"
        user = make_user()
        assert [token_of(client, user.username) for _attempt in range(7)] == 7 * [200]

        wrong = [ask_for_a_token(client, user.username, "wrong").status_code for _attempt in range(3)]
        refused = ask_for_a_token(client, user.username)

        assert wrong == [401] * 3
        assert refused.status_code == 429
        assert refused.json()["violated-policies"] == ["sign-in-account"]
        assert 0 < int(refused.headers["Retry-After"]) <= 20

    def test_without_redis_an_address_has_its_limit_too(self, client: Client, settings: Settings) -> None:
        settings.REDIS_ENDPOINT = "127.0.0.1:1"
        for number in range(5):
            ask_for_a_token(client, f"nobody-{number}", "wrong")

        assert token_of(client, make_user().username) == 429

    def test_a_redis_that_forgot_everything_gives_nobody_new_attempts(
        self, client: Client, redis_server: redis.Redis
    ) -> None:
        user = make_user()
        for _attempt in range(3):
            ask_for_a_token(client, user.username, "wrong")

        redis_server.flushall()

        refused = ask_for_a_token(client, user.username)
        assert refused.status_code == 429
        assert refused.headers["RateLimit"].startswith('"sign-in-account";r=0;t=')

    def test_what_is_refused_is_not_counted(self, client: Client, settings: Settings) -> None:
        """At the account, that is, nor at the address from which it was tried."""
        settings.REDIS_ENDPOINT = "127.0.0.1:1"
        user = make_user()
        for _attempt in range(3):
            ask_for_a_token(client, user.username, "wrong")
        full_at = sorted(SignInBucket.objects.values_list("full_at", flat=True))

        ask_for_a_token(client, user.username, "wrong")

        assert sorted(SignInBucket.objects.values_list("full_at", flat=True)) == full_at

    def test_the_table_tells_of_nobody(self, client: Client) -> None:
        user = make_user()
        ask_for_a_token(client, user.username, "wrong")

        kept = str(list(SignInBucket.objects.values()))

        assert user.username not in kept
        assert "127.0.0.1" not in kept
