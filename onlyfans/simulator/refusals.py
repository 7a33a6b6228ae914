"""How the simulated platform says no."""

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An error answer in the provider's words."""

    def __init__(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}


class HangUp(Exception):
    """Close the connection, say nothing."""
