"""A CSV file on its way into the ledger: the file, what it is, how far it has come, and what it did."""

import hashlib
import io
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from crm.models.creators import Creator

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class ImportState(models.TextChoices):
    """Where an import stands. What is ``checking``, ``running`` or ``undoing`` is work for whoever takes it."""

    ASKING = "asking", _("Has a question")
    READY = "ready", _("Ready")
    CHECKING = "checking", _("Being checked")
    CHECKED = "checked", _("Checked")
    RUNNING = "running", _("Running")
    DONE = "done", _("Done")
    CANCELLED = "cancelled", _("Cancelled")
    FAILED = "failed", _("Failed")
    UNDOING = "undoing", _("Being undone")
    UNDONE = "undone", _("Undone")


State = ImportState
AT_WORK = (State.CHECKING, State.RUNNING, State.UNDOING)
NOT_BEGUN = (State.ASKING, State.READY, State.CHECKED)
ENDED = (State.DONE, State.CANCELLED, State.FAILED)

#: From which states a person or a program may ask for what.
MOVES: Mapping[State, tuple[State, ...]] = {
    State.CHECKING: (State.READY, State.CHECKED),
    State.RUNNING: (State.READY, State.CHECKED),
    State.CANCELLED: (*NOT_BEGUN, State.CHECKING, State.RUNNING),
    State.UNDOING: ENDED,
}


class IllegalImportMove(Exception):
    """The import is in a state from which this cannot be asked for."""

    def __init__(self, was: str, wanted: str) -> None:
        super().__init__(f"{was} → {wanted}")
        self.was, self.wanted = was, wanted


class ImportKind(models.TextChoices):
    FANS = "fans", _("Fans")
    TRANSACTIONS = "transactions", _("Transactions")


