"""Many rows in one statement. The ORM takes five times as long to say the same.

The rows come in as something called ``incoming``, and one statement does with it all that is to be done. PostgreSQL
gets a table filled by COPY, its fastest way in; SQLite a list of values within the statement. A statement for each row
would cost SQLite three times as much: its index of words writes down what it has after every one.

New rows are nearly always new indeed, so PostgreSQL first gets them by COPY straight into their table.
"""

# ruff: noqa: S608, the names in the SQL are the models' own

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import chain
from os import urandom
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper
from django.db.models import CharField, Field, Lookup, Model
from django.db.models.sql.compiler import SQLCompiler

Rows = Sequence[Sequence[Any]]


def insert(model: type[Model], names: Sequence[str], rows: Rows) -> dict[str, int]:
    """Insert ``rows`` of the fields ``names``; rows that break a unique constraint are left out.

    When ``public_id`` is the first of them, the answer is the keys of those that were inserted by their public ids.
    Public ids are in hexadecimal: as objects they cost more than the row.
    """
    fields = _fields(model, names)
    columns, named = _columns(fields), names[0] == "public_id"
    if connection.vendor == "postgresql" and (keys := _copied(model, fields, rows)) is not None:
        return {row[0]: key for row, key in zip(rows, keys, strict=True)} if named else {}
    sql = (
        f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) SELECT {columns} FROM incoming WHERE TRUE"
        f" ON CONFLICT DO NOTHING{' RETURNING public_id, id' if named else ''}"
    )
    inserted = _do(sql, fields, rows, answers=named)
    return {public_id if isinstance(public_id, str) else public_id.hex: pk for public_id, pk in inserted}


def update(model: type[Model], names: Sequence[str], rows: Rows) -> None:
    """Set the fields ``names`` of many rows; each of ``rows`` begins with the primary key."""
    key, *fields = _fields(model, [model._meta.pk.name, *names])
    table, pk = _quoted(model._meta.db_table), _quoted(key.column)
    changes = ", ".join(f"{_quoted(field.column)} = incoming.{_quoted(field.column)}" for field in fields)
    _do(f"UPDATE {table} SET {changes} FROM incoming WHERE {table}.{pk} = incoming.{pk}", [key, *fields], rows)


def count_anew(*models: type[Model]) -> None:
    """Let PostgreSQL look what is in these tables by now.

    By itself it does so within a minute or two. Until then it takes a creator whose first fans have just come in for
    one without any, and would look for a thousand fans of theirs by reading all of them.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            for model in models:
                cursor.execute(f"ANALYZE {_quoted(model._meta.db_table)}")


@CharField.register_lookup
class Among(Lookup):
    """``__in`` for many values, which are one parameter: a parameter each costs Django more than the answer costs."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, database: BaseDatabaseWrapper) -> Any:
        raise NotImplementedError(f"Not on {database.vendor}.")

    def as_postgresql(self, compiler: SQLCompiler, database: BaseDatabaseWrapper) -> Any:
        column, parameters = self.process_lhs(compiler, database)
        return f"{column} = ANY(%s::text[])", [*parameters, _array(self.rhs)]

    def as_sqlite(self, compiler: SQLCompiler, database: BaseDatabaseWrapper) -> Any:
        column, parameters = self.process_lhs(compiler, database)
        return f"{column} IN (SELECT value FROM json_each(%s))", [*parameters, json.dumps(list(self.rhs))]


def _array(texts: Iterable[str]) -> str:
    """As PostgreSQL writes an array of texts; the driver would look at each of them for much longer."""
    quoted = ('"' + text.replace("\\", r"\\").replace('"', r"\"") + '"' for text in texts)
    return "{" + ",".join(quoted) + "}"


def _do(sql: str, fields: "Sequence[Field[Any, Any]]", rows: Rows, *, answers: bool = False) -> list[tuple[Any, ...]]:
    """What ``sql`` answers when ``incoming`` has ``rows``."""
    if not rows:
        return []
    if connection.vendor == "postgresql":
        return _with_copied(sql, fields, rows, answers)
    return _with_values(sql, fields, rows)


