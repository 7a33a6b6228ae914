"""How often a caller may ask: what passes, what an answer says about it, and what happens without Redis."""

from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, RequestFactory
from django.urls import path
from prometheus_client import REGISTRY
from pytest_django import Settings
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ratelimit import throttles
from ratelimit.bucket import Bucket, Limit

pytestmark = [pytest.mark.urls(__name__)]

RATES = {"writes": "3/min", "bulk": "2/hour", "anonymous": "4/min"}


class User(SimpleNamespace):
    is_authenticated = True


class SignedIn(BaseAuthentication):
    """Whoever says who they are."""

    def authenticate(self, request: Request) -> tuple[User, SimpleNamespace | None] | None:
        name, key = request.headers.get("X-User"), request.headers.get("X-Key")
        return (User(pk=name), SimpleNamespace(throttle_subject=key) if key else None) if name else None


class View(APIView):
    authentication_classes = (SignedIn,)
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        return Response("read")

    def post(self, request: Request) -> Response:
        return Response("written")


class BulkView(View):
    throttle_scope = "bulk"


class UnknownScopeView(View):
    throttle_scope = "nobody-set-it"


urlpatterns = [
    path("view", View.as_view()),
    path("bulk", BulkView.as_view()),
    path("unknown", UnknownScopeView.as_view()),
]


@pytest.fixture(autouse=True)
def rates(settings: Settings) -> None:
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "DEFAULT_THROTTLE_RATES": RATES}


@pytest.fixture
def as_ava(redis_server: redis.Redis) -> Client:
    return Client(headers={"X-User": "ava"})


def unavailable() -> float:
    return REGISTRY.get_sample_value("huntaze_throttle_unavailable_total") or 0.0


def statuses(client: Client, address: str, times: int, **extra: Any) -> list[int]:
    return [client.post(address, **extra).status_code for _request in range(times)]


class TestWrites:
    def test_so_many_pass_and_the_next_is_told_how_long_to_wait(self, as_ava: Client) -> None:
        assert statuses(as_ava, "/view", 3) == [200, 200, 200]

        refused = as_ava.post("/view")

        assert refused.status_code == 429
        assert 15 < int(refused.headers["Retry-After"]) <= 20
        assert refused.headers["Content-Type"] == "application/problem+json"
        problem = refused.json()
        assert problem["type"].endswith("#quota-exceeded")
        assert problem["violated-policies"] == ["writes"]
        assert "3 requests a minute" in problem["detail"]
        assert f"{refused.headers['Retry-After']} seconds" in problem["detail"]

    def test_reading_is_not_writing(self, as_ava: Client) -> None:
        statuses(as_ava, "/view", 4)

        assert as_ava.get("/view").status_code == 200

    def test_every_user_has_a_quota_of_their_own(self, as_ava: Client) -> None:
        statuses(as_ava, "/view", 4)

        assert Client(headers={"X-User": "ben"}).post("/view").status_code == 200

    def test_a_program_s_key_has_one_beside_its_person_s(self, as_ava: Client) -> None:
        assert statuses(as_ava, "/view", 4, headers={"X-User": "ava", "X-Key": "key:1"})[-1] == 429

        assert as_ava.post("/view").status_code == 200

    def test_what_a_view_s_own_scope_counts_is_the_person_s(self, as_ava: Client) -> None:
        statuses(as_ava, "/bulk", 2)

        assert as_ava.post("/bulk", headers={"X-User": "ava", "X-Key": "key:1"}).status_code == 429

    def test_they_are_counted_across_views(self, as_ava: Client) -> None:
        statuses(as_ava, "/view", 2)

        assert statuses(as_ava, "/bulk", 2) == [200, 429]


class TestScope:
    def test_a_view_s_own_scope_counts_as_well(self, as_ava: Client) -> None:
        assert statuses(as_ava, "/bulk", 3) == [200, 200, 429]

        assert as_ava.get("/bulk").status_code == 200

    def test_what_one_quota_refuses_costs_nothing_of_the_other(self, as_ava: Client) -> None:
        statuses(as_ava, "/bulk", 5)
        assert statuses(as_ava, "/view", 2) == [200, 429]

        # The third write was refused by "writes"; "bulk" must not have been charged for any of these.
        assert as_ava.post("/bulk").json()["violated-policies"] == ["bulk"]

    def test_a_write_that_is_refused_gives_the_scope_s_token_back(
        self, as_ava: Client, redis_server: redis.Redis
    ) -> None:
        statuses(as_ava, "/view", 3)
        assert as_ava.post("/bulk").json()["violated-policies"] == ["writes"]

        redis_server.delete("rl:{user:ava}:writes")

        assert statuses(as_ava, "/bulk", 2) == [200, 200]

    def test_one_that_nobody_set_is_a_bug(self, as_ava: Client) -> None:
        as_ava.raise_request_exception = False

        assert as_ava.post("/unknown").status_code == 500


