"""What must be right in the settings before anybody writes to a fan; `manage.py check` and every command ask."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ValidationError

from crm.pace import parse_pace


def pace_can_be_read(**_options: Any) -> list[CheckMessage]:
    try:
        parse_pace(settings.HUNTAZE_PACE)
    except ValidationError as error:
        words = f"HUNTAZE_PACE cannot be read: {' '.join(error.messages)}"
        return [Error(words, hint="“10/60” is what the platform tolerates.", id="crm.E001")]
    return []
