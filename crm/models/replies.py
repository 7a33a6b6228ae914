"""Replies that are kept for a while, so that a request sent twice is answered twice and done once."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, connection, models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.keyring import CannotOpen, open_sealed, seal
from crm.models.creators import Creator
from crm.models.users import User

KEPT_FOR = timedelta(hours=24)
TWIN_SECONDS = 5
# PostgreSQL's lock_not_available, and the words for SQLITE_BUSY.
LOCK_TIMED_OUT = ("55P03", "database is locked")


class TwinAtWork(Exception):
    """The same request came a moment earlier and is not done yet."""


class KeyReused(Exception):
    """The key was used for a request that said something else."""


class SecretGone(Exception):
    """The reply had a secret in it, and no key of the ring opens it."""


class KeptReplyQuerySet(models.QuerySet["KeptReply"]):
    def expired(self, now: datetime) -> Self:
        return self.filter(created_at__lt=now - KEPT_FOR)

    def naming(self, public_id: UUID) -> Self:
        """Those that were asked of, or tell of, the thing with this id."""
        return self.filter(Q(body__contains=str(public_id)) | Q(route__contains=str(public_id)))


class KeptReply(models.Model):
    """What a user was answered when they posted to ``route`` with ``key``; committed together with what was done."""

    KEY_MAX, ROUTE_MAX = 255, 255

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=ROUTE_MAX)
    key = models.CharField(max_length=KEY_MAX)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of what the request said.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    is_sealed = models.BooleanField(default=False, help_text="The body has a secret in it and is encrypted.")
    location = models.TextField(blank=True)
    creator = models.ForeignKey(
        Creator, on_delete=models.CASCADE, null=True, related_name="+", help_text="For whom something was done."
    )
    as_manager = models.BooleanField(default=False, help_text="Only an owner or a manager may do it.")
    created_at = models.DateTimeField(default=database_now)

    objects = KeptReplyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("kept replies")
        indexes = [models.Index(fields=["created_at"], name="kept_reply_expires")]
        constraints = [models.UniqueConstraint(fields=["user", "route", "key"], name="kept_reply_once_per_key")]

    def __str__(self) -> str:
        return f"{self.route} · {self.key}"

    @property
    def is_new(self) -> bool:
        """Nothing was answered yet: whoever has claimed it does the work."""
        return self.status == 0

    @classmethod
    @contextmanager
    def claimed(cls, *, user: User, route: str, key: str, fingerprint: str) -> Iterator["KeptReply"]:
        """A transaction with the row of this key: a new one to be kept, or the one with the first reply.

        While a twin is at work in a transaction of its own this waits, holding nothing, for at most ``TWIN_SECONDS``.
        Raises TwinAtWork, and KeyReused when the first request said something else.
        """
        with ExitStack() as transactions:
            try:
                _begin(transactions, wait_seconds=TWIN_SECONDS)
                row = cls._insert_or_find(user=user, route=route, key=key, fingerprint=fingerprint)
            except OperationalError as error:
                if not _timed_out(error):
                    raise
                raise TwinAtWork from error
            if row.fingerprint != fingerprint:
                raise KeyReused
            yield row

    @classmethod
    def _insert_or_find(cls, *, fingerprint: str, **identity: object) -> "KeptReply":
        row = cls(fingerprint=fingerprint, **identity)
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError:
            row = cls.objects.get(**identity)
        _wait_as_usual()
        return row

    def keep(self, *, status: int, body: str, location: str = "", has_secret: bool = False) -> None:
        """Write what is answered, in the transaction that did the work.

        A reply that shows a secret is sealed. Without a keyring it is not kept at all, only that there was one.
        """
        self.status, self.location, self.is_sealed = status, location, has_secret
        self.body = self._sealed(body) if has_secret else body
        self.save(update_fields=["status", "body", "is_sealed", "location", "creator", "as_manager"])

    @property
    def said(self) -> str:
        """The body as it was answered. Raises SecretGone."""
        if not self.is_sealed:
            return self.body
        try:
            return open_sealed(self.body, context=self._place)
        except (CannotOpen, ImproperlyConfigured) as error:
            raise SecretGone from error

    def _sealed(self, body: str) -> str:
        try:
            return seal(body, context=self._place)
        except ImproperlyConfigured:
            return ""

    @property
    def _place(self) -> str:
        return f"kept_reply.body.{self.pk}"


def _begin(transactions: ExitStack, *, wait_seconds: int) -> None:
    """Begin a transaction. What it has to wait for first, it waits for no longer than this.

    On SQLite the beginning itself waits until nobody else writes; on PostgreSQL the INSERT waits for its twin.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            (usual,) = cursor.execute("PRAGMA busy_timeout").fetchone()
            cursor.execute(f"PRAGMA busy_timeout = {wait_seconds * 1000}")
            try:
                transactions.enter_context(transaction.atomic())
            finally:
                cursor.execute(f"PRAGMA busy_timeout = {usual}")
    else:
        transactions.enter_context(transaction.atomic())
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{wait_seconds}s'")


def _wait_as_usual() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def _timed_out(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", str(error)) in LOCK_TIMED_OUT
