"""Acts that one person may do so often an hour, on pages and in the admin as through the API.

Messages to many are counted for each creator: a manager of six may launch for all of them in one hour. Who counts is
not the ledger's business: a middleware puts ``counted`` on the request.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import Throttled

from crm.models import Creator

#: The names of the limits; the API's views have them as their ``throttle_scope``.
IMPORTS, BULK = "imports", "bulk"
WORDS = {
    IMPORTS: gettext_lazy("Imports: at most %(at_most)s."),
    BULK: gettext_lazy("Launches and messages to chosen fans: at most %(at_most)s for one creator."),
}


class TooOften(ValidationError):
    """For forms and pages, which show its words: the limit, and when there is room again."""

    def __init__(self, scope: str, refusal: Any) -> None:
        wait = timedelta(seconds=refusal.wait)
        again = timezone.localtime(timezone.now() + wait)
        words = _("%(limit)s You can do it again in %(minutes)d min, at %(at)s. Nothing is lost.") % {
            "limit": WORDS[scope] % {"at_most": refusal.at_most},
            "minutes": math.ceil(wait / timedelta(minutes=1)),
            "at": time_format(again, "H:i"),
        }
        super().__init__(words, code="throttled")


@contextmanager
def limited(request: HttpRequest, scope: str, *, creator: Creator | None = None) -> Iterator[None]:
    """Do one act under the user's limit of this name; one that raises does not count. Raises TooOften."""
    try:
        with cast(Any, request).counted(scope, within=within(creator)):
            yield
    except Throttled as refusal:
        raise TooOften(scope, refusal) from refusal


def within(creator: Creator | None) -> str:
    """The name under which a creator's acts are counted by themselves; empty for nobody."""
    return f"creator:{creator.pk}" if creator else ""
