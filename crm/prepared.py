"""Querysets that are worked out once a process and then asked again and again with other values.

Django turns a queryset into SQL anew each time it is evaluated. For what dispatch asks for every message, that is ten
times the work that the database has with it.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

from django.db import connection
from django.db.models import Expression, Model, QuerySet
from django.db.models.sql import UpdateQuery
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row", bound=Model)


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
        value = values[self.name]
        if isinstance(value, datetime):
            return connection.ops.adapt_datetimefield_value(value - self.earlier)
        return value


class Prepared(Generic[Row]):
    """``build`` makes a queryset with ``Given`` in place of values; it must be the same whatever they are."""

    def __init__(self, build: Callable[[], QuerySet[Row]]) -> None:
        self._build = build

    @cached_property
    def _asked(self) -> tuple[type[Row], str, tuple[Any, ...]]:
        queryset = self._build()
        sql, params = queryset.query.sql_with_params()
        return queryset.model, sql, params

    def __call__(self, **values: Any) -> list[Row]:
        """The rows. A moment is a ``datetime``."""
        model, sql, params = self._asked
        return list(model._default_manager.raw(sql, _known(params, values)))


class PreparedUpdate(Generic[Row]):
    """``build`` makes a queryset, and what is written to its rows, both with ``Given`` in place of values."""

    def __init__(self, build: Callable[[], tuple[QuerySet[Row], dict[str, Any]]]) -> None:
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
