"""A worker's database connection, from task to task."""

import pytest
from django.db import connection

from huntaze.celery import app
from huntaze.fixup import Fixup, KeptConnections
from onlyfans.tasks import deliver_message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def kept() -> KeptConnections:
    [fixup] = app._fixups  # type: ignore[attr-defined]  # left out of the stubs
    assert isinstance(fixup, Fixup)
    connection.ensure_connection()
    connection.close_at = None
    return fixup.worker_fixup


def test_a_task_finds_the_connection_of_the_one_before(kept: KeptConnections) -> None:
    opened = connection.connection

    kept.on_task_prerun(sender=deliver_message)
    kept.on_task_postrun(sender=deliver_message)

    assert connection.connection is opened


def test_a_connection_that_broke_is_not_kept(kept: KeptConnections, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.errors_occurred = True
    monkeypatch.setattr(connection, "is_usable", lambda: False)

    kept.on_task_postrun(sender=deliver_message)

    assert connection.connection is None
