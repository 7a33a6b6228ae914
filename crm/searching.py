"""Searching names and texts: words are folded alike wherever they are stored and wherever they are looked for.

A ``SearchText`` column holds the folded words of other columns of its row. ``column__has_words="ann lef"`` finds rows
in which every term begins some word: by a GIN index on PostgreSQL, by an FTS5 table on SQLite.
"""

# ruff: noqa: S608, the names in the SQL are the models' own

import re
import unicodedata
from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from django.apps.config import AppConfig
from django.db import connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models.sql.compiler import SQLCompiler

#: A longer query is refused by the doors that take one; terms beyond the limit only make it slower.
QUERY_MAX, TERMS_MAX = 200, 8
#: Words of less than this share of the rows are rare; a beginning that is shorter than this seldom is.
RARE_SHARE, RARE_LENGTH = 0.005, 4
#: PostgreSQL keeps no word of more than 2,046 bytes.
WORD_MAX = 100
#: Pages of an index of words that are merged in one transaction: a fifth of a second at most.
MERGED_AT_ONCE = 200
_WORD = re.compile(r"[^\W_]+")

Parameters = Sequence[str]


def fold(text: str) -> str:
    """``text`` as it is compared: compatible forms made equal (NFKD), without marks, without case. Žofie is zofie."""
    if text.isascii():
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in decomposed if not unicodedata.category(sign).startswith("M")).casefold()


def words_of(text: str) -> list[str]:
    """The folded words of ``text``; whatever is neither letter nor digit separates two words."""
    return [word[:WORD_MAX] for word in _WORD.findall(fold(text))]


class _Derived(models.Field):
    """A column written from other columns of its row whenever the row is saved, one by one or in bulk.

    ``QuerySet.update`` and ``bulk_update`` write what they are told and nothing else: name this column there too.
    """

    def __init__(self, *args: Any, of: Sequence[str] = (), **options: Any) -> None:
        self.of = tuple(of)
        super().__init__(*args, **options | {"blank": True, "editable": False})

    def deconstruct(self) -> Any:
        name, path, args, options = super().deconstruct()
        return name, path, args, options | {"of": self.of}

    def derive(self, values: list[str]) -> str:
        raise NotImplementedError

    def pre_save(self, row: models.Model, add: bool) -> str:
        value = self.derive([str(getattr(row, name) or "") for name in self.of])
        setattr(row, self.attname, value)
        return value


class SearchText(_Derived, models.TextField):
    """The folded words of the columns ``of``. After AddField, a migration builds its index with ``IndexWords``."""

    def derive(self, values: list[str]) -> str:
        return " ".join(words_of(" ".join(values)))


class SortText(_Derived, models.CharField):
    """The first of the columns ``of`` that says something, folded, for sorting as people read."""

    def derive(self, values: list[str]) -> str:
        assert self.max_length
        return fold(next(filter(None, values), ""))[: self.max_length]


@SearchText.register_lookup
class HasWords(models.Lookup):
    """Every term of the right side begins a word of the left side; a side without any term finds nothing."""

    lookup_name = "has_words"
    prepare_rhs = False
    times = 1

    def get_prep_lookup(self) -> list[str]:
        return words_of(str(self.rhs))[:TERMS_MAX]

    def as_sql(self, compiler: SQLCompiler, database: BaseDatabaseWrapper) -> Any:
        raise NotImplementedError(f"No search on {database.vendor}.")

    def as_postgresql(self, compiler: SQLCompiler, database: BaseDatabaseWrapper) -> Any:
        column, parameters = self.process_lhs(compiler, database)
        if not self.rhs:
            return "FALSE", []
        terms = " & ".join(f"'{term}':*" for term in self.rhs for _ in range(self.times))
        return f"{_LEXEMES % column} @@ %s::tsquery", [*parameters, terms]

    def as_sqlite(self, compiler: SQLCompiler, database: BaseDatabaseWrapper) -> Any:
        if not self.rhs:
            return "FALSE", []
        table, row = _fts(self.lhs.target), f'"{self.lhs.alias}"."{self.lhs.target.model._meta.pk.column}"'
        terms = " AND ".join(f'"{term}"*' for term in self.rhs)
        return f'{row} IN (SELECT rowid FROM "{table}" WHERE "{table}" MATCH %s)', [terms]


def are_rare(text: str, field: SearchText) -> bool:
    """Whether few rows have these words, by what PostgreSQL knows of the column: ask for them by ``has_rare_words``."""
    if connection.vendor != "postgresql":
        return False
    terms = words_of(text)[:TERMS_MAX]
    with connection.cursor() as cursor:
        cursor.execute(_COMMON_WORDS, [terms, _fts(field)])
        shares = dict(cursor.fetchall())
    return prod(shares.get(term) or float(len(term) < RARE_LENGTH) for term in terms) < RARE_SHARE


