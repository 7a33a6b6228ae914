"""Long lists in pieces: a place in a list is the sorted value and the key of a row, never a number of rows.

Rows that come, go or move meanwhile neither repeat nor hide a row that stayed. Rows without the sorted value come last,
in both directions of every sorting, on both databases.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, cast

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, Func, Value
from django.db.models.sql.compiler import SQLCompiler
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

LIMIT_DEFAULT, LIMIT_MAX = 50, 200

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Sorting:
    """One way to sort a list: by ``column``, then by key. An index of the list must begin like that."""

    name: str
    column: str
    descending: bool
    #: No row of the list is without the value, although its column may be empty.
    always: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Between two rows: beside the row with this ``value`` and ``key``, looking on or, with ``back``, back."""

    value: Any
    key: int
    back: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """``next`` and ``previous`` are cursors; empty where the list ends."""

    rows: list[M]
    next: str
    previous: str


def sortings(*names: str, **columns: str) -> Mapping[str, Sorting]:
    """What a list may be sorted by, each upwards and, with a minus before its name, downwards.

    ``names`` are names of columns as they are; ``columns`` give a column its name outside.
    """
    both = {**{name: name for name in names}, **columns}
    up = {name: Sorting(name, column, descending=False) for name, column in both.items()}
    return up | {f"-{name}": Sorting(f"-{name}", column, descending=True) for name, column in both.items()}


def always(ways: Mapping[str, Sorting]) -> Mapping[str, Sorting]:
    """The same for a list all of whose rows have the value."""
    return {name: replace(way, always=True) for name, way in ways.items()}


def page_of(rows: "models.QuerySet[M]", sorting: Sorting, *, cursor: str = "", limit: int = LIMIT_DEFAULT) -> Page[M]:
    """The ``limit`` rows at ``cursor``, the first ones without it; in the list's order also when looking back.

    One query, and a second one only where rows without the sorted value begin. Raises ValidationError by "cursor".
    """
    return page_through([rows], sorting, cursor=cursor, limit=limit)


def page_through(
    lists: "Sequence[models.QuerySet[Any]]", sorting: Sorting, *, cursor: str = "", limit: int = LIMIT_DEFAULT
) -> Page[Any]:
    """The same of lists of different models, which are one list in this order; downwards, the last one comes first."""
    lists = lists[::-1] if sorting.descending else lists
    at, place = _read(cursor, [rows.model for rows in lists], sorting) if cursor else (0, None)
    back = place is not None and place.back
    found: list[Any] = []
    for part in _parts(lists[at], sorting, place) + _beside(lists, at, sorting, back):
        found += part[: limit + 1 - len(found)]
        if len(found) > limit:
            break
    more, found = len(found) > limit, found[:limit]
    if back:
        found.reverse()
    return Page(
        found,
        next=_write(found[-1], sorting, back=False) if found and (more or back) else "",
        previous=_write(found[0], sorting, back=True) if found and place and (more or not back) else "",
    )


def _beside(
    lists: "Sequence[models.QuerySet[Any]]", at: int, sorting: Sorting, back: bool
) -> "list[models.QuerySet[Any]]":
    """All parts of the lists behind, or with ``back`` before, the one ``at`` which a page begins."""
    return [
        part
        for rows in (lists[:at][::-1] if back else lists[at + 1 :])
        for part in _parts(rows, sorting, None, back=back)
    ]


def _parts(
    rows: "models.QuerySet[M]", sorting: Sorting, place: Place | None, *, back: bool = False
) -> "list[models.QuerySet[M]]":
    """The rest of the list from ``place`` on, in one or two parts: the rows with a value, and those without."""
    back = place.back if place else back
    down = sorting.descending != back
    sign = "-" if down else ""
    valued = rows.order_by(f"{sign}{sorting.column}", f"{sign}pk")
    is_beside_nothing = place is not None and place.value is None
    if not is_beside_nothing and (sorting.always or not _column(rows.model, sorting).null):
        return [valued.filter(_beyond(sorting, place, down)) if place else valued]
    valued = valued.filter(**{f"{sorting.column}__isnull": False})
    empty = rows.filter(**{f"{sorting.column}__isnull": True}).order_by(f"{sign}pk")
    if place is None:
        return [empty, valued] if back else [valued, empty]
    if place.value is None:
        rest = empty.filter(**{"pk__lt" if down else "pk__gt": place.key})
        return [rest, valued] if back else [rest]
    rest = valued.filter(_beyond(sorting, place, down))
    return [rest] if back else [rest, empty]


def _beyond(sorting: Sorting, place: Place, down: bool) -> "Beyond":
    return Beyond(sorting.column, place, "<" if down else ">")


class Beyond(Func):
    """(column, key) < (value, key), which both databases answer from one index; the same said with OR they do not."""

    output_field = models.BooleanField()

    def __init__(self, column: str, place: Place, sign: str) -> None:
        self.place, self.sign = place, sign
        super().__init__(F(column), F("pk"))

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Any:  # type: ignore[override]
        column, key = self.get_source_expressions()
        sides = [column, key, Value(self.place.value, column.output_field), Value(self.place.key, key.output_field)]
        written = [compiler.compile(side) for side in sides]
        (left, pk, value, at), parameters = zip(*written, strict=True)
        return f"({left}, {pk}) {self.sign} ({value}, {at})", [each for some in parameters for each in some]


# --- Cursors. Sealed: a row's key is nobody's business, and what comes back is what was given out.


def _write(row: models.Model, sorting: Sorting, *, back: bool) -> str:
    column = _column(row, sorting)
    value = None if column.value_from_object(row) is None else column.value_to_string(row)
    return sealed([row._meta.label_lower, sorting.name, value, row.pk, back])


def _read(cursor: str, of: Sequence[type[models.Model]], sorting: Sorting) -> tuple[int, Place]:
    """Which list of these models it is a place in, and the place."""
    try:
        label, name, value, key, back = opened(cursor)
    except ValueError:
        raise ValidationError({"cursor": _("This is not a cursor of ours. Begin again without one.")}) from None
    labels = [model._meta.label_lower for model in of]
    if label not in labels or name != sorting.name:
        raise ValidationError({"cursor": _("This cursor belongs to another list or sorting. Begin again without one.")})
    at = labels.index(label)
    return at, Place(None if value is None else _column(of[at], sorting).to_python(value), key, back)


def _column(model: models.Model | type[models.Model], sorting: Sorting) -> Any:
    return model._meta.get_field(sorting.column)


def sealed(said: Any) -> str:
    """``said`` as a text that goes into an address and that only we can read."""
    return _seal().encrypt(json.dumps(said).encode()).decode().rstrip("=")


def opened(text: str) -> Any:
    """What was sealed. Raises ValueError when nothing of ours was."""
    try:
        return json.loads(_seal().decrypt(text + "=" * (-len(text) % 4)))
    except InvalidToken:
        raise ValueError("not sealed here") from None


def _seal() -> Fernet:
    key = hashlib.sha256(b"huntaze.cursors:" + settings.SECRET_KEY.encode()).digest()
    return Fernet(base64.urlsafe_b64encode(key))


class BoundedPaginator(Paginator):
    """Pages by number, for the staff's tables: it counts no further than so many rows, and shows no later page."""

    COUNTED_MAX = 10_000

    @cached_property
    def count(self) -> int:
        rows = cast("models.QuerySet[Any]", self.object_list)
        return rows.order_by()[: self.COUNTED_MAX].count()

    @property
    def stopped_counting(self) -> bool:
        return self.count >= self.COUNTED_MAX
