"""The stage, once for a run; a scene for each test, and the invariants after it."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test.utils import setup_databases, teardown_databases
from pytest_django.plugin import DjangoDbBlocker

from crm.models.messages import UNSETTLED
from tests.faults.invariants import check_invariants
from tests.faults.scene import Scene
from tests.faults.stage import Stage

LOG_TAIL = 6000
MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def stage(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """With a database of its own that no test rolls back or empties: other processes work in it all the time."""
    with django_db_blocker.unblock():
        databases = setup_databases(verbosity=0, interactive=False)
        stage = Stage(tmp_path_factory.mktemp("stage"), _database_url())
        yield stage
        stage.close()
        teardown_databases(databases, verbosity=0)


@pytest.fixture
def scene(stage: Stage) -> Iterator[Scene]:
    """Everything up and well; whatever the test does to it, the invariants hold when it has ended."""
    stage.set_up()
    scene = Scene(stage)
    yield scene
    if scene.messages.filter(status__in=UNSETTLED).exists():
        # The test has failed: whoever still works on its rows must not meet their end.
        for part in stage.product:
            part.kill()
    for creator in scene.creators:
        creator.delete()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """The invariants are part of the test, not of its tidying up."""
    result = yield
    scene: Scene | None = getattr(item, "funcargs", {}).get("scene")
    if scene:
        check_invariants(scene)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Whoever reads a failure needs what the processes said."""
    report = yield
    scene: Scene | None = getattr(item, "funcargs", {}).get("scene")
    if scene and report.failed:
        for part in scene.stage.product:
            report.sections.append((f"log of {part.name}", part.log.read_text(errors="replace")[-LOG_TAIL:]))
    return report


@pytest.fixture(scope="session", autouse=True)
def _measured(stage: Stage, pytestconfig: pytest.Config) -> Iterator[None]:
    """What was measured stands in the run's last lines."""
    yield
    pytestconfig.stash[MEASURED] = stage.measured


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(MEASURED, []):
        terminalreporter.write_line(f"measured: {line}")


def _database_url() -> str:
    """Where the tests' own database is, for a process that is not ours."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        return f"sqlite:///{database['NAME']}"
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(database)