def _copied(model: type[Model], fields: "Sequence[Field[Any, Any]]", rows: Rows) -> list[int] | None:
    """The keys of ``rows``, which are in the table now; None when one of them breaks a constraint, and none is."""
    table, pk = _quoted(model._meta.db_table), _quoted(model._meta.pk.column)
    try:
        with transaction.atomic(), _cursor() as cursor:
            cursor.execute(_NEXT_KEYS, [table, model._meta.pk.column, len(rows)])
            keys = [key for (key,) in cursor.fetchall()]
            with (
                connection.wrap_database_errors,
                cursor.copy(f"COPY {table} ({pk}, {_columns(fields)}) FROM STDIN") as copy,
            ):
                for key, row in zip(keys, rows, strict=True):
                    copy.write_row((key, *row))
    except IntegrityError:
        return None
    return keys


#: The sequence is looked up once.
_NEXT_KEYS = "SELECT nextval((SELECT pg_get_serial_sequence(%s, %s))::regclass) FROM generate_series(1, %s)"


def _with_copied(sql: str, fields: "Sequence[Field[Any, Any]]", rows: Rows, answers: bool) -> list[tuple[Any, ...]]:
    table, columns = _quoted(fields[0].model._meta.db_table), _columns(fields)
    with _cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA")
        with connection.wrap_database_errors, cursor.copy("COPY incoming FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(sql)
        answer = cursor.fetchall() if answers else []
        cursor.execute("DROP TABLE incoming")
    return answer


def _with_values(sql: str, fields: "Sequence[Field[Any, Any]]", rows: Rows) -> list[tuple[Any, ...]]:
    answer: list[tuple[Any, ...]] = []
    row_marks = f"({', '.join('?' * len(fields))})"
    connection.ensure_connection()
    # The driver itself: Django would look for its own marks in a million characters.
    database = connection.connection
    size = database.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(fields)
    for begin in range(0, len(rows), size):
        some = rows[begin : begin + size]
        marks = ", ".join([row_marks] * len(some))
        values = f"WITH incoming ({_columns(fields)}) AS (VALUES {marks})"
        with (
            connection.wrap_database_errors,
            closing(database.execute(f"{values} {sql}", _adapted(fields, some))) as cursor,
        ):
            answer += cursor.fetchall()
    return answer


def public_ids(count: int) -> list[str]:
    """So many new UUIDs of version 4, in hexadecimal. Python's own, one by one, cost five times as much."""
    random = urandom(16 * count).hex()
    signs = (random[begin : begin + 32] for begin in range(0, 32 * count, 32))
    return [f"{each[:12]}4{each[13:16]}{_VARIANT[each[16]]}{each[17:]}" for each in signs]


#: RFC 9562, 4.1: the two highest bits of the seventeenth digit are 10.
_VARIANT = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}


@contextmanager
def _cursor() -> Iterator[CursorWrapper]:
    """Without the log of queries that Django keeps in DEBUG: it would remember every row."""
    connection.ensure_connection()
    with connection.make_cursor(connection.create_cursor()) as cursor:
        yield cursor


def _fields(model: type[Model], names: Sequence[str]) -> "list[Field[Any, Any]]":
    fields = [model._meta.get_field(name) for name in names]
    assert all(isinstance(field, Field) for field in fields)
    return fields  # type: ignore[return-value]


def _columns(fields: "Sequence[Field[Any, Any]]") -> str:
    return ", ".join(_quoted(field.column) for field in fields)


def _quoted(name: str | None) -> str:
    assert name
    return connection.ops.quote_name(name)


def _adapted(fields: "Sequence[Field[Any, Any]]", rows: Rows) -> list[Any]:
    """All values in one row, moments as SQLite keeps them; all else it takes as it is."""
    values = list(chain.from_iterable(rows))
    for place, field in enumerate(fields):
        if field.get_internal_type() == "DateTimeField":
            values[place :: len(fields)] = map(_moment, values[place :: len(fields)])
    return values


@lru_cache(4096)
def _moment(value: datetime | None) -> str | None:
    return connection.ops.adapt_datetimefield_value(value)
