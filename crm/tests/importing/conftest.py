"""A file in a line of test code."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from crm.clock import database_now
from crm.importing.accepting import accept
from crm.importing.rows import Options
from crm.importing.running import work
from crm.models import Creator, Import, ImportState

Accept = Callable[..., Import]


@pytest.fixture
def accepted() -> Accept:
    """Keeps a file for a creator; what is left open must be answered by ``options``, in the API's names."""

    def keep(creator: Creator, text: str | bytes, name: str = "fans.csv", **options: Any) -> Import:
        content = text.encode() if isinstance(text, str) else text
        said = Options.read(options)
        return accept(creator, lambda: io.BytesIO(content), name=name, options=said, by=None, now=database_now())

    return keep


@pytest.fixture
def imported(accepted: Accept) -> Accept:
    """Keeps a file and imports it to the end."""

    def run(creator: Creator, text: str | bytes, name: str = "fans.csv", **options: Any) -> Import:
        job = accepted(creator, text, name, **options)
        job.move(ImportState.RUNNING, now=database_now())
        assert work(job)
        return job

    return run
