"""What was just done to conversations: the next page of the inbox says it, with a way back."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from crm.views.access import SignedInRequest

KEY = "inbox_done"


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
