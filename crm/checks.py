"""What must be right in the settings before anybody writes to a fan; `manage.py check` and every command ask."""

import sqlite3
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ValidationError
from django.db import connection

from crm.pace import parse_pace

#: An HMAC key shorter than its hash weakens it (RFC 7518, section 3.2).
SIGNING_KEY_MIN_BYTES = 32
#: The first with UPDATE … RETURNING, by which every change of a message gets its number (crm/models/lines.py).
SQLITE_MIN = (3, 35, 0)


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


def sqlite_is_new_enough(**_options: Any) -> list[CheckMessage]:
    if connection.vendor != "sqlite" or sqlite3.sqlite_version_info >= SQLITE_MIN:
        return []
    words = f"SQLite {sqlite3.sqlite_version} is too old: Huntaze needs {'.'.join(map(str, SQLITE_MIN))} or newer."
    return [
        Error(words, hint="It comes with Python or the system. Or set DATABASE_URL to a PostgreSQL.", id="crm.E003")
    ]
