"""The process in which imports run, alive, stopped and killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection

from crm.clock import database_now
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_creator
from crm.tests.importing.conftest import accepted  # noqa: F401 — a fixture
from crm.tests.management.operator import run

# It opens and closes connections by itself.
pytestmark = pytest.mark.django_db(transaction=True)

Accept = Callable[..., Import]

PATIENCE = 60
FANS = 6_000


def start(job: Import) -> Import:
    job.move(ImportState.RUNNING, now=database_now())
    return job


def test_once_does_what_waits_in_the_order_in_which_it_was_asked_for(
    creator: Creator,
    accepted: Accept,  # noqa: F811
) -> None:
    jobs = [accepted(creator, f"Fan ID,Username\n{number},ava\n") for number in (1, 2)]
    not_asked_for = accepted(creator, "Fan ID,Username\n3,cy\n")
    for job in reversed(jobs):
        start(job)

    said = run("run_imports", "--once")

    assert (said.code, said.out, said.err) == (0, "", "")
    first, second = Import.objects.filter(state=ImportState.DONE).order_by("finished_at")
    assert [first, second] == [jobs[1], jobs[0]]
    not_asked_for.refresh_from_db()
    assert not_asked_for.state == ImportState.READY


def test_once_with_nothing_to_do_ends(creator: Creator) -> None:
    assert run("run_imports", "--once").code == 0


def test_killed_in_mid_import_the_next_process_goes_on_and_every_fan_is_there_once(accepted: Accept) -> None:  # noqa: F811
    creator = make_creator()
    lines = "".join(f"{number},fan{number},{number % 90}.50\n" for number in range(FANS))
    job = start(accepted(creator, "Fan ID,Username,Total Spent\n" + lines))

    with process() as runner:
        until(lambda: done(job) > 0, runner)
        runner.send_signal(signal.SIGKILL)
    there = creator.fans.count()
    assert 0 < there == done(job) < FANS, "killed too early or too late"

    run("run_imports", "--once")
    assert done(job) == there, "whoever holds the lease may still be alive"
    Import.objects.filter(pk=job.pk).update(lease_until=database_now() - timedelta(seconds=1))
    run("run_imports", "--once")

    job.refresh_from_db()
    assert (job.state, job.rows_done, job.created_count) == (ImportState.DONE, FANS, FANS)
    assert (job.updated_count, job.unchanged_count, job.skipped_count) == (0, 0, 0)
    assert creator.fans.count() == creator.fans.values("platform_id").distinct().count() == FANS


def test_told_to_stop_it_ends_between_two_chunks_and_leaves_the_rest_to_the_next(accepted: Accept) -> None:  # noqa: F811
    creator = make_creator()
    job = start(accepted(creator, "Fan ID,Username\n" + "".join(f"{number},fan{number}\n" for number in range(FANS))))

    with process() as runner:
        until(lambda: done(job) > 0, runner)
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(PATIENCE) == 0

    job.refresh_from_db()
    assert (job.state, job.lease) == (ImportState.RUNNING, None)
    assert 0 < creator.fans.count() == job.rows_done < FANS
    assert Import.objects.to_work_on(database_now()).get() == job


def done(job: Import) -> int:
    return Import.objects.values_list("rows_done", flat=True).get(pk=job.pk)


def until(happened: Callable[[], bool], runner: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert runner.poll() is None, "the process has ended"
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.002)


@contextmanager
def process() -> "Iterator[subprocess.Popen[bytes]]":
    """``manage.py run_imports`` on the tests' database; killed at the end if it is still there."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "huntaze.settings", "DATABASE_URL": _database_url()}
    command = [sys.executable, "manage.py", "run_imports"]
    runner = subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment)
    try:
        yield runner
    finally:
        runner.kill()
        runner.wait(PATIENCE)


def _database_url() -> str:
    values = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{values['NAME']}"
    return f"postgres://{values['USER']}:{values['PASSWORD']}@{values['HOST']}:{values['PORT']}/{values['NAME']}"
