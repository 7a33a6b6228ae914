"""Rows of a list of transactions, into the ledger, by the verb that events and sync use too."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from crm.importing import fans
from crm.importing.problems import Problem
from crm.importing.rows import Row, payment_kind, zone_of
from crm.importing.seen import Names, Seen, first_ones
from crm.models import Creator, Fan, Import, ImportChunk, Line, Payment, Transaction
from crm.models.transactions import TOLD_WITHIN

#: A row that names a day and no time is noon of that day, and may tell of any payment of the day.
NOON = TOLD_THAT_DAY = timedelta(hours=12)


def without_repeats(creator: Creator, rows: Sequence[Row], seen: Seen) -> tuple[list[Row], list[Problem]]:
    """The rows that do not repeat an earlier one; those without an id get a fingerprint.

    Two rows alike to the second are one payment told twice. Two rows alike that name only a day are two payments, the
    first and the second of that day, and so they are again when the file is read again. A row of an error file is
    counted after those that were good when the file that it comes from was read: it is one more payment.
    """
    zone = zone_of(creator)
    named: list[tuple[Row, Names]] = []
    for row in rows:
        if platform_id := row.values.get("platform_id"):
            name = f"t:{platform_id}"
        elif key := row.values.get("key"):
            name = f"k:{key}"
        else:
            name = _numbered(row, seen) if _names_a_day(row, zone) else _hashed(_said(row))
            row = row._replace(values=row.values | {"fingerprint": name})
        named.append((row, Names(own=(name,), forbidden=(name,))))
    return first_ones(named, seen)


def _hashed(said: str) -> str:
    return hashlib.sha256(said.encode()).hexdigest()


def _numbered(row: Row, seen: Seen) -> str:
    """The fingerprint of a row as the first, the second and so on of those that say the same."""
    said, origin = _said(row), row.values.get("origin", "")
    while True:
        name = _hashed(f"{said}\x1f{seen.count_up(f'd:{said}')}")
        if not origin or not seen.knows(_of_origin(origin, short(name))):
            return name


def short(fingerprint: str) -> str:
    """Enough of it to know it by among those of one file."""
    return fingerprint[:16]


def _of_origin(origin: str, short_fingerprint: str) -> str:
    return f"o:{origin}:{short_fingerprint}"


def recall(job: Import, seen: Seen) -> None:
    """Let ``seen`` know what was good in the files from whose bad rows this one was made.

    An id that is not of one of this creator's imports, or of one whose file is forgotten, says nothing.
    """
    for origin in job.survey.get("origins", ()):
        chunks = ImportChunk.objects.filter(of__in=_with_their_origins(job.creator_id, origin), numbered__isnull=False)
        for chunk in chunks.only("numbered").iterator(chunk_size=20):
            seen.remember(_of_origin(origin, name) for name in chunk.numbered or ())


def _with_their_origins(creator_id: int, public_id: str) -> list[int]:
    """This import, the one whose error file it was, and so on: bad rows are not always put right at once."""
    found: dict[str, int] = {}
    waiting = [public_id]
    while waiting:
        wanted = Import.objects.filter(creator=creator_id, public_id__in=waiting)
        before = {str(one.public_id): one for one in wanted if str(one.public_id) not in found}
        found |= {name: one.pk for name, one in before.items()}
        waiting = [name for one in before.values() for name in one.survey.get("origins", ())]
    return list(found.values())


def _said(row: Row) -> str:
    """What makes a payment without an id this one and no other."""
    values = row.values
    parts = (
        int(values["occurred_at"].timestamp() * 1_000_000),
        payment_kind(values.get("kind", "")),
        values.get("fan_id", ""),
        values.get("handle", "").casefold(),
        values["amount"],
        values.get("currency", ""),
        values.get("description", ""),
    )
    return "\x1f".join(map(str, parts))


def _names_a_day(row: Row, zone: ZoneInfo) -> bool:
    at: datetime = row.values["occurred_at"].astimezone(zone)
    return (at.hour, at.minute, at.second, at.microsecond) == (0, 0, 0, 0)


def write(creator: Creator, rows: Sequence[Row], *, as_of: datetime, now: datetime, dry: bool = False) -> fans.Outcome:
    """Write the rows in the caller's transaction; with ``dry`` it is all taken back, and only the counts stay."""
    with transaction.atomic():
        outcome = _write(creator, rows, as_of=as_of, now=now)
        if dry:
            transaction.set_rollback(True)
    return outcome


