"""What every test may use. tests/servers.py has the servers, tests/conftest.py the whole product and the browser."""

import os
import shutil

import pytest
from django.conf import settings

pytest_plugins = ["tests.servers"]

ON_POSTGRESQL = "postgresql" in settings.DATABASES["default"]["ENGINE"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--asks-database", action="store_true", help="leave out what asks no database")


def pytest_configure() -> None:
    settings.HUNTAZE_HOME.mkdir(mode=0o700, exist_ok=True)


def pytest_unconfigure() -> None:
    shutil.rmtree(settings.HUNTAZE_HOME, ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is said about the other database, and drive the browser last.

    Once Chromium is up there is an event loop in this thread, in which no test could start its own any more, or ask the
    database. Journeys do neither, and their chapters stay in order.
    """
    other = "sqlite_only" if ON_POSTGRESQL else "postgresql_only"
    left_out = [item for item in items if item.get_closest_marker(other)]
    if config.option.asks_database:
        left_out += [item for item in items if item not in left_out and not _asks_database(item)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
    items.sort(key=_has_event_loop)


def _has_event_loop(item: pytest.Item) -> bool:
    return item.get_closest_marker("browser") is not None and item.get_closest_marker("journey") is None


def _asks_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return bool(item.get_closest_marker("django_db") or {"db", "transactional_db"} & set(fixtures))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI nothing may be skipped: what a test needs must be there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped") and exitstatus == pytest.ExitCode.OK:
        reporter.write_line("A test was skipped, and this is CI: that is a failure.", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_report_header() -> str:
    database, pace = "PostgreSQL" if ON_POSTGRESQL else "SQLite", os.environ.get("TEST_PACE", "10/60")
    return f"database: {database}, pace of the journeys: {pace}"
