"""What must be right in the settings before anybody writes to a fan; `manage.py check` and every command ask."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ValidationError

from crm.pace import parse_pace

#: An HMAC key shorter than its hash weakens it (RFC 7518, section 3.2).
SIGNING_KEY_MIN_BYTES = 32


def tokens_have_a_key_of_their_own(**_options: Any) -> list[CheckMessage]:
    """In DEBUG the secret of the sessions will do."""
    key = settings.SIMPLE_JWT["SIGNING_KEY"]
    if settings.DEBUG or (len(key.encode()) >= SIGNING_KEY_MIN_BYTES and key != settings.SECRET_KEY):
        return []
    words = f"JWT_SIGNING_KEY must be set, have {SIGNING_KEY_MIN_BYTES} bytes or more, and not be SECRET_KEY."
    hint = 'python -c "import secrets; print(secrets.token_urlsafe(48))" makes one.'
    return [Error(words, hint=hint, id="crm.E002")]


def pace_can_be_read(**_options: Any) -> list[CheckMessage]:
    try:
        parse_pace(settings.HUNTAZE_PACE)
    except ValidationError as error:
        words = f"HUNTAZE_PACE cannot be read: {' '.join(error.messages)}"
        return [Error(words, hint="“10/60” is what the platform tolerates.", id="crm.E001")]
    return []
