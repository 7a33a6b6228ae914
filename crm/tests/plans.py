"""How a database would find something."""

import re
from typing import Any

from django.db import connection
from django.db.models import QuerySet


def plan_of(rows: "QuerySet[Any]", *, sorts: bool = True) -> str:
    """How the database finds them when a table is large: PostgreSQL would rather read a small one through.

    Without ``sorts`` there are too many of them to be sorted for a page.
    """
    _as_if_large()
    if connection.vendor == "postgresql" and not sorts:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off")
    return re.sub(r"\s+", " ", rows.explain())


def plan_of_statement(sql: str) -> str:
    """The same for a statement that a page has asked."""
    _as_if_large()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'' if connection.vendor == 'postgresql' else 'QUERY PLAN '}{sql}")
        return " ".join(str(row[-1]) for row in cursor.fetchall())


def _as_if_large() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")


def analyze(*tables: str) -> None:
    """Let the planner count, as an operator or PostgreSQL by itself does."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE {table}")
