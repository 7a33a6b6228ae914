import signal
from collections.abc import Iterator

import pytest

from crm.models import Creator
from crm.tests.factories import make_creator


@pytest.fixture
def creator(db: None) -> Creator:
    return make_creator(name="Ava")


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    """Commands that can be stopped listen for signals until their process ends; here it goes on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
