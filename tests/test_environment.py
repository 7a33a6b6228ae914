"""What a person sets, what `make run` chooses, and the page that lists it all."""

import os
import re
import stat
from pathlib import Path

import pytest
import yaml

from huntaze.laptop.environment import BASE_DIR, SECRETS, choose, free_ports, is_free, keep, new_socket


def names_read_by_settings() -> list[str]:
    return re.findall(r'\benv(?:\.\w+)?\("([A-Z_]+)"', (BASE_DIR / "huntaze" / "settings.py").read_text())


def names_in_the_example() -> list[str]:
    return re.findall(r"^#?([A-Z_]+)=", (BASE_DIR / ".env.example").read_text(), re.MULTILINE)


def test_the_example_lists_what_settings_read_in_the_same_order() -> None:
    assert names_in_the_example() == names_read_by_settings()


def test_every_service_of_compose_runs_a_command_that_exists() -> None:
    services = yaml.safe_load((BASE_DIR / "docker-compose.yml").read_text())["services"]

    assert set(services) == {"postgres", "redis", "sqs", "migrate", "web", "dispatch", "imports", "worker"}


def test_without_anything_set_every_stand_in_runs(tmp_path: Path) -> None:
    choice = choose({}, home=tmp_path, port=8000)

    assert choice.kept["REDIS_ENDPOINT"].startswith("127.0.0.1:")
    assert choice.kept["SQS_RATE_LIMITER_QUEUE_URL"].endswith("/huntaze-rate-limiter-queue")
    assert [choice.passing[f"HUNTAZE_RUNS_{part}"] for part in ("REDIS", "SQS", "WORKER")] == ["true", "true", "true"]


@pytest.mark.parametrize(
    ("given", "stays_away"),
    [
        ({"REDIS_ENDPOINT": "127.0.0.1:6379"}, "REDIS"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "SQS"),
        ({"SQS_RATE_LIMITER_QUEUE_URL": "https://sqs.eu-west-3.amazonaws.com/1/queue"}, "SQS"),
    ],
)
def test_what_is_set_takes_the_place_of_its_stand_in(given: dict[str, str], stays_away: str, tmp_path: Path) -> None:
    choice = choose(given, home=tmp_path, port=8000)

    assert choice.passing[f"HUNTAZE_RUNS_{stays_away}"] == "false"
    assert choice.kept.items() >= given.items()


def test_a_person_s_aws_profile_does_not_lead_past_the_stand_in(tmp_path: Path) -> None:
    assert "AWS_PROFILE" in choose({"AWS_PROFILE": "work"}, home=tmp_path, port=8000).dropped


def test_a_person_s_aws_credentials_are_not_written_down(tmp_path: Path) -> None:
    given = {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "AWS_SECRET_ACCESS_KEY": "real"}

    assert "real" not in choose(given, home=tmp_path, port=8000).kept.values()


def test_without_the_rate_limiter_there_is_no_queue_no_redis_no_worker(tmp_path: Path) -> None:
    passing = choose({"RATE_LIMITER_ENABLED": "false"}, home=tmp_path, port=8000).passing

    assert [passing[f"HUNTAZE_RUNS_{part}"] for part in ("REDIS", "SQS", "WORKER")] == ["false", "false", "false"]


def test_secrets_are_made_once_and_only_their_owner_can_read_them(tmp_path: Path) -> None:
    file = tmp_path / "laptop.env"
    first = choose({}, home=tmp_path, port=8000)
    keep(first.kept, file)
    second = choose({}, home=tmp_path, port=8000)

    assert {name: first.kept[name] for name in SECRETS} == {name: second.kept[name] for name in SECRETS}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_demo_never_speaks_to_a_real_provider(tmp_path: Path) -> None:
    kept = choose({"OFAPI_BASE_URL": "https://app.onlyfansapi.com/api"}, home=tmp_path, port=8000).kept

    assert kept["OFAPI_BASE_URL"].startswith("http://127.0.0.1:")


def test_the_socket_s_path_is_short_even_where_the_temporary_folder_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))

    socket = new_socket()

    assert len(os.fsencode(socket)) < 100
    socket.parent.rmdir()


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(5)

    assert len(set(ports)) == 5
    assert all(is_free(port) for port in ports)
