"""Querysets that are worked out once a process and then asked again and again with other values.

Django turns a queryset into SQL, and thinks about how its columns become rows, anew each time it is evaluated. For what
dispatch and workers ask for every message, that is ten times the work that the database has with it.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Generic, Self, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import Expression, QuerySet
from django.db.models.query import ModelIterable, get_related_populators
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

#: What the queryset gives: an object of its model, or a tuple of values.
Row = TypeVar("Row")


class Given(Expression):
    """Stands for a value that is named when the prepared queryset is asked; a moment may be shifted by a duration."""

    def __init__(self, name: str, earlier: timedelta = timedelta()) -> None:
        super().__init__()
        self.name, self.earlier = name, earlier

    def __sub__(self, duration: Any) -> Self:  # type: ignore[override]  # a moment, not SQL
        return type(self)(self.name, self.earlier + duration)

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, Any]:
        return "%s", [self]

    def value(self, values: dict[str, Any]) -> Any:
        match values[self.name]:
            case datetime() as moment:
                return connection.ops.adapt_datetimefield_value(moment - self.earlier)
            case UUID() as public_id if not connection.features.has_native_uuid_field:
                return public_id.hex
            case value:
                return value


class Prepared(Generic[Row]):
    """``build`` makes a queryset with ``Given`` in place of values; it must be the same whatever they are.

    It gives objects, also with ``only`` and ``select_related``, or the tuples of ``values_list``.
    """

    def __init__(self, build: Callable[[], QuerySet[Any, Row]]) -> None:
        self._build = build

    def __call__(self, **values: Any) -> list[Row]:
        """The rows. A moment is a ``datetime``, a public id a ``UUID``."""
        asked = self._asked
        with connection.cursor() as cursor:
            cursor.execute(asked.sql, _known(asked.params, values))
            return asked.rows(cursor.fetchall())

    @cached_property
    def _asked(self) -> "_Asked":
        return _Asked(self._build())


class _Asked:
    """One statement, and how rows are made of its answer: what ``QuerySet`` does between ``filter`` and a row."""

    def __init__(self, queryset: QuerySet[Any, Any]) -> None:
        self._compiler = queryset.query.get_compiler(connection=connection)
        self.sql, self.params = self._compiler.as_sql()
        select = self._compiler.select
        self._converters = self._compiler.get_converters([column for column, _sql, _alias in select])
        self._gives_objects = issubclass(queryset._iterable_class, ModelIterable)
        if self._gives_objects:
            made_of = self._compiler.klass_info
            first, last = made_of["select_fields"][0], made_of["select_fields"][-1]
            self._model = made_of["model"]
            self._columns = slice(first, last + 1)
            self._names = [column.target.attname for column, _sql, _alias in select[self._columns]]
            # The stubs are of a later Django, which wants one argument more.
            self._related = get_related_populators(made_of, select, connection.alias)  # type: ignore[call-arg]

    def rows(self, answer: Iterable[Any]) -> list[Any]:
        converted = self._compiler.apply_converters(answer, self._converters)
        return [self._object(row) for row in converted] if self._gives_objects else list(map(tuple, converted))

    def _object(self, row: list[Any]) -> Any:
        made = self._model.from_db(connection.alias, self._names, row[self._columns])
        for related in self._related:
            related.populate(row, made)
        return made


class PreparedUpdate:
    """``build`` makes a queryset, and what is written to its rows, both with ``Given`` in place of values."""

    def __init__(self, build: Callable[[], tuple[QuerySet[Any], dict[str, Any]]]) -> None:
        self._build = build

    @cached_property
    def _said(self) -> tuple[str, tuple[Any, ...]]:
        queryset, changes = self._build()
        query: UpdateQuery = queryset.query.chain(UpdateQuery)  # type: ignore[assignment]
        query.add_update_values(changes)
        return query.sql_with_params()

    def __call__(self, **values: Any) -> int:
        """How many rows were changed."""
        sql, params = self._said
        with connection.cursor() as cursor:
            cursor.execute(sql, _known(params, values))
            return cursor.rowcount


def _known(params: tuple[Any, ...], values: dict[str, Any]) -> list[Any]:
    return [param.value(values) if isinstance(param, Given) else param for param in params]
