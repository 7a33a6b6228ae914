"""Who is signed in, and what the bucket says."""

from collections.abc import Callable

import pytest
from django.test import Client
from pytest_django import Settings

from crm.models import Creator


@pytest.fixture
def owner(client: Client, creator: Creator) -> Client:
    """The browser of the test's creator's one member."""
    client.force_login(creator.memberships.get().user)
    return client


@pytest.fixture
def gate_opens(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[float | None], None]:
    """Say in how many seconds a bucket lets the next message go; None: it does not answer."""

    def say(seconds: float | None) -> None:
        monkeypatch.setattr(settings.ASK_THE_GATE, lambda _line, _now: seconds)

    return say
