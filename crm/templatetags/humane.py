"""Times and numbers as people say them."""

from datetime import timedelta
from typing import Any

from django import template
from django.utils.translation import gettext as _

from crm.causes import said
from crm.numbers import grouped

register = template.Library()


@register.filter
def duration(length: timedelta) -> str:
    """In its two largest units: “2 d 3 h”, “1 h 40 min”, “50 s”."""
    seconds = round(length.total_seconds())
    days, hours, minutes = seconds // 86400, seconds // 3600 % 24, seconds // 60 % 60
    parts = [(days, _("d")), (hours, _("h")), (minutes, _("min")), (seconds % 60, _("s"))]
    first = next((at for at, (number, _unit) in enumerate(parts) if number), len(parts) - 1)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or f"0 {_('s')}"


register.filter("number", grouped)
register.filter("said", said)


@register.filter
def minus(number: Any, other: Any) -> Any:
    """Of two numbers or two moments."""
    return number - other
