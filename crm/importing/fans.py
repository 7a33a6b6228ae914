"""Rows of a list of fans, into the ledger: found by their identity, written in bulk, remembered for undo.

A fan is found by platform id. Without one, or when nobody has that id, by username: first among those whose id is not
known (who then get it), else among all when only one has it. A file adds and corrects; its empty cells wipe nothing,
and what the ledger learned after the file was first seen stays.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Lower

from crm.importing import bulk
from crm.importing.problems import Problem
from crm.importing.rows import Row
from crm.importing.seen import Names, Seen, first_ones
from crm.importing.tagging import Tags, affordable, ensured_ids, known_ids, tags_of
from crm.models import Creator, Fan, Transaction
from crm.searching import SearchText, SortText

#: What a file may say of a fan, as undo compares it.
TOLD = (
    "platform_id",
    "handle",
    "name",
    "email",
    "value_cents",
    "stated_value_cents",
    "stated_value_at",
    "subscription",
    "subscription_price_cents",
    "subscription_ends_at",
    "subscription_as_of",
    "joined_at",
    "last_seen_at",
    "last_purchase_at",
)
_READ = ("pk", "public_id", *TOLD)
_CONSTANT = {"is_priority": False, "blocked_at": None}
_DERIVED = {column.name: column for column in Fan._meta.concrete_fields if isinstance(column, SearchText | SortText)}
_WRITTEN = ("public_id", "creator", "platform", "created_at", *_DERIVED, *_CONSTANT, *TOLD)

Known = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What became of a chunk of rows. ``journal`` is what undo needs, in JSON's own types."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    problems: list[Problem] = field(default_factory=list)
    journal: dict[str, Any] = field(default_factory=dict)
    #: The fan of each row, by row number, with its primary key.
    fan_ids: dict[int, int] = field(default_factory=dict)
    #: Of payments that only their number in the file tells from others alike, what ``payments.short`` makes of them.
    numbered: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Plan:
    """What is to be done with the rows of a chunk."""

    new: list[Row] = field(default_factory=list)
    known: list[tuple[Row, Known]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def names_of(row: Row) -> Names:
    """One fan, one row: by id; by username for rows without an id, whoever had it before."""
    platform_id, handle = row.values.get("platform_id", ""), row.values.get("handle", "").casefold()
    if not platform_id:
        return Names(own=(f"h:{handle}",), forbidden=(f"h:{handle}", f"g:{handle}"))
    if not handle:
        return Names(own=(f"i:{platform_id}",), forbidden=(f"i:{platform_id}",))
    return Names(own=(f"i:{platform_id}", f"g:{handle}"), forbidden=(f"i:{platform_id}", f"h:{handle}"))


def without_repeats(rows: Sequence[Row], seen: Seen) -> tuple[list[Row], list[Problem]]:
    return first_ones([(row, names_of(row)) for row in rows], seen)


class Newcomer(NamedTuple):
    """A fan as one row alone tells of them: what is written last of ``_WRITTEN``, and its fingerprint."""

    written: tuple[Any, ...]
    fingerprint: str


def newcomers(rows: Iterable[Row], as_of: datetime) -> dict[int, Newcomer]:
    """By row number what each row's fan would be if nobody knew them yet. Asks no database: for a thread beside it."""
    made = {}
    for row in rows:
        told = _told(row.values, as_of)
        written = (*derived(told).values(), *_CONSTANT.values(), *told.values())
        made[row.row] = Newcomer(written, fingerprint(told))
    return made


def write(
    creator: Creator,
    rows: Sequence[Row],
    *,
    as_of: datetime,
    now: datetime,
    dry: bool = False,
    prepared: Mapping[int, Newcomer] | None = None,
) -> Outcome:
    """Write the rows in the caller's transaction; with ``dry`` only say what would become of them.

    ``prepared`` is what ``newcomers`` said of these rows, if somebody has asked it before.
    """
    outcome = Outcome()
    waiting, outcome.problems = affordable(creator, rows)
    tag_ids = {} if dry else ensured_ids(creator, waiting)
    journal: dict[str, list[Any]] = {"created": [], "changed": [], "tagged": []}
    while waiting:
        plan = _plan(creator, waiting)
        outcome.problems += plan.problems
        changes = [(row, known, _changes(known, row.values, as_of)) for row, known in plan.known]
        if dry:
            _count_dry(creator, outcome, plan, changes)
            return outcome
        tags = Tags(tag_ids, {fan["pk"] for row, fan in plan.known if "tags" in row.values}, now)
        known = newcomers(plan.new, as_of) if prepared is None else prepared
        waiting = _insert(creator, plan.new, known, outcome, journal, now=now, tags=tags)
        _update(changes, outcome, journal, tags)
        journal["tagged"] += tags.write()
    outcome.journal = {name: entries for name, entries in journal.items() if entries}
    return outcome


# --- Who is it?


