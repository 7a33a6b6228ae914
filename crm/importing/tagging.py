"""The tags that rows bring. A fan gets what they do not have; nobody loses one."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from crm.importing import bulk
from crm.importing.problems import Problem
from crm.importing.rows import Row
from crm.models import Creator, FanTag, Tag


def affordable(creator: Creator, rows: Sequence[Row]) -> tuple[list[Row], list[Problem]]:
    """The rows whose tags the creator has or may have, and what is to be said of the others."""
    if not any("tags" in row.values for row in rows):
        return list(rows), []
    known = {name.casefold() for name in Tag.objects.filter(creator=creator).values_list("name", flat=True)}
    good: list[Row] = []
    problems: list[Problem] = []
    for row in rows:
        new = {name.casefold() for name in row.values.get("tags", ())} - known
        if new and len(known) + len(new) > Tag.PER_CREATOR_MAX:
            params = {"limit": Tag.PER_CREATOR_MAX}
            problems.append(Problem(row.row, row.line, "", "too_many_tags_in_all", params=params))
        else:
            good.append(row)
            known |= new
    return good, problems


class Tags:
    """The tags of a chunk's rows, and which of these fans have which already."""

    def __init__(self, ids: dict[str, int], fan_ids: Collection[int], now: datetime) -> None:
        self._ids = ids
        self._ids_of_names: dict[tuple[str, ...], list[int]] = {}
        self._has = tags_of(fan_ids)
        self._now = now
        self._wanted: list[tuple[int, int, datetime]] = []
        self._added: list[list[str | int]] = []

    def ids_of(self, row: Row) -> list[int]:
        names = row.values.get("tags", ())
        if names not in self._ids_of_names:
            self._ids_of_names[names] = [self._ids[name.casefold()] for name in names]
        return self._ids_of_names[names]

    def give(self, fan_id: int, tag_ids: Sequence[int]) -> None:
        """A new fan has these."""
        self._wanted += [(fan_id, tag_id, self._now) for tag_id in tag_ids]

    def add(self, fan_id: int, public_id: UUID, row: Row) -> bool:
        """True when the fan gets a tag that they did not have."""
        missing = [tag_id for tag_id in self.ids_of(row) if tag_id not in self._has.get(fan_id, ())]
        self.give(fan_id, missing)
        self._added += [[public_id.hex, tag_id] for tag_id in missing]
        return bool(missing)

    def write(self) -> list[list[str | int]]:
        """Give all that is wanted; returns what undo needs: (fan, tag) of those who were there before."""
        bulk.insert(FanTag, ("fan", "tag", "created_at"), self._wanted)
        return self._added


def tags_of(fan_ids: Collection[int]) -> dict[int, set[int]]:
    tagged: dict[int, set[int]] = {fan_id: set() for fan_id in fan_ids}
    if fan_ids:
        for fan_id, tag_id in FanTag.objects.filter(fan_id__in=fan_ids).values_list("fan_id", "tag_id"):
            tagged[fan_id].add(tag_id)
    return tagged


def known_ids(creator: Creator) -> dict[str, int]:
    """The creator's tags by their lower-case names."""
    return {name.casefold(): pk for name, pk in Tag.objects.filter(creator=creator).values_list("name", "pk")}


def ensured_ids(creator: Creator, rows: Sequence[Row]) -> dict[str, int]:
    """The tags of the rows by their lower-case names; those that there were not yet, there are now.

    Before any fan is locked: a new tag waits for the creator's line, and whoever holds that may wait for a fan.
    """
    names = {name.casefold(): name for row in rows for name in row.values.get("tags", ())}
    if not names:
        return {}
    known = known_ids(creator)
    if missing := [name for word, name in names.items() if word not in known]:
        known |= {tag.name.casefold(): tag.pk for tag in Tag.objects.named(creator, missing)}
    return known
