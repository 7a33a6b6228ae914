"""Keys with which other programs use the API in a person's name."""

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from crm.clock import database_now
from crm.models.creators import Creator
from crm.models.users import User

#: By it a key is known from a token, and by programs that look for leaked keys.
BEGINNING = "hz_"
USE_NOTED_EVERY = timedelta(minutes=1)


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def alive(self, now: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=now)

    def with_secret(self, secret: str, now: datetime) -> "ApiKey | None":
        """The living key that says ``secret``, with its user."""
        key = self.alive(now).select_related("user").filter(secret_hash=_hash(secret)).first()
        return key if key and key.user.may_sign_in else None


class ApiKey(models.Model):
    """What its user may do, narrowed to scopes and perhaps to one creator. The key itself is shown once, not kept."""

    class Scope(models.TextChoices):
        READ = "read", _lazy("Read")
        WRITE = "write", _lazy("Write fans, notes, tags and the like")
        SEND = "send", _lazy("Send messages and campaigns")
        IMPORT = "import", _lazy("Import")

    NAME_MAX = 80
    PER_USER_MAX = 20
    GOOD_FOR, GOOD_FOR_MAX = timedelta(days=90), timedelta(days=366)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    creator = models.ForeignKey(
        Creator,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="api_keys",
        help_text=_lazy("Nobody else's rows exist for this key. Empty: every creator whom its user works for."),
    )
    name = models.CharField(max_length=NAME_MAX, validators=[ProhibitNullCharactersValidator()])
    prefix = models.CharField(max_length=16, help_text=_lazy("How the key begins, to know it by."))
    secret_hash = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=database_now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True, help_text=_lazy("To the minute."))
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = _lazy("API key")
        verbose_name_plural = _lazy("API keys")
        indexes = [models.Index(fields=["user", "-id"], name="api_key_list")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @classmethod
    def issue(
        cls,
        user: User,
        *,
        name: str,
        scopes: Sequence[str],
        creator: Creator | None = None,
        expires_at: datetime | None = None,
    ) -> tuple["ApiKey", str]:
        """A new key and, this once, its secret. Raises ValidationError by field (name, expires_at)."""
        now = database_now()
        expires_at = expires_at or now + cls.GOOD_FOR
        if not now < expires_at <= now + cls.GOOD_FOR_MAX:
            words = _("A key is good for at most %(days)d days from now.") % {"days": cls.GOOD_FOR_MAX.days}
            raise ValidationError({"expires_at": words})
        if cls.objects.alive(now).filter(user=user).count() >= cls.PER_USER_MAX:
            raise ValidationError(
                _("At most %(max)d keys for each person. Revoke one first.") % {"max": cls.PER_USER_MAX}
            )
        prefix = f"{BEGINNING}{secrets.token_hex(4)}"
        secret = f"{prefix}_{secrets.token_urlsafe(32)}"
        key = cls(
            user=user,
            creator=creator,
            name=name,
            prefix=prefix,
            secret_hash=_hash(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
            expires_at=expires_at,
        )
        key.clean_fields(exclude=["user", "creator"])
        key.save(force_insert=True)
        return key, secret

    @property
    def throttle_subject(self) -> str:
        """Its requests are counted by themselves: a program that runs wild leaves its user's own requests alone."""
        return f"key:{self.public_id}"

    def used(self, now: datetime) -> None:
        """Note when it was used last; not each time, because reading should not write."""
        if self.used_at is None or self.used_at < now - USE_NOTED_EVERY:
            stale = Q(used_at=None) | Q(used_at__lt=now - USE_NOTED_EVERY)
            ApiKey.objects.filter(stale, pk=self.pk).update(used_at=now)

    def revoke(self) -> None:
        """It opens nothing any more."""
        ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=database_now())


def _hash(secret: str) -> str:
    """A fast hash will do: nobody guesses 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