def _plan(creator: Creator, rows: Sequence[Row]) -> _Plan:
    of_creator = Fan.objects.filter(creator=creator, platform=creator.platform)
    ids = {row.values["platform_id"] for row in rows if "platform_id" in row.values}
    by_id: dict[str, Known] = {}
    if ids:
        # Without the empty ones, which the unique index leaves out: then SQLite knows that it has all the others.
        with_id = of_creator.exclude(platform_id="")
        by_id = {fan["platform_id"]: fan for fan in _read(with_id.filter(platform_id__among=ids))}
    by_handle: dict[str, list[Known]] = defaultdict(list)
    if handles := _unmet(rows, by_id):
        for fan in _read(of_creator.alias(lower=Lower("handle")).filter(lower__among=handles)):
            by_handle[fan["handle"].lower()].append(fan)
    plan, rows_of = _Plan(), dict[int, int]()
    for row in rows:
        of_this_id = by_id.get(row.values.get("platform_id", ""))
        candidates = by_handle.get(row.values.get("handle", "").lower(), ())
        found = _who(row, of_this_id, candidates, rows_of) if of_this_id or candidates else None
        if isinstance(found, Problem):
            plan.problems.append(found)
        elif found is None:
            plan.new.append(row)
        elif found["pk"] in rows_of:
            plan.problems.append(Problem(row.row, row.line, "", "duplicate", params={"row": rows_of[found["pk"]]}))
        else:
            rows_of[found["pk"]] = row.row
            plan.known.append((row, found))
    return plan


def _who(
    row: Row, of_this_id: Known | None, candidates: Sequence[Known], taken: Mapping[int, int]
) -> Known | Problem | None:
    if of_this_id is not None:
        return of_this_id
    nameless = [fan for fan in candidates if not fan["platform_id"]]
    if "platform_id" in row.values:
        return next((fan for fan in nameless if fan["pk"] not in taken), None)
    found = nameless or candidates
    if len(found) > 1:
        return Problem(row.row, row.line, "", "ambiguous_fan", row.values["handle"])
    return found[0] if found else None


def _unmet(rows: Iterable[Row], by_id: Mapping[str, Known]) -> set[str]:
    """Usernames of those whom the ids did not find, as databases make them lower-case."""
    handles = {
        row.values["handle"]
        for row in rows
        if "handle" in row.values and row.values.get("platform_id", "") not in by_id
    }
    # SQLite's LOWER knows A to Z only.
    ascii_only = {
        "".join(c.lower() if c.isascii() else c for c in handle) for handle in handles if not handle.isascii()
    }
    return {handle.lower() for handle in handles} | ascii_only


def _read(fans: "QuerySet[Fan]") -> list[Known]:
    """Locked until the transaction ends, always in one order: what is compared is what is changed."""
    if connection.vendor == "postgresql":
        fans = fans.select_for_update(of=("self",)).order_by("pk")
    # SQLite has locked everything already, and asked for an order it would read every fan of the creator.
    return list(fans.values(*_READ))


# --- New ones


def _insert(
    creator: Creator,
    rows: Sequence[Row],
    newcomers: Mapping[int, Newcomer],
    outcome: Outcome,
    journal: dict[str, list[Any]],
    *,
    now: datetime,
    tags: Tags,
) -> list[Row]:
    """Insert the rows' fans; returns the rows of those whom somebody else has inserted meanwhile."""
    if not rows:
        return []
    fans = list(zip(bulk.public_ids(len(rows)), rows, strict=True))
    same = creator.pk, creator.platform, now
    inserted = bulk.insert(Fan, _WRITTEN, [(public_id, *same, *newcomers[row.row].written) for public_id, row in fans])
    raced = []
    for public_id, row in fans:
        pk = inserted.get(public_id)
        if pk is None:
            raced.append(row)
            continue
        outcome.created += 1
        outcome.fan_ids[row.row] = pk
        tag_ids = tags.ids_of(row)
        journal["created"].append([public_id, newcomers[row.row].fingerprint, tag_ids])
        if tag_ids:
            tags.give(pk, tag_ids)
    return raced


def _told(values: Mapping[str, Any], as_of: datetime) -> Known:
    """A new fan's fields, in the order of ``TOLD``."""
    value = values.get("value")
    return {
        "platform_id": values.get("platform_id", ""),
        "handle": values.get("handle", ""),
        "name": values.get("name", ""),
        "email": values.get("email", ""),
        "value_cents": value or 0,
        "stated_value_cents": value,
        "stated_value_at": as_of if value is not None else None,
        "subscription": values.get("subscription", ""),
        "subscription_price_cents": values.get("subscription_price"),
        "subscription_ends_at": values.get("subscription_ends_at"),
        "subscription_as_of": None if _SUBSCRIPTION.keys().isdisjoint(values) else as_of,
        "joined_at": values.get("joined_at"),
        "last_seen_at": values.get("last_seen_at"),
        "last_purchase_at": values.get("last_purchase_at"),
    }


