"""The way back: what an import wrote goes, as far as nobody has touched it since."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from crm.clock import database_now
from crm.importing.fans import TOLD, change, fingerprint, stored
from crm.models import (
    Conversation,
    Day,
    Fan,
    FanTag,
    Import,
    ImportChunk,
    Line,
    Note,
    Recipient,
    SubscriptionEvent,
    Transaction,
)

Journal = Mapping[str, Sequence[Any]]


def undo(job: Import) -> Iterator[ImportChunk]:
    """Take back one chunk after the other, the last one first; what cannot be taken back is counted.

    Money that the file brought goes. A fan whom it brought goes, unless anything is different from what it said or
    anything belongs to them by now: a conversation, a note, a tag, money, a place in a campaign. A value that it
    changed becomes what it was, unless it has been changed again.
    """
    while chunk := job.chunks.filter(journal__isnull=False).order_by("-first_row").first():
        with transaction.atomic():
            done, not_done = _undo(job, chunk.journal or {})
            ImportChunk.objects.filter(pk=chunk.pk).update(journal=None)
            if not job.advance(now=database_now(), undone_count=done, not_undone_count=not_done):
                transaction.set_rollback(True)
                return
        yield chunk


def _undo(job: Import, journal: Journal) -> tuple[int, int]:
    Line.objects.stamp(job.creator_id)
    steps = (
        _remove_payments(job, journal.get("payments", ())),
        _remove_tags(job, journal.get("tagged", ())),
        _restore(job, journal.get("changed", ())),
        _remove_fans(job, journal.get("created", ())),
    )
    return sum(done for done, _left in steps), sum(left for _done, left in steps)


def _remove_payments(job: Import, entries: Sequence[Any]) -> tuple[int, int]:
    """An event may have told of the same payment since: then it stays."""
    names = {UUID(public_id): name for public_id, name in entries}
    found = [
        payment
        for payment in Transaction.objects.filter(public_id__in=names, message__isnull=True, event_key="")
        if names[payment.public_id] == (payment.platform_id or payment.fingerprint)
    ]
    Transaction.objects.filter(pk__in=[payment.pk for payment in found]).delete()
    Day.objects.forget(job.creator_id, (payment.occurred_at for payment in found))
    Transaction.objects.recount_fans({payment.fan_id for payment in found if payment.fan_id})
    return len(found), len(entries) - len(found)


def _remove_tags(job: Import, entries: Sequence[Any]) -> tuple[int, int]:
    wearers = defaultdict(list)
    for public_id, tag_id in entries:
        wearers[tag_id].append(UUID(public_id))
    for tag_id, public_ids in wearers.items():
        FanTag.objects.filter(tag_id=tag_id, fan__creator=job.creator_id, fan__public_id__in=public_ids).delete()
    return 0, 0


def _restore(job: Import, entries: Sequence[Any]) -> tuple[int, int]:
    before_after = {UUID(public_id): changes for public_id, changes in entries}
    restored: list[tuple[dict[str, Any], dict[str, Any]]] = []
    whole = 0
    for fan in _fans(job, before_after):
        changes = before_after[fan["public_id"]]
        back = {name: before for name, (before, after) in changes.items() if stored(fan[name]) == after}
        if back.get("platform_id") == "":
            # Events know this fan by the id by now; without it they would come in once more.
            del back["platform_id"]
        if back:
            restored.append((fan, {name: _loaded(name, value) for name, value in back.items()}))
        whole += len(back) == len(changes)
    change(restored)
    if revalued := [fan["pk"] for fan, back in restored if "stated_value_at" in back]:
        Transaction.objects.recount_fans(revalued)
    return whole, len(entries) - whole


def _loaded(name: str, value: str | None) -> Any:
    return datetime.fromisoformat(value) if value and name.endswith(("_at", "_of")) else value


def _remove_fans(job: Import, entries: Sequence[Any]) -> tuple[int, int]:
    said = {UUID(public_id): (told, set(tag_ids)) for public_id, told, tag_ids in entries}
    fans = _fans(job, said, alone=True)
    tags: dict[int, set[int]] = {fan["pk"]: set() for fan in fans}
    for fan_id, tag_id in FanTag.objects.filter(fan_id__in=tags).values_list("fan_id", "tag_id"):
        tags[fan_id].add(tag_id)
    gone = [
        fan["pk"]
        for fan in fans
        if fingerprint(fan) == said[fan["public_id"]][0] and tags[fan["pk"]] <= said[fan["public_id"]][1]
    ]
    FanTag.objects.filter(fan_id__in=gone).delete()
    Fan.objects.filter(pk__in=gone).delete()
    return len(gone), len(entries) - len(gone)


def _fans(job: Import, public_ids: Mapping[UUID, Any], *, alone: bool = False) -> list[dict[str, Any]]:
    fans: QuerySet[Fan] = Fan.objects.filter(creator=job.creator_id, public_id__in=list(public_ids))
    if alone:
        for model in (Conversation, Note, SubscriptionEvent, Transaction):
            fans = fans.filter(~Exists(model._default_manager.filter(fan=OuterRef("pk"))))
        # Whom a campaign left out, it has not touched; as with who is erased, the place stays counted.
        fans = fans.filter(~Exists(Recipient.objects.filter(fan=OuterRef("pk"), excluded="")))
    return list(fans.select_for_update(of=("self",)).order_by("pk").values("pk", "public_id", *TOLD))
