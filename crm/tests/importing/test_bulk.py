"""Many rows in one statement, and what must not come of it."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.importing import bulk
from crm.models import Fan, Import
from crm.tests.factories import make_creator

pytestmark = pytest.mark.django_db

Run = Callable[..., Import]


def test_the_same_file_again_writes_no_fan_and_no_tag(imported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    creator, file = make_creator(), "Fan ID,Username,Tier,Total Spent\n1,ava,Gold,5\n2,bo,,\n"
    imported(creator, file)
    written: list[Any] = []

    def keep(_sql: str, _fields: Any, rows: bulk.Rows, **_options: Any) -> list[Any]:
        written.extend(rows)
        return []

    monkeypatch.setattr(bulk, "_do", keep)
    again = imported(creator, file)

    assert (written, again.unchanged_count) == ([], 2)


def test_rows_that_change_different_columns_leave_each_others_alone(imported: Run) -> None:
    creator = make_creator()
    imported(creator, "Username,Display Name,Email\nava,Ava,ava@example.com\nbo,Bo,bo@example.com\n")

    job = imported(creator, "Username,Display Name,Email,Last Seen\nava,Ann,,\nbo,,bo@example.org,2025-11-01\n")

    assert job.updated_count == 2
    ann, bo = creator.fans.order_by("handle")
    assert (ann.name, ann.email, ann.last_seen_at, ann.sort_name) == ("Ann", "ava@example.com", None, "ann")
    assert (bo.name, bo.email, bo.sort_name) == ("Bo", "bo@example.org", "bo")
    assert bo.last_seen_at is not None
    assert creator.fans.get(search_text__has_words="ann") == ann


def test_what_is_written_does_not_stand_in_the_log_of_queries(imported: Run) -> None:
    """In DEBUG, Django remembers queries with their parameters: a hundred thousand fans would be too much."""
    creator, file = make_creator(), b"Username,Display Name\nava,Theodora\n"
    with CaptureQueriesContext(connection) as asked:
        imported(creator, file)

    assert creator.fans.get().name == "Theodora"
    assert [query for query in asked.captured_queries if "crm_fan" in query["sql"]]
    assert not [query for query in asked.captured_queries if 'INTO "crm_fan"' in query["sql"]]


@pytest.mark.sqlite_only
def test_more_values_than_sqlite_takes_at_once_go_in_several_statements(imported: Run) -> None:
    creator, limit = make_creator(), sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
    before = connection.connection.setlimit(limit, 100)
    try:
        job = imported(creator, "Username\n" + "".join(f"fan{number}\n" for number in range(25)))
    finally:
        connection.connection.setlimit(limit, before)

    assert (job.created_count, Fan.objects.count()) == (25, 25)
