"""What stops or delays sending, in words: the banner above every conversation."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from crm.causes import said
from crm.models import Dispatch, Line


@dataclass(frozen=True)
class Notice:
    tone: str
    icon: str
    title: str
    words: str


def notices_for(lines: Iterable[Line], dispatch: Dispatch, *, now: datetime) -> list[Notice]:
    """Everything stopped, which leaves nothing else to say; or who is paused, and what delays the others."""
    if dispatch.stopped_at:
        return [Notice("stop", "octagon-x", _("All sending is stopped."), said(dispatch.stopped_reason))]
    found = [
        Notice(
            "stop",
            "pause",
            _("Sending for %(creator)s is paused.") % {"creator": line.creator},
            said(line.paused_reason),
        )
        for line in lines
        if line.paused_at
    ]
    if dispatch.is_silent(now):
        found.append(
            Notice(
                "delay",
                "triangle-alert",
                _("Messages are kept, but nothing is being sent right now."),
                _("The dispatch process gives no sign of life. What you write goes out once it is back."),
            )
        )
    elif dispatch.trouble:
        found.append(
            Notice(
                "delay",
                "triangle-alert",
                _("Messages are kept and wait."),
                dispatch.trouble,
            )
        )
    return found