class TestAnonymous:
    def test_reads_and_writes_of_an_address_count_together(self, redis_server: redis.Redis) -> None:
        assert statuses(Client(), "/view", 3) == [200, 200, 200]
        assert Client().get("/view").status_code == 200
        assert Client().get("/view").status_code == 429
        assert Client(REMOTE_ADDR="10.0.0.2").get("/view").status_code == 200

    def test_nobody_makes_up_an_address(self, redis_server: redis.Redis) -> None:
        made_up = [Client().get("/view", headers={"X-Forwarded-For": f"10.0.0.{number}"}) for number in range(5)]

        assert [answer.status_code for answer in made_up] == [200, 200, 200, 200, 429]

    def test_behind_a_proxy_of_ours_its_word_counts(self, redis_server: redis.Redis, settings: Settings) -> None:
        settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, "NUM_PROXIES": 1}
        asked = [Client().get("/view", headers={"X-Forwarded-For": f"1.1.1.{n}, 10.0.0.1"}) for n in range(5)]

        assert [answer.status_code for answer in asked] == [200, 200, 200, 200, 429]
        assert Client().get("/view", headers={"X-Forwarded-For": "1.1.1.1, 10.0.0.2"}).status_code == 200

    @pytest.mark.parametrize(
        ("address", "subject"),
        [
            ("10.0.0.1", "address:10.0.0.1"),
            ("2001:db8:1:2:3:4:5:6", "address:2001:db8:1:2::/64"),
            ("::ffff:10.0.0.1", "address:10.0.0.1"),
            ("", "address:"),
        ],
    )
    def test_an_ipv6_network_is_one_caller(self, address: str, subject: str) -> None:
        assert throttles.address_of(RequestFactory().get("/", REMOTE_ADDR=address)) == subject


class TestFields:
    def test_a_good_answer_says_what_is_left_and_when_there_is_more(self, as_ava: Client) -> None:
        answer = as_ava.post("/bulk")

        assert answer.headers["RateLimit-Policy"] == '"bulk";q=2;w=3600, "writes";q=3;w=60'
        assert answer.headers["RateLimit"] == '"bulk";r=1;t=1800, "writes";r=2;t=20'
        assert "Retry-After" not in answer.headers

    def test_a_refusal_says_so_too(self, as_ava: Client) -> None:
        statuses(as_ava, "/bulk", 2)

        refused = as_ava.post("/bulk")

        assert refused.headers["RateLimit-Policy"] == '"bulk";q=2;w=3600'
        assert refused.headers["RateLimit"] == f'"bulk";r=0;t={refused.headers["Retry-After"]}'

    def test_an_answer_that_nothing_limits_has_none(self, as_ava: Client) -> None:
        assert "RateLimit" not in as_ava.get("/view").headers


class TestWithoutRedis:
    def test_requests_pass_and_are_counted(
        self, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.REDIS_ENDPOINT = "127.0.0.1:1"
        monkeypatch.setattr(throttles, "LEFT_ALONE_SECONDS", 0.0)
        before = unavailable()

        assert statuses(Client(headers={"X-User": "ava"}), "/view", 5) == 5 * [200]

        assert unavailable() == before + 5
        assert caplog.text.count("throttles are out of reach") == 5

    def test_it_is_left_alone_for_a_second(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        settings.REDIS_ENDPOINT = "127.0.0.1:2"
        client, before = Client(headers={"X-User": "ava"}), unavailable()
        client.post("/view")

        monkeypatch.setattr(Bucket, "take", lambda *_asked, **_how: pytest.fail("nobody may be asked"))

        assert client.post("/view").status_code == 200
        assert unavailable() == before + 2


class TestRate:
    @pytest.mark.parametrize(
        ("text", "limit"),
        [
            ("60/min", Limit(60, 60, 60)),
            ("5/hour", Limit(5, 3600, 5)),
            ("1/s", Limit(1, 1, 1)),
            ("100/day", Limit(100, 86400, 100)),
        ],
    )
    def test_is_so_many_at_once_then_evenly(self, text: str, limit: Limit) -> None:
        assert throttles.rate(text) == limit

    def test_may_be_empty(self) -> None:
        assert throttles.rate("") is None

    @pytest.mark.parametrize("text", ["60", "sixty/min", "0/min", "60/", "60/week", "-1/min"])
    def test_that_cannot_be_read_is_refused(self, text: str) -> None:
        with pytest.raises(ImproperlyConfigured, match="no rate"):
            throttles.rate(text)
