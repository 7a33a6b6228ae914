"""Many rows in one statement. The ORM takes five times as long to say the same."""

# ruff: noqa: S608, the names in the SQL are the models' own

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Field, Model

Rows = Sequence[Sequence[Any]]


def insert(model: type[Model], names: Sequence[str], rows: Rows) -> dict[UUID, int]:
    """Insert ``rows`` of the fields ``names``; rows that break a unique constraint are left out.

    When ``public_id`` is the first of them, the answer is the keys of those that were inserted by their public ids.
    """
    if not rows:
        return {}
    fields, named = _fields(model, names), names[0] == "public_id"
    columns = ", ".join(_quoted(field.column) for field in fields)
    into = f"INSERT INTO {_quoted(model._meta.db_table)} ({columns})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            returning = " RETURNING public_id, id" if named else ""
            sql = f"{into} SELECT * FROM {_recordset(fields)} ON CONFLICT DO NOTHING{returning}"
            cursor.execute(sql, [_json(fields, rows)])
            return dict(cursor.fetchall()) if named else {}
        marks = ", ".join(["%s"] * len(fields))
        cursor.executemany(f"{into} VALUES ({marks}) ON CONFLICT DO NOTHING", _adapted(fields, rows))
    inserted = model._default_manager.filter(public_id__in=[row[0] for row in rows]) if named else None
    return dict(inserted.values_list("public_id", "pk")) if inserted is not None else {}


def update(model: type[Model], names: Sequence[str], rows: Rows) -> None:
    """Set the fields ``names`` of many rows; each of ``rows`` begins with the primary key."""
    if not rows:
        return
    key, *fields = _fields(model, [model._meta.pk.name, *names])
    table = _quoted(model._meta.db_table)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            changes = ", ".join(f"{_quoted(field.column)} = new.{_quoted(field.column)}" for field in fields)
            pk = _quoted(key.column)
            sql = f"UPDATE {table} SET {changes} FROM {_recordset([key, *fields])} WHERE {table}.{pk} = new.{pk}"
            cursor.execute(sql, [_json([key, *fields], rows)])
        else:
            changes = ", ".join(f"{_quoted(field.column)} = %s" for field in fields)
            keys_last = [[*values, pk] for pk, *values in rows]
            sql = f"UPDATE {table} SET {changes} WHERE {_quoted(key.column)} = %s"
            cursor.executemany(sql, _adapted([*fields, key], keys_last))


def _fields(model: type[Model], names: Sequence[str]) -> "list[Field[Any, Any]]":
    fields = [model._meta.get_field(name) for name in names]
    assert all(isinstance(field, Field) for field in fields)
    return fields  # type: ignore[return-value]


def _quoted(name: str | None) -> str:
    assert name
    return connection.ops.quote_name(name)


def _recordset(fields: "Sequence[Field[Any, Any]]") -> str:
    """One parameter for all rows: arrays, a parameter each, cost psycopg more than the rows cost PostgreSQL.

    Without the length of a varchar: a cast would cut what is too long without a word.
    """
    types = ((field.rel_db_type(connection) if field.is_relation else field.db_type(connection)) for field in fields)
    names = (_quoted(field.column) for field in fields)
    columns = ", ".join(f"{name} {str(kind).partition('(')[0]}" for name, kind in zip(names, types, strict=True))
    return f"json_to_recordset(%s) AS new ({columns})"


def _json(fields: "Sequence[Field[Any, Any]]", rows: Rows) -> str:
    columns = [field.column for field in fields]
    return json.dumps([dict(zip(columns, row, strict=True)) for row in rows], default=str)


def _adapted(fields: "Sequence[Field[Any, Any]]", rows: Rows) -> list[tuple[Any, ...]]:
    """As SQLite keeps moments and UUIDs; all else it takes as it is."""
    adapters = [_ADAPTERS.get(field.get_internal_type()) for field in fields]
    columns = zip(adapters, zip(*rows, strict=True), strict=True)
    return list(zip(*(map(adapt, column) if adapt else column for adapt, column in columns), strict=True))


@lru_cache(4096)
def _moment(value: datetime | None) -> str | None:
    return connection.ops.adapt_datetimefield_value(value)


def _uuid(value: UUID | None) -> str | None:
    return value.hex if value else None


_ADAPTERS: dict[str, Callable[[Any], Any]] = {"DateTimeField": _moment, "UUIDField": _uuid}
