"""How a database would find something."""

import re
from typing import Any

from django.db import connection
from django.db.models import QuerySet


def plan_of(rows: "QuerySet[Any]") -> str:
    """How the database finds them when a table is large: PostgreSQL would rather read a small one through."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
    return re.sub(r"\s+", " ", rows.explain())


def analyze(*tables: str) -> None:
    """Let the planner count, as an operator or PostgreSQL by itself does."""
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f"ANALYZE {table}")
