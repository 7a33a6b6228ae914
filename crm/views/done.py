"""What was just done to conversations: the next page of the inbox says it, with a way back."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from crm.views.access import SignedInRequest

KEY = "inbox_done"


def tell(request: SignedInRequest, words: str, *, act: str = "", about: Iterable[UUID] = ()) -> None:
    """``act`` is what takes it back, for the conversations that it is ``about``."""
    request.session[KEY] = {"words": words, "act": act, "about": [str(public_id) for public_id in about]}


def told(request: SignedInRequest) -> dict[str, Any] | None:
    """Said once."""
    said: dict[str, Any] | None = request.session.pop(KEY, None) if KEY in request.session else None
    return said
