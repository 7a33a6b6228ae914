from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Dispatch, Worker
from crm.tests.factories import PASSWORD, make_creator, make_user
from onlyfans.models import Connection
from ratelimit.throttles import UNAVAILABLE

pytestmark = pytest.mark.django_db

MONITORING, METRICS = "/api/monitoring/onlyfans", "/metrics"
TOKEN = "a-token-for-those-who-watch"
COMPONENTS = ["database", "redis", "sqs", "rateLimiter", "gateway", "worker", "dispatch"]


@pytest.fixture
def token(settings: Settings) -> dict[str, str]:
    settings.MONITORING_TOKEN = TOKEN
    return {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def all_is_well(redis_server: object) -> None:
    now = database_now()
    Dispatch.note(
        heartbeat_at=now, queue_depth=1, queue_in_flight=2, dlq_count=0, queue_sampled_at=now - timedelta(seconds=3)
    )
    Worker.beat("one", now=now, polled_at=now)
    Connection.objects.create(creator=make_creator(), account_id="acct_1")


@pytest.fixture
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onlyfans.queue._client", lambda: pytest.fail("a request asked SQS"))


@contextmanager
def database_is_down() -> Iterator[None]:
    def refuse(*_statement: object) -> None:
        raise OperationalError("connection refused by db.internal")

    with connection.execute_wrapper(refuse):
        yield


@pytest.fixture
def database_down() -> Iterator[None]:
    with database_is_down():
        yield


def states(answer: Any) -> dict[str, str]:
    return {name: component["state"] for name, component in answer.json()["components"].items()}


class TestWhoMayWatch:
    @pytest.mark.parametrize("path", [MONITORING, METRICS])
    def test_nobody_without_the_right(self, path: str, client: Client, settings: Settings) -> None:
        settings.MONITORING_TOKEN = TOKEN

        assert client.get(path).status_code == 401
        assert client.get(path, headers={"Authorization": f"Bearer {TOKEN}x"}).status_code == 401
        client.force_login(make_user())
        assert client.get(path).status_code == 403

    @pytest.mark.parametrize("path", [MONITORING, METRICS])
    def test_an_empty_setting_is_no_token(self, path: str, client: Client, settings: Settings) -> None:
        assert settings.MONITORING_TOKEN == ""

        for given in ("Bearer ", "Bearer", "bearer  "):
            assert client.get(path, headers={"Authorization": given}).status_code == 401

    @pytest.mark.usefixtures("all_is_well")
    @pytest.mark.parametrize("path", [MONITORING, METRICS])
    def test_the_token_and_staff_by_session_or_by_access_token(
        self, path: str, client: Client, token: dict[str, str]
    ) -> None:
        staff = make_user(is_staff=True)

        assert client.get(path, headers=token).status_code == 200
        sign_in = {"username": staff.username, "password": PASSWORD}
        tokens = client.post("/api/auth/token", sign_in, content_type="application/json").json()
        bearer = {"Authorization": f"Bearer {tokens['access']}"}
        assert client.get(path, headers=bearer).status_code == 200
        client.force_login(staff)
        answer = client.get(path)
        assert answer.status_code == 200
        assert "no-store" in answer.headers["Cache-Control"]

    def test_the_token_opens_nothing_else(self, client: Client, token: dict[str, str]) -> None:
        assert client.get("/api/onlyfans/messages/status", headers=token).status_code == 401


@pytest.mark.usefixtures("no_broker")
class TestMonitoring:
    @pytest.mark.usefixtures("all_is_well")
    def test_every_component_is_well(self, client: Client, token: dict[str, str]) -> None:
        answer = client.get(MONITORING, headers=token)

        assert answer.status_code == 200
        assert list(answer.json()["components"]) == COMPONENTS
        assert answer.json()["status"] == "ok"
        assert set(states(answer).values()) == {"ok"}
        latency = {name: component["latencyMs"] for name, component in answer.json()["components"].items()}
        assert all(latency[name] >= 0 for name in ("database", "redis", "rateLimiter"))
        assert "3 s ago" in answer.json()["components"]["sqs"]["words"]

    @pytest.mark.usefixtures("all_is_well")
    @pytest.mark.parametrize(
        ("trouble", "component", "state", "words"),
        [
            ({"queue_trouble": "SQS: refused"}, "sqs", "down", "SQS: refused"),
            ({"dlq_count": 11}, "sqs", "degraded", "11 dead"),
            ({"queue_sampled_at": timedelta(hours=1)}, "sqs", "degraded", "s ago"),
            ({"heartbeat_at": timedelta(hours=1)}, "dispatch", "down", "s ago"),
            ({"stopped_at": timedelta(), "stopped_reason": "fire"}, "dispatch", "degraded", "fire"),
        ],
    )
    def test_says_which_one_is_not(
        self, trouble: dict[str, Any], component: str, state: str, words: str, client: Client, token: dict[str, str]
    ) -> None:
        now = database_now()
        Dispatch.note(**{name: now - it if isinstance(it, timedelta) else it for name, it in trouble.items()})

        answer = client.get(MONITORING, headers=token)

        assert answer.status_code == (503 if state == "down" else 200)
        assert answer.json()["status"] == state
        assert words in answer.json()["components"][component]["words"]
        assert {name for name, is_ in states(answer).items() if is_ != "ok"} == {component}

    @pytest.mark.usefixtures("all_is_well")
    def test_redis_down_is_said_within_its_time_limit(
        self, client: Client, token: dict[str, str], settings: Settings
    ) -> None:
        settings.REDIS_ENDPOINT = "127.0.0.1:1"

        answer = client.get(MONITORING, headers=token)

        assert answer.status_code == 503
        assert (states(answer)["redis"], states(answer)["rateLimiter"], states(answer)["sqs"]) == ("down", "down", "ok")

    @pytest.mark.usefixtures("all_is_well")
    def test_a_dead_worker_is_missed_for_so_many_seconds(self, client: Client, token: dict[str, str]) -> None:
        Worker.objects.update(seen_at=database_now() - timedelta(seconds=45))

        answer = client.get(MONITORING, headers=token)

        assert answer.status_code == 503
        assert answer.json()["components"]["worker"]["words"].startswith("No worker has been seen for 4")

    @pytest.mark.usefixtures("all_is_well")
    def test_one_lost_session_degrades_and_everybody_s_broken_provider_is_down(
        self, client: Client, token: dict[str, str]
    ) -> None:
        Connection.objects.create(creator=make_creator(), account_id="acct_2", state=Connection.State.SESSION_LOST)
        assert states(client.get(MONITORING, headers=token))["gateway"] == "degraded"

        Connection.objects.update(failures=9)
        assert states(client.get(MONITORING, headers=token))["gateway"] == "down"

    @pytest.mark.usefixtures("database_down")
    def test_with_the_database_down_the_token_still_gets_an_answer(
        self, client: Client, token: dict[str, str], redis_server: object
    ) -> None:
        answer = client.get(MONITORING, headers=token)

        assert answer.status_code == 503
        assert states(answer) == dict.fromkeys(COMPONENTS, "down") | {"redis": "ok", "rateLimiter": "ok"}
        assert "db.internal" not in answer.text

    @pytest.mark.parametrize("path", [MONITORING, METRICS])
    def test_with_the_database_down_a_person_is_told_so_and_what_is_left(self, path: str, client: Client) -> None:
        client.force_login(make_user(is_staff=True))
        client.raise_request_exception = False

        with database_is_down():
            answer = client.get(path)

        assert (answer.status_code, answer["Content-Type"]) == (503, "application/problem+json")
        assert answer.json()["component"] == "database"
        assert "monitoring token" in answer.json()["detail"]
        assert "db.internal" not in answer.text

    @pytest.mark.usefixtures("database_down")
    def test_metrics_with_the_database_down_are_none(self, client: Client, token: dict[str, str]) -> None:
        client.raise_request_exception = False

        answer = client.get(METRICS, headers=token)

        assert (answer.status_code, answer.json()["component"]) == (503, "database")

    def test_without_the_rate_limiter_its_parts_are_off(
        self, client: Client, token: dict[str, str], settings: Settings
    ) -> None:
        settings.RATE_LIMITER_ENABLED = False
        Dispatch.note(heartbeat_at=database_now())

        answer = client.get(MONITORING, headers=token)

        assert answer.status_code == 200
        assert {name for name, state in states(answer).items() if state == "off"} == {
            "redis",
            "sqs",
            "rateLimiter",
            "gateway",
            "worker",
        }

    @pytest.mark.usefixtures("all_is_well")
    def test_what_is_above_its_threshold_is_here_and_in_the_status(self, client: Client, token: dict[str, str]) -> None:
        Dispatch.note(warnings={"queueDepth": "101 messages wait"})
        client.force_login(make_user())

        assert client.get("/api/onlyfans/messages/status").json()["warnings"] == [
            {"code": "queueDepth", "words": "101 messages wait"}
        ]
        assert client.get(MONITORING, headers=token).json()["warnings"][0]["code"] == "queueDepth"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/openmetrics-text;version=1.0.0,*/*;q=0.1", "application/openmetrics-text"),
        ("text/plain", "text/plain"),
    ],
)
def test_metrics_are_in_the_format_that_prometheus_asks_for(
    accept: str, content_type: str, client: Client, token: dict[str, str]
) -> None:
    answer = client.get(METRICS, headers=token | {"Accept": accept})

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith(content_type)
    assert "# TYPE huntaze_messages gauge" in answer.text


def test_metrics_count_the_requests_that_passed_because_redis_did_not_answer(
    client: Client, token: dict[str, str]
) -> None:
    def counted() -> float:
        lines = client.get(METRICS, headers=token | {"Accept": "text/plain"}).text.splitlines()
        return float(next(line.split()[-1] for line in lines if line.startswith("huntaze_throttle_unavailable_total")))

    before = counted()
    UNAVAILABLE.inc()

    assert counted() == before + 1
