"""What must be right in the settings before anything is sent; `manage.py check`, every command and the worker ask."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, run_checks  # noqa: A004
from django.core.exceptions import ImproperlyConfigured

from crm.keyring import key_ids
from onlyfans.queue import missing_settings
from ratelimit.bucket import Bucket
from ratelimit.throttles import rate


def queue_is_configured(**_options: Any) -> list[CheckMessage]:
    """A warning only: without a queue everything but the sending works."""
    trouble = missing_settings()
    if not settings.RATE_LIMITER_ENABLED or not trouble:
        return []
    words = f"{trouble} Everything else works; sending is held until it is set."
    return [Warning(words, hint="“.env.example” says what each variable is.", id="onlyfans.W001")]


def pace_is_kept(**_options: Any) -> list[CheckMessage]:
    if settings.RATE_LIMITER_ENABLED or settings.DEBUG:
        return []
    words = "RATE_LIMITER_ENABLED=false is refused without DEBUG: messages would be written to the log instead of sent."
    hint = "Remove it. To stop all sending, run manage.py stop_sending."
    return [Error(words, hint=hint, id="onlyfans.E001")]


def keyring_can_be_read(**_options: Any) -> list[CheckMessage]:
    """In DEBUG a warning: whoever only looks around has stored no secret yet."""
    try:
        key_ids()
    except ImproperlyConfigured as error:
        hint = "manage.py shell -c 'from crm.keyring import new_key; print(new_key())' makes a key."
        if settings.DEBUG:
            return [Warning(str(error), hint=hint, id="onlyfans.W002")]
        return [Error(str(error), hint=hint, id="onlyfans.E002")]
    return []


def redis_endpoint_can_be_read(**_options: Any) -> list[CheckMessage]:
    """The complaint does not repeat the address: it may have a password in it."""
    if not settings.RATE_LIMITER_ENABLED:
        return []
    try:
        Bucket.at(settings.REDIS_ENDPOINT)
    except ValueError as error:
        hint = "For example 127.0.0.1:6379; docs/gate.md has every form."
        return [Error(f"REDIS_ENDPOINT cannot be read: {error}.", hint=hint, id="onlyfans.E003")]
    return []


def nothing_dies_on_purpose(**_options: Any) -> list[CheckMessage]:
    """Fault points belong to the tests' own settings module."""
    if not hasattr(settings, "ON_FAULT_POINT"):
        return []
    words = "These settings let processes die on purpose: they are the ones of tests/faults/."
    return [Error(words, hint="DJANGO_SETTINGS_MODULE must be huntaze.settings.", id="onlyfans.E004")]


def throttle_rates_can_be_read(**_options: Any) -> list[CheckMessage]:
    try:
        for text in settings.THROTTLE_RATES.values():
            rate(text)
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="The THROTTLE_ variables; empty is no limit.", id="onlyfans.E005")]
    return []


ALL = (
    queue_is_configured,
    pace_is_kept,
    keyring_can_be_read,
    redis_endpoint_can_be_read,
    nothing_dies_on_purpose,
    throttle_rates_can_be_read,
)


def refuse_to_work(**_signal: Any) -> None:
    """End a starting worker with the words of every error, as a command would. Raises SystemExit."""
    errors = [str(message) for message in run_checks() if message.is_serious() and not message.is_silenced()]
    if errors:
        raise SystemExit("\n".join(["The worker does not start:", *errors]))