#: Of each term, the share of the rows that have one of the common words that it begins.
_COMMON_WORDS = """
    SELECT term, sum(share)
    FROM unnest(%s::text[]) AS terms(term), pg_stats,
        unnest(most_common_elems::text::text[], most_common_elem_freqs) AS words(word, share)
    WHERE schemaname = current_schema() AND tablename = %s AND starts_with(word, term)
    GROUP BY term
"""


@SearchText.register_lookup
class HasRareWords(HasWords):
    """The same, for words that few rows have.

    PostgreSQL takes a prefix for at least 2 % of all rows, however rare it is, and would look for it by walking through
    the whole list in its order, all the sooner the fewer rows are asked for. Said three times, it takes it for the cube
    of that, and looks into the index first also for a single row.
    """

    lookup_name = "has_rare_words"
    times = 3


# The words as they are: PostgreSQL's own parser would read hosts, numbers and addresses into them.
_LEXEMES = "array_to_tsvector(string_to_array(%s, ' '))"


class IndexWords(Operation):
    """Make the index of a ``SearchText`` column. On SQLite ``keep_words_indexed`` does it after every migration."""

    reduces_to_sql = True

    def __init__(self, model_name: str, name: str) -> None:
        self.model_name, self.name = model_name, name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            table, column, index = self._names(app_label, after)
            schema_editor.execute(f'CREATE INDEX "{index}" ON "{table}" USING gin (({_LEXEMES % column}))')

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            schema_editor.execute(f'DROP INDEX "{self._names(app_label, before)[2]}"')

    def describe(self) -> str:
        return f"Index the words of {self.model_name}.{self.name}"

    def _names(self, app_label: str, state: ProjectState) -> tuple[str, str, str]:
        field = state.apps.get_model(app_label, self.model_name)._meta.get_field(self.name)
        return field.model._meta.db_table, f'"{field.column}"', _fts(field)


def keep_words_indexed(app_config: AppConfig, using: str, **_: Any) -> None:
    """On SQLite, see to it that every ``SearchText`` column of the app has its table of words and keeps it.

    Called after each migration: SQLite copies a table to alter it, and the triggers stay behind with the old one.
    """
    database = connections[using]
    if database.vendor != "sqlite":
        return
    with database.cursor() as cursor:
        existing = set(database.introspection.table_names(cursor))
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        triggers = {name for (name,) in cursor.fetchall()}
        for field in _search_texts(app_config):
            if field.model._meta.db_table in existing and f"{_fts(field)}_update" not in triggers:
                for statement in _fts_statements(field):
                    cursor.execute(statement)


def forget_removed_words(*of: type[models.Model]) -> None:
    """On SQLite, let go of the words of rows that were deleted: FTS5 keeps them in its table until it merges its parts.

    Piece by piece, so that others may write in between: a million messages take about ten seconds in all.
    """
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        for field in (field for model in of for field in model._meta.fields if isinstance(field, SearchText)):
            # Less than nothing begins to merge the whole index; more goes on with that.
            pages = -MERGED_AT_ONCE
            while _merged(cursor, _fts(field), pages):
                pages = MERGED_AT_ONCE


def _merged(cursor: Any, words: str, pages: int) -> bool:
    """Whether there was something to merge: then two rows change at least, says SQLite's documentation."""
    cursor.execute("SELECT total_changes()")
    (before,) = cursor.fetchone()
    cursor.execute(f'INSERT INTO "{words}"("{words}", rank) VALUES (\'merge\', %s)', [pages])
    cursor.execute("SELECT total_changes()")
    (after,) = cursor.fetchone()
    return bool(after - before >= 2)


def _search_texts(app_config: AppConfig) -> Iterator[SearchText]:
    for model in app_config.get_models():
        yield from (field for field in model._meta.local_concrete_fields if isinstance(field, SearchText))


def _fts(field: Any) -> str:
    return f"{field.model._meta.db_table}_{field.column}"


def _fts_statements(field: SearchText) -> Iterator[str]:
    table, words, column = field.model._meta.db_table, _fts(field), field.column
    forget = f'INSERT INTO "{words}"("{words}", rowid, "{column}") VALUES (\'delete\', old."id", old."{column}");'
    learn = f'INSERT INTO "{words}"(rowid, "{column}") VALUES (new."id", new."{column}");'
    options = f"content='{table}', content_rowid='id', prefix='2 3', tokenize='unicode61 remove_diacritics 0'"
    yield f'DROP TABLE IF EXISTS "{words}"'
    yield f'CREATE VIRTUAL TABLE "{words}" USING fts5("{column}", {options})'
    yield f'INSERT INTO "{words}"("{words}") VALUES (\'rebuild\')'
    for event, what in (("insert", learn), ("delete", forget), ("update", forget + learn)):
        of = f' OF "{column}"' if event == "update" else ""
        yield f'CREATE TRIGGER "{words}_{event}" AFTER {event.upper()}{of} ON "{table}" BEGIN {what} END'
