"""Who came in an earlier row of the same file, for files of any length: SQLite's own temporary file remembers."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import NamedTuple

from crm.importing.problems import Problem
from crm.importing.rows import Row

#: Kibibytes held in memory; the rest spills to a temporary file that nobody else sees.
CACHE_KIB = 8192


class Names(NamedTuple):
    """What a row is known by: under which names it is met again, and which names it must not meet."""

    own: tuple[str, ...]
    forbidden: tuple[str, ...]


def first_ones(rows: Sequence[tuple[Row, Names]], seen: "Seen") -> tuple[list[Row], list[Problem]]:
    """The rows that repeat no earlier row of the file, and what is to be said of the others."""
    earlier = seen.meet([(row.row, names) for row, names in rows])
    fresh: list[Row] = []
    repeats: list[Problem] = []
    for (row, _names), before in zip(rows, earlier, strict=True):
        if before is None:
            fresh.append(row)
        else:
            repeats.append(Problem(row.row, row.line, "", "duplicate", params={"row": before}))
    return fresh, repeats


class Seen:
    """The names of the rows so far, and in which row each came first."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for statement in (
            f"PRAGMA cache_size = -{CACHE_KIB}",
            "PRAGMA journal_mode = OFF",
            "PRAGMA synchronous = OFF",
            "CREATE TABLE seen (name TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID",
        ):
            self._db.execute(statement)

    def close(self) -> None:
        self._db.close()

    def meet(self, rows: Sequence[tuple[int, Names]]) -> list[int | None]:
        """For each (row number, names) the earlier row that it repeats, or None and it is remembered."""
        known = self._find({name for _row, names in rows for name in names.forbidden})
        fresh: dict[str, int] = {}
        earlier: list[int | None] = []
        for row, names in rows:
            found = next((known[name] for name in names.forbidden if name in known), None)
            earlier.append(found)
            if found is None:
                for name in names.own:
                    fresh.setdefault(name, row)
                    known.setdefault(name, row)
        self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", fresh.items())
        return earlier

    def remember(self, names: Iterable[str]) -> None:
        """Names that no row of this file has brought; ``knows`` says so."""
        self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, 0)", ((name,) for name in names))

    def knows(self, name: str) -> bool:
        return bool(self._find([name]))

    def count_up(self, name: str) -> int:
        """How often this has been asked for this name, this time included."""
        sql = "INSERT INTO seen VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET row = row + 1 RETURNING row"
        with closing(self._db.execute(sql, (name,))) as counted:
            count: int = counted.fetchone()[0]
        return count

    def _find(self, names: Iterable[str]) -> dict[str, int]:
        wanted = list(names)
        marks = ",".join("?" * len(wanted))
        with closing(self._db.execute(f"SELECT name, row FROM seen WHERE name IN ({marks})", wanted)) as found:  # noqa: S608
            return dict(found.fetchall())