def _write(creator: Creator, rows: Sequence[Row], *, as_of: datetime, now: datetime) -> fans.Outcome:
    # The line first, as everywhere: whoever holds it may wait for one of these fans.
    Line.objects.stamp(creator.pk)
    outcome = fans.Outcome(journal={"payments": []})
    fan_ids = _fans(creator, rows, outcome, as_of=as_of, now=now)
    known = Fan.objects.in_bulk(set(fan_ids.values()))
    lost = {problem.row for problem in outcome.problems}
    zone = zone_of(creator)
    for within, names_a_day in ((TOLD_WITHIN, False), (TOLD_THAT_DAY, True)):
        some = [row for row in rows if row.row not in lost and _names_a_day(row, zone) == names_a_day]
        later = NOON if names_a_day else timedelta()
        if names_a_day:
            outcome.numbered = [short(row.values["fingerprint"]) for row in some if "fingerprint" in row.values]
        payments = [_payment(row, known.get(fan_ids.get(row.row, 0)), creator, later) for row in some]
        for entry, is_new in Transaction.objects.record(creator, payments, within=within):
            outcome.created += is_new
            outcome.unchanged += not is_new
            if is_new:
                outcome.journal["payments"].append([entry.public_id.hex, entry.platform_id or entry.fingerprint])
    return outcome


def _payment(row: Row, fan: Fan | None, creator: Creator, later: timedelta) -> Payment:
    values = row.values
    whose, _colon, key = values.get("key", "").partition(":")
    return Payment(
        kind=payment_kind(values.get("kind", "")),
        amount_cents=values["amount"],
        fee_cents=values.get("fee"),
        net_cents=values.get("net"),
        currency=values.get("currency") or creator.currency,
        occurred_at=values["occurred_at"] + later,
        description=values.get("description", ""),
        source=Transaction.Source.IMPORT,
        fan=fan,
        platform_id=values.get("platform_id", ""),
        event_key=key if whose == "e" else "",
        fingerprint=key if whose == "f" else values.get("fingerprint", ""),
    )


def _fans(
    creator: Creator, rows: Sequence[Row], outcome: fans.Outcome, *, as_of: datetime, now: datetime
) -> dict[int, int]:
    """The fan of each row by row number; who paid and is not known yet becomes a fan.

    Ids first, so that a username alone then finds whoever has just come in with it.
    """
    fan_ids: dict[int, int] = {}
    for field, others in (("fan_id", ("handle",)), ("handle", ())):
        of_whom: dict[str, list[Row]] = {}
        for row in rows:
            if field in row.values and (field == "fan_id" or "fan_id" not in row.values):
                of_whom.setdefault(row.values[field].casefold(), []).append(row)
        firsts = [_fan_row(same[0], field, others) for same in of_whom.values()]
        written = fans.write(creator, firsts, as_of=as_of, now=now)
        for name, entries in written.journal.items():
            outcome.journal.setdefault(name, []).extend(entries)
        lost = {problem.row: problem for problem in written.problems}
        for same in of_whom.values():
            for row in same:
                if problem := lost.get(same[0].row):
                    outcome.problems.append(replace(problem, row=row.row, line=row.line))
                else:
                    fan_ids[row.row] = written.fan_ids[same[0].row]
    return fan_ids


def _fan_row(row: Row, field: str, others: Sequence[str]) -> Row:
    values: dict[str, Any] = {"platform_id" if field == "fan_id" else field: row.values[field]}
    return row._replace(values=values | {name: row.values[name] for name in others if name in row.values})
