"""What was just done to conversations: the next page of the inbox says it, with a way back."""

from collections.abc import Iterable, Mapping
from dataclasses import astuple
from datetime import datetime
from typing import Any
from uuid import UUID

from crm.models import Closing
from crm.views.access import SignedInRequest

KEY = "inbox_done"
CLOSED = "inbox_closed"


def tell(
    request: SignedInRequest, words: str, *, icon: str = "circle-check", act: str = "", about: Iterable[UUID] = ()
) -> None:
    """``act`` is what takes it back, for the conversations that it is ``about``."""
    named = [str(public_id) for public_id in about]
    request.session[KEY] = {"words": words, "icon": icon, "act": act, "about": named}


def told(request: SignedInRequest) -> dict[str, Any] | None:
    """Said once."""
    said: dict[str, Any] | None = request.session.pop(KEY, None) if KEY in request.session else None
    return said


def keep(request: SignedInRequest, closings: Mapping[UUID, Closing]) -> None:
    """What was closed last, for its undo."""
    request.session[CLOSED] = {
        str(public_id): [each.isoformat() if isinstance(each, datetime) else each for each in astuple(closing)]
        for public_id, closing in closings.items()
    }


def take(request: SignedInRequest, wanted: Iterable[UUID]) -> dict[UUID, Closing]:
    """What was kept about those that are ``wanted``; once, so that nothing is undone twice."""
    kept: dict[str, Any] = request.session.get(CLOSED, {})
    taken = {public_id: _closing(*kept.pop(str(public_id))) for public_id in wanted if str(public_id) in kept}
    if taken:
        request.session[CLOSED] = kept
    return taken


def _closing(closed_at: str, seq: int, unread_count: int, snoozed_until: str | None) -> Closing:
    until = datetime.fromisoformat(snoozed_until) if snoozed_until else None
    return Closing(datetime.fromisoformat(closed_at), seq, unread_count, until)
