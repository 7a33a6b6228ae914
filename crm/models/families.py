"""Sign-ins through the API. Of their tokens only a hash is kept."""

import hashlib
import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.models.users import User


class TokenFamilyQuerySet(models.QuerySet["TokenFamily"]):
    def alive(self, user: User, now: datetime) -> "list[TokenFamily]":
        """Those whose tokens are good, the newest first."""
        open_ones = self.filter(user=user, ended_at=None, expires_at__gt=now).select_related("user")
        return [family for family in open_ones.order_by("-id") if family.is_alive]

    def expired(self, now: datetime) -> Self:
        return self.filter(expires_at__lt=now)


class TokenFamily(models.Model):
    """One sign-in: every refresh token that came from it, of which only the newest is good, and once.

    While the family lives its access tokens do. It ends with a sign-out, a replayed token, another password, a user who
    may not sign in any more.
    """

    class End(models.TextChoices):
        SIGNED_OUT = "signed_out", _("Signed out")
        REPLAYED = "replayed", _("A used refresh token came again")
        STAFF = "staff", _("Ended in the admin")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="token_families")
    newest = models.CharField(max_length=64, help_text="SHA-256 of the id of the refresh token that is good.")
    password_stamp = models.CharField(max_length=64, help_text="Which password was signed in with.")
    created_at = models.DateTimeField(default=database_now)
    renewed_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end = models.CharField(max_length=12, choices=End, blank=True)

    objects = TokenFamilyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("token families")
        indexes = [models.Index(fields=["expires_at"], name="token_family_expires")]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True, end="") | (Q(ended_at__isnull=False) & ~Q(end="")),
                name="token_family_end_has_a_reason",
            )
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def begin(cls, user: User, *, token_id: str, expires_at: datetime) -> "TokenFamily":
        """Somebody signed in and is given the refresh token with this id."""
        return cls.objects.create(
            user=user,
            newest=_hash(token_id),
            password_stamp=user.get_session_auth_hash(),
            expires_at=expires_at,
        )

    @property
    def is_alive(self) -> bool:
        """Read with its user: both are looked at."""
        return (
            self.ended_at is None
            and self.user.may_sign_in
            and constant_time_compare(self.password_stamp, self.user.get_session_auth_hash())
        )

    def renew(self, token_id: str, *, by: str, expires_at: datetime) -> bool:
        """Let the token with this id take the place of the one with the id ``by``, if that is the newest.

        False for a token that was used before, also for the slower of two that come at once. Whoever has it may have
        stolen it, so the family has ended.
        """
        renewed = TokenFamily.objects.filter(pk=self.pk, newest=_hash(by), ended_at=None).update(
            newest=_hash(token_id), renewed_at=database_now(), expires_at=expires_at
        )
        if not renewed:
            self.finish(self.End.REPLAYED)
        return bool(renewed)

    def finish(self, end: "TokenFamily.End") -> None:
        """None of its tokens is good any more."""
        TokenFamily.objects.filter(pk=self.pk, ended_at=None).update(ended_at=database_now(), end=end)


def _hash(token_id: str) -> str:
    return hashlib.sha256(token_id.encode()).hexdigest()