def derived(fan: Mapping[str, Any]) -> Known:
    """The columns by which lists are searched and sorted, which no save writes here."""
    return {name: column.derive([fan[source] for source in column.of]) for name, column in _DERIVED.items()}


_DERIVED_FROM = {source for column in _DERIVED.values() for source in column.of}


def fingerprint(fan: Mapping[str, Any]) -> str:
    """Of all that a file can say of a fan: equal as long as nobody has changed any of it.

    Without what is counted from payments: whoever has any is not the same any more. Moments are in UTC.
    """
    return hashlib.blake2b(repr(_compared(fan)).encode(), digest_size=8).hexdigest()


_compared = itemgetter(*(name for name in TOLD if name not in ("value_cents", "last_purchase_at")))


# --- Known ones

#: By the row's name the fan's field.
_SUBSCRIPTION = {
    "subscription": "subscription",
    "subscription_price": "subscription_price_cents",
    "subscription_ends_at": "subscription_ends_at",
}


def _changes(fan: Known, values: Mapping[str, Any], as_of: datetime) -> Known:
    """What the row says that the ledger does not know yet."""
    changes: Known = {}
    if "platform_id" in values and not fan["platform_id"]:
        changes["platform_id"] = values["platform_id"]
    if "handle" in values and values["handle"].casefold() != fan["handle"].casefold():
        changes["handle"] = values["handle"]
    for name in ("name", "email"):
        if name in values and values[name] != fan[name]:
            changes[name] = values[name]
    for name, is_better in _ONE_WAY.items():
        if name in values and (fan[name] is None or is_better(values[name], fan[name])):
            changes[name] = values[name]
    return changes | _subscription_changes(fan, values, as_of) | _value_changes(fan, values, as_of)


#: A fan joined at the earliest that anybody says, and was last seen at the latest.
_ONE_WAY = {
    "joined_at": datetime.__lt__,
    "last_seen_at": datetime.__gt__,
    "last_purchase_at": datetime.__gt__,
}


def _subscription_changes(fan: Known, values: Mapping[str, Any], as_of: datetime) -> Known:
    if fan["subscription_as_of"] is not None and fan["subscription_as_of"] > as_of:
        return {}
    changes = {
        field: values[name] for name, field in _SUBSCRIPTION.items() if name in values and values[name] != fan[field]
    }
    return changes | {"subscription_as_of": as_of} if changes else {}


def _value_changes(fan: Known, values: Mapping[str, Any], as_of: datetime) -> Known:
    """``value_cents`` is counted anew afterwards: payments that came in since are added."""
    stated = values.get("value")
    if stated is None or stated in (fan["stated_value_cents"], fan["value_cents"]):
        return {}
    if fan["stated_value_at"] is not None and fan["stated_value_at"] > as_of:
        return {}
    return {"stated_value_cents": stated, "stated_value_at": as_of}


def _update(
    changes: Sequence[tuple[Row, Known, Known]], outcome: Outcome, journal: dict[str, list[Any]], tags: Tags
) -> None:
    written: list[tuple[Known, Known]] = []
    revalued = []
    for row, fan, changed in changes:
        outcome.fan_ids[row.row] = fan["pk"]
        gets_tags = tags.add(fan["pk"], fan["public_id"], row)
        if changed:
            before_after = {name: [stored(fan[name]), stored(changed[name])] for name in sorted(changed)}
            written.append((fan, changed))
            journal["changed"].append([fan["public_id"].hex, before_after])
            if "stated_value_at" in changed:
                revalued.append(fan["pk"])
        if changed or gets_tags:
            outcome.updated += 1
        else:
            outcome.unchanged += 1
    change(written)
    if revalued:
        Transaction.objects.recount_fans(revalued)


def change(fans: Sequence[tuple[Known, Known]]) -> None:
    """Write what changes of each of ``fans``, which are locked: what does not change is written as it is."""
    names = sorted({name for _fan, changes in fans for name in changes})
    derives = not _DERIVED_FROM.isdisjoint(names)
    rows = []
    for fan, changes in fans:
        after = fan | changes
        rows.append([fan["pk"], *(after[name] for name in names), *(derived(after).values() if derives else ())])
    bulk.update(Fan, [*names, *(_DERIVED if derives else ())], rows)


def _count_dry(creator: Creator, outcome: Outcome, plan: _Plan, changes: Sequence[tuple[Row, Known, Known]]) -> None:
    outcome.created += len(plan.new)
    ids = known_ids(creator)
    tagged = tags_of({fan["pk"] for row, fan, _changed in changes if "tags" in row.values})
    for row, fan, changed in changes:
        has = tagged.get(fan["pk"], ())
        gets_tags = any(ids.get(name.casefold()) not in has for name in row.values.get("tags", ()))
        outcome.updated += bool(changed or gets_tags)
        outcome.unchanged += not (changed or gets_tags)


def stored(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
