"""What a wrong setting says before anything is sent, and to whom."""

import os
import subprocess
import sys

import pytest
from django.conf import settings as project
from django.core.checks import CheckMessage, run_checks
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from pytest_django import Settings

from onlyfans.checks import refuse_to_work

OURS = ("onlyfans.", "crm.")
PRODUCTION = {
    "DEBUG": "0",
    "SECRET_KEY": "cR8mWq2vXz5tLkNp7sYd4gHj9bFe3uAo6iTcVxQwMnBrKlZyP0",
    "ALLOWED_HOSTS": "crm.example.com",
    "AWS_REGION": "eu-west-3",
    "SQS_RATE_LIMITER_QUEUE_URL": "https://sqs.example.com/1/huntaze-rate-limiter-queue",
    "DJANGO_SETTINGS_MODULE": "huntaze.settings",
    "DJANGO_ALLOW_ASYNC_UNSAFE": "",  # tests/settings.py sets it for the browser tests
}


def complaints() -> list[CheckMessage]:
    return [message for message in run_checks() if str(message.id).startswith(OURS)]


def complaint() -> CheckMessage:
    (only,) = complaints()
    return only


def in_production(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of ours as a deployment would."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project.BASE_DIR,
        env={**os.environ, **PRODUCTION, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_complete_installation_has_nothing_to_complain_about() -> None:
    assert complaints() == []


class TestQueue:
    @pytest.mark.parametrize("name", ["AWS_REGION", "SQS_RATE_LIMITER_QUEUE_URL"])
    def test_without_it_sending_is_held_and_everything_else_works(self, name: str, settings: Settings) -> None:
        setattr(settings, name, "")

        said = complaint()

        assert not said.is_serious()
        assert name in said.msg
        assert "Everything else works; sending is held" in said.msg

    def test_the_log_gateway_needs_none(self, settings: Settings) -> None:
        settings.DEBUG, settings.RATE_LIMITER_ENABLED, settings.AWS_REGION = True, False, ""

        assert complaints() == []


class TestPace:
    def test_without_the_rate_limiter_nothing_starts(self, settings: Settings) -> None:
        settings.DEBUG, settings.RATE_LIMITER_ENABLED = False, False

        said = complaint()

        assert said.is_serious()
        assert "RATE_LIMITER_ENABLED" in said.msg

    def test_in_debug_the_log_will_do(self, settings: Settings) -> None:
        settings.DEBUG, settings.RATE_LIMITER_ENABLED = True, False

        assert complaints() == []


class TestKeyring:
    @pytest.mark.parametrize("keyring", ["", "nonsense", "k1:AAAA"])
    def test_is_needed_in_production(self, keyring: str, settings: Settings) -> None:
        settings.DEBUG, settings.HUNTAZE_KEYRING = False, keyring

        said = complaint()

        assert said.is_serious()
        assert "HUNTAZE_KEYRING" in said.msg

    @pytest.mark.parametrize("keyring", ["", "nonsense"])
    def test_is_missed_in_debug(self, keyring: str, settings: Settings) -> None:
        settings.DEBUG, settings.HUNTAZE_KEYRING = True, keyring

        said = complaint()

        assert not said.is_serious()
        assert "HUNTAZE_KEYRING" in said.msg


class TestRedis:
    def test_an_address_that_cannot_be_read_is_an_error_that_repeats_no_password(self, settings: Settings) -> None:
        settings.REDIS_ENDPOINT = "http://user:secret@redis:6379"

        said = complaint()

        assert said.is_serious()
        assert "REDIS_ENDPOINT cannot be read" in said.msg
        assert "secret" not in said.msg

    def test_without_the_rate_limiter_nobody_asks(self, settings: Settings) -> None:
        settings.DEBUG, settings.RATE_LIMITER_ENABLED, settings.REDIS_ENDPOINT = True, False, ""

        assert complaints() == []


class TestWhoIsRefused:
    def test_a_command_is(self, settings: Settings) -> None:
        settings.DEBUG, settings.RATE_LIMITER_ENABLED = False, False

        with pytest.raises(SystemCheckError, match="RATE_LIMITER_ENABLED"):
            call_command("dispatch", skip_checks=False)

    def test_a_worker_is_not_while_only_a_warning_is_said(self, settings: Settings) -> None:
        settings.AWS_REGION = ""

        refuse_to_work()

    def test_a_deployment_that_is_complete_passes_every_check(self) -> None:
        done = in_production("manage.py", "check", "--deploy", "--fail-level", "WARNING")

        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize(
        "program", [("manage.py", "dispatch"), ("-m", "celery", "-A", "huntaze", "worker", "--pool", "solo")]
    )
    def test_whoever_could_send_does_not_start_without_the_rate_limiter(self, program: tuple[str, ...]) -> None:
        done = in_production(*program, RATE_LIMITER_ENABLED="false")

        assert done.returncode == 1
        assert "RATE_LIMITER_ENABLED=false is refused without DEBUG" in done.stderr
        assert "Traceback" not in done.stderr


class TestThrottleRates:
    def test_one_that_cannot_be_read_is_an_error(self, settings: Settings) -> None:
        settings.THROTTLE_RATES = {**settings.THROTTLE_RATES, "bulk": "five an hour"}

        said = complaint()

        assert said.is_serious()
        assert "“five an hour” is no rate" in said.msg
