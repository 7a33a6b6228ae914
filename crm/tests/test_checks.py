import sqlite3

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


@pytest.mark.parametrize("pace", ["", "often", "10", "0/60", "10/0", "10/60:11", "10/60,", "10/60, many"])
def test_a_default_pace_that_cannot_be_read_is_an_error(pace: str, settings: Settings) -> None:
    settings.HUNTAZE_PACE = pace

    (said,) = [message for message in run_checks() if message.id == "crm.E001"]

    assert said.is_serious()
    assert said.msg.startswith("HUNTAZE_PACE cannot be read: “")


@pytest.mark.parametrize("pace", ["10/60", "10/60:3", "10/60, 250/86400", "10/6"])
def test_a_pace_that_can_be_read_is_none(pace: str, settings: Settings) -> None:
    settings.HUNTAZE_PACE = pace

    assert not [message for message in run_checks() if message.id == "crm.E001"]


@pytest.mark.parametrize(
    ("key", "debug", "is_wrong"),
    [
        (32 * "k", False, False),
        (31 * "k", False, True),
        ("", False, True),
        ("the secret of the sessions is no other key", False, True),
        ("", True, False),
    ],
)
def test_on_a_server_tokens_are_signed_with_a_key_of_their_own(
    key: str, debug: bool, is_wrong: bool, settings: Settings
) -> None:
    settings.DEBUG, settings.SECRET_KEY = debug, "the secret of the sessions is no other key"
    settings.SIMPLE_JWT = settings.SIMPLE_JWT | {"SIGNING_KEY": key}

    assert [message.is_serious() for message in run_checks() if message.id == "crm.E002"] == [True] * is_wrong


@pytest.mark.sqlite_only
@pytest.mark.parametrize(("version", "is_too_old"), [((3, 34, 1), True), ((3, 35, 0), False), ((4, 0, 0), False)])
def test_a_sqlite_that_cannot_say_what_it_wrote_is_refused(
    version: tuple[int, ...], is_too_old: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")

    said = [message.msg for message in run_checks() if message.id == "crm.E003"]

    assert said == ["SQLite 3.34.1 is too old: Huntaze needs 3.35.0 or newer."] * is_too_old


@pytest.mark.postgresql_only
def test_how_old_sqlite_is_does_not_matter_to_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))

    assert not [message for message in run_checks() if message.id == "crm.E003"]
