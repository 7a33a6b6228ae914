from collections.abc import Iterator

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from pytest_django import Settings

from huntaze import health


@pytest.fixture(params=[OperationalError, InterfaceError])
def database_down(request: pytest.FixtureRequest, db: None) -> Iterator[None]:
    """Every statement fails as it does when the database has gone away."""

    def refuse(*_statement: object) -> None:
        raise request.param("connection refused by db.internal")

    with connection.execute_wrapper(refuse):
        yield


def test_livez_answers_without_asking_the_database(client: Client) -> None:
    answer = client.get("/livez")

    assert (answer.status_code, answer.text) == (200, "alive\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_load_balancer_may_call_us_by_any_name(path: str, client: Client, db: None) -> None:
    assert client.get(path, headers={"Host": "10.1.2.3"}).status_code == 200


@pytest.mark.usefixtures("database_down")
def test_livez_answers_while_the_database_is_down(client: Client) -> None:
    assert client.get("/livez").status_code == 200


@pytest.mark.django_db
def test_readyz_says_ready(client: Client) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (200, "ready\n")


@pytest.mark.usefixtures("database_down")
def test_readyz_names_the_database_and_nothing_more_while_it_is_down(client: Client) -> None:
    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "database\n")


@pytest.mark.django_db
def test_readyz_needs_neither_redis_nor_sqs(client: Client, settings: Settings) -> None:
    settings.REDIS_ENDPOINT, settings.AWS_ENDPOINT_URL = "127.0.0.1:1", "http://127.0.0.1:1"

    assert client.get("/readyz").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_load_balancer_is_neither_redirected_nor_given_a_cookie_nor_a_cached_answer(
    path: str, client: Client, settings: Settings
) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = client.get(path)

    assert answer.status_code == 200
    assert not answer.cookies
    assert "no-store" in answer.headers["Cache-Control"]


@pytest.mark.django_db
def test_readyz_waits_for_the_migrations_that_this_code_needs(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(health, "_migrations", health._Migrations())
    MigrationRecorder(connection).migration_qs.filter(app="onlyfans").delete()

    answer = client.get("/readyz")

    assert (answer.status_code, answer.text) == (503, "migrations\n")
    assert "run manage.py migrate" in caplog.text


@pytest.mark.django_db
def test_readyz_reads_the_migrations_once(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrations", health._Migrations())
    client.get("/readyz")
    monkeypatch.setattr(health, "MigrationExecutor", lambda _connection: pytest.fail("read again"))

    assert client.get("/readyz").status_code == 200