class ImportQuerySet(models.QuerySet["Import"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(creator__in=Creator.objects.for_user(user))

    def to_work_on(self, now: datetime) -> Self:
        """Those with work that nobody does, whose file is at hand; the one that waits longest first."""
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        return self.filter(free, state__in=AT_WORK, kept_until__isnull=False).order_by("asked_at", "pk")

    def expired(self, now: datetime) -> Self:
        return self.filter(kept_until__lt=now).exclude(state__in=AT_WORK)

    def receive(
        self,
        creator: Creator,
        *,
        name: str,
        pieces: Iterable[bytes],
        by: "User | None",
        now: datetime,
    ) -> "Import":
        """Keep an uploaded file, piece by piece, for ``Import.KEEP``."""
        with transaction.atomic():
            row = self.create(creator=creator, name=name[-200:], created_by=by, as_of=now, kept_until=now + Import.KEEP)
            digest, size = hashlib.sha256(), 0
            for number, piece in enumerate(_in_parts(pieces)):
                digest.update(piece)
                size += len(piece)
                ImportPart.objects.create(of=row, number=number, content=piece)
            row.remember_file(digest.hexdigest(), size)
        return row


class Import(models.Model):
    """One CSV file of one creator."""

    #: How long the file, its errors and what undo needs are kept.
    KEEP = timedelta(days=30)
    #: A runner that was not heard of for this long is taken for dead, and another goes on where it was.
    LEASE = timedelta(seconds=60)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="imports")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    kind = models.CharField(max_length=16, choices=ImportKind, default=ImportKind.FANS)
    state = models.CharField(max_length=16, choices=State, default=State.ASKING)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it failed."))
    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    as_of = models.DateTimeField(
        help_text=_("As of when the file is true: when it was first seen. Newer knowledge is not overwritten.")
    )
    options = models.JSONField(default=dict, blank=True, help_text=_("What a person said about the file."))
    survey = models.JSONField(default=dict, blank=True, help_text=_("What the first look found."))
    rows_total = models.PositiveIntegerField(default=0)
    rows_done = models.PositiveIntegerField(default=0)
    created_count = models.PositiveIntegerField(default=0)
    updated_count = models.PositiveIntegerField(default=0)
    unchanged_count = models.PositiveIntegerField(default=0)
    skipped_count = models.PositiveIntegerField(default=0)
    undone_count = models.PositiveIntegerField(default=0)
    not_undone_count = models.PositiveIntegerField(default=0)
    lease = models.UUIDField(null=True, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    kept_until = models.DateTimeField(
        null=True, blank=True, help_text=_("Until when the file is kept; empty: it is not.")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ImportQuerySet.as_manager()

    class Meta:
        indexes = [
            # The list, newest first.
            models.Index(fields=["creator", "-created_at", "-id"], name="import_list"),
            # What is there to do?
            models.Index(fields=["asked_at", "id"], condition=Q(state__in=AT_WORK), name="import_to_do"),
            # Was this file here before?
            models.Index(fields=["creator", "sha256"], name="import_by_file"),
        ]

    def __str__(self) -> str:
        return f"{self.name} · {self.public_id}"

    # --- The file

    def remember_file(self, sha256: str, size: int) -> None:
        """Which file this is. What it says is as old as its first import: read again, it is no news."""
        self.sha256, self.size = sha256, size
        self.as_of = min([self.as_of, *self._twins().values_list("as_of", flat=True)[:1]])
        self.save(update_fields=["sha256", "size", "as_of"])

    @property
    def seen_before(self) -> "Import | None":
        """The last import of the same file that wrote something."""
        return self._twins().filter(state=State.DONE).order_by("-pk").first()

    def _twins(self) -> ImportQuerySet:
        same = Import.objects.filter(creator_id=self.creator_id, sha256=self.sha256, pk__lt=self.pk)
        return same.order_by("as_of")

    def open(self) -> io.BufferedReader:
        """The kept file from its beginning, part by part."""
        return io.BufferedReader(_Parts(self.pk), buffer_size=1 << 16)

    @property
    def has_file(self) -> bool:
        return self.kept_until is not None

    def forget(self) -> None:
        """Delete the file, its errors and what undo needs. The counts stay."""
        with transaction.atomic():
            ImportPart.objects.filter(of=self).delete()
            ImportChunk.objects.filter(of=self).delete()
            Import.objects.filter(pk=self.pk).update(kept_until=None, survey={})
        self.refresh_from_db()

    # --- What is asked for

    def move(self, state: State, *, now: datetime) -> None:
        """Ask for a check, a run, an undo or an end. Raises IllegalImportMove."""
        changes: dict[str, Any] = {"state": state, "asked_at": now}
        if state in (State.CHECKING, State.RUNNING):
            changes |= dict.fromkeys(COUNTS, 0) | {"finished_at": None, "reason": ""}
        if state == State.CANCELLED:
            changes |= {"lease": None, "lease_until": None, "finished_at": now}
        with transaction.atomic():
            moved = Import.objects.filter(pk=self.pk, state__in=MOVES[state]).update(**changes)
            if moved and state in (State.CHECKING, State.RUNNING):
                ImportChunk.objects.filter(of=self).delete()
        self.refresh_from_db()
        if not moved:
            raise IllegalImportMove(self.state, state)

    # --- The work, chunk by chunk

    def take(self, *, now: datetime) -> bool:
        """Become its only runner; False when somebody else is, or when there is nothing to do."""
        lease = uuid.uuid4()
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
        taken = Import.objects.filter(free, pk=self.pk, state__in=AT_WORK).update(
            lease=lease, lease_until=now + self.LEASE
        )
        if taken:
            self.refresh_from_db()
        return bool(taken)

    def advance(self, *, now: datetime, rows: int = 0, **counts: int) -> bool:
        """Count one more chunk as done, in the transaction of its effects.

        False when the import was cancelled, or taken by another runner, or when this chunk is not the next one.
        """
        changes = {name: F(name) + count for name, count in (counts | {"rows_done": rows}).items() if count}
        mine = Import.objects.filter(pk=self.pk, lease=self.lease, state=self.state, rows_done=self.rows_done)
        advanced = bool(mine.update(lease_until=now + self.LEASE, **changes))
        if advanced:
            self.rows_done += rows
        return advanced

    def finish(self, state: State, *, now: datetime, reason: str = "") -> bool:
        """The work is over. False when it was cancelled or taken meanwhile."""
        mine = Import.objects.filter(pk=self.pk, lease=self.lease, state=self.state)
        changes = {"state": state, "reason": reason[:300], "lease": None, "lease_until": None, "finished_at": now}
        finished = bool(mine.update(**changes))
        self.refresh_from_db()
        return finished

    @property
    def ignored_columns(self) -> list[str]:
        """Columns of the file that go nowhere, by name."""
        ignored: list[str] = self.survey.get("ignored", [])
        return ignored

    @property
    def is_at_work(self) -> bool:
        return self.state in AT_WORK

    @property
    def may_undo(self) -> bool:
        return self.state in ENDED and self.created_count + self.updated_count > 0 and self.chunks.exists()


COUNTS = (
    "rows_done",
    "created_count",
    "updated_count",
    "unchanged_count",
    "skipped_count",
    "undone_count",
    "not_undone_count",
)


class ImportPart(models.Model):
    """A piece of a kept file."""

    SIZE = 256 * 1024

    of = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["of", "number"], name="import_part_once")]

    def __str__(self) -> str:
        return f"{self.of_id} · {self.number}"


class ImportChunk(models.Model):
    """Some rows that were done in one transaction: what was wrong with them, and what undo needs.

    ``errors``, ``journal`` and ``numbered`` have the shapes of crm/importing: a row each would be millions for one bad
    file.
    """

    of = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="chunks")
    first_row = models.PositiveIntegerField(help_text=_("Rows before it were done by earlier chunks."))
    errors = models.JSONField(default=list)
    journal = models.JSONField(
        null=True, blank=True, help_text=_("Empty once it is undone, or when nothing was written.")
    )

    numbered = models.JSONField(
        null=True,
        blank=True,
        help_text="Payments that only their number in the file tells from others alike: a bad row may become one more.",
    )

    class Meta:
        ordering = ["first_row"]
        constraints = [
            # Two runners never do the same rows.
            models.UniqueConstraint(fields=["of", "first_row"], name="import_chunk_once"),
            models.CheckConstraint(condition=Q(first_row__gte=1), name="import_chunk_has_a_row"),
        ]

    def __str__(self) -> str:
        return f"{self.of_id} · {self.first_row}"


def _in_parts(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of the size of a part."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        while len(waiting) >= ImportPart.SIZE:
            yield bytes(waiting[: ImportPart.SIZE])
            del waiting[: ImportPart.SIZE]
    if waiting:
        yield bytes(waiting)


class _Parts(io.RawIOBase):
    """Reads the parts of a file one after the other, one in memory at a time."""

    def __init__(self, import_id: int) -> None:
        super().__init__()
        self._import_id = import_id
        self._number = 0
        self._part = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._part:
            parts = ImportPart.objects.filter(of_id=self._import_id, number=self._number)
            content = parts.values_list("content", flat=True).first()
            if content is None:
                return 0
            self._number += 1
            self._part = memoryview(bytes(content))
        size = min(len(buffer), len(self._part))
        buffer[:size] = self._part[:size]
        self._part = self._part[size:]
        return size
