"""Many rows in one statement, and what must not come of it."""

import sqlite3
from collections.abc import Callable
from typing import Any
from uuid import RFC_4122, UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.clock import database_now
from crm.importing import bulk, running
from crm.importing.columns import Kind
from crm.models import Fan, FanTag, Import, Tag
from crm.tests.factories import make_creator, make_fan

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


def test_of_new_rows_those_that_are_there_already_are_left_out_and_the_others_come_in() -> None:
    creator = make_creator()
    tag, worn = Tag.objects.create(creator=creator, name="Gold"), make_fan(creator, handle="ava")
    new = make_fan(creator, handle="bo")
    FanTag.objects.create(fan=worn, tag=tag)

    bulk.insert(FanTag, ("fan", "tag", "created_at"), [(fan.pk, tag.pk, database_now()) for fan in (worn, new)])

    assert sorted(tag.fans.values_list("handle", flat=True)) == ["ava", "bo"]


def test_keys_belong_to_the_rows_they_are_answered_for() -> None:
    creator, now = make_creator(), database_now()
    names = ("public_id", "name", "creator", "created_at")
    rows = [(uuid4().hex, name, creator.pk, now) for name in ("Gold", "Silver", "Bronze")]

    keys = bulk.insert(Tag, names, rows)

    assert {Tag.objects.get(pk=pk).name: public_id for public_id, pk in keys.items()} == {
        name: public_id for public_id, name, *_ in rows
    }


@pytest.mark.parametrize("handle", ['"', "\\", 'a"b', "a\\b", "a,b", "{a}", "null", "a'b", "%s"])
def test_values_are_found_whatever_signs_they_have(handle: str) -> None:
    fan = make_fan(make_creator(), handle=handle)
    make_fan(fan.creator, handle="somebody")

    assert list(Fan.objects.filter(handle__among={handle, "nobody"})) == [fan]
    assert not Fan.objects.filter(handle__among=())


def test_a_large_import_lets_postgresql_count_its_fans(imported: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each chunk would read all fans of a new creator. After the first chunk, and at ten times as many rows."""
    monkeypatch.setitem(running.CHUNK_ROWS, Kind.FANS, 1)
    with CaptureQueriesContext(connection) as asked:
        imported(make_creator(), "Username\n" + "".join(f"fan{number}\n" for number in range(12)))
        imported(make_creator(), "Username\nava\n")

    counted = [query for query in asked.captured_queries if "ANALYZE" in query["sql"]]
    assert len(counted) == (2 if connection.vendor == "postgresql" else 0)


@pytest.mark.sqlite_only
def test_more_values_than_sqlite_takes_at_once_go_in_several_statements(imported: Run) -> None:
    creator, limit = make_creator(), sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER
    before = connection.connection.setlimit(limit, 100)
    try:
        job = imported(creator, "Username\n" + "".join(f"fan{number}\n" for number in range(25)))
    finally:
        connection.connection.setlimit(limit, before)

    assert (job.created_count, Fan.objects.count()) == (25, 25)


def test_public_ids_are_random_uuids_that_anybody_would_take_for_python_s_own() -> None:
    ids = [UUID(each) for each in bulk.public_ids(1000)]

    assert len(set(ids)) == 1000
    assert {(each.version, each.variant) for each in ids} == {(4, RFC_4122)}
