"""Variables in a text for many fans: ``Hello {name|there}`` is “Hello Mia” to Mia and “Hello there” to nobody known.

A variable is a word in braces, with or without what stands in for it. Any other brace is just a brace.
"""

import re
from collections.abc import Callable, Mapping

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from crm.models import Fan, Snippet
from crm.models.limits import TEXT_MAX
from crm.models.naming import check_named
from crm.numbers import grouped

_VARIABLE = re.compile(r"\{\s*(?P<name>[A-Za-z_]+)\s*(?:\|(?P<fallback>[^{}|]*))?\}")
#: What the platform calls somebody who has chosen no name: u and digits.
_NO_NAME = re.compile(r"u\d+", re.IGNORECASE)


def _name(fan: Fan) -> str:
    return "" if _NO_NAME.fullmatch(fan.name) else fan.name


def _first_name(fan: Fan) -> str:
    return next(iter(_name(fan).split()), "")


def _handle(fan: Fan) -> str:
    return "" if _NO_NAME.fullmatch(fan.handle) else fan.handle


#: Of whom nothing is known: what stands in is read.
NOBODY = Fan()

VARIABLES: Mapping[str, Callable[[Fan], str]] = {"name": _name, "first_name": _first_name, "handle": _handle}


def check(text: str) -> None:
    """Raises ValidationError on ``text`` naming what is no variable, and those with nothing to stand in for them."""
    found = list(_VARIABLE.finditer(text))
    unknown = sorted({match["name"] for match in found if match["name"] not in VARIABLES})
    if unknown:
        raise ValidationError(
            {
                "text": _("Not a variable: %(names)s. There are %(known)s.")
                % {"names": ", ".join(unknown), "known": ", ".join(VARIABLES)}
            }
        )
    bare = sorted({match["name"] for match in found if not (match["fallback"] or "").strip()})
    if bare:
        raise ValidationError(
            {
                "text": _("Say what stands there for a fan without one: {%(name)s|there}.") % {"name": bare[0]},
            }
        )


def fill_in(text: str, fan: Fan) -> str:
    """``text`` as this fan reads it."""

    def value(match: re.Match[str]) -> str:
        read = VARIABLES.get(match["name"])
        if read is None:
            return match[0]
        return read(fan) or (match["fallback"] or "").strip()

    return _VARIABLE.sub(value, text)


def render(text: str, fan: Fan) -> str:
    """``fill_in`` for a message. Raises ValidationError when it is too long with this fan's names."""
    rendered = fill_in(text, fan)
    if len(rendered) > TEXT_MAX:
        words = _("At most %(max)s characters; with this fan's names it is %(length)s.")
        raise ValidationError({"text": words % {"max": grouped(TEXT_MAX), "length": grouped(len(rendered))}})
    return rendered


def write_snippet(snippet: Snippet, *, name: str | None = None, text: str | None = None) -> None:
    """Name the snippet, and write its text; None leaves what is. Raises ValidationError by column."""
    with transaction.atomic():
        if name is not None:
            snippet.name = name
        if text is not None:
            snippet.text = text
        check(snippet.text)
        check_named(snippet)
        snippet.save()
