"""The people who follow a creator."""

import uuid
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from crm.models.creators import Creator, Platform

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class FanQuerySet(models.QuerySet["Fan"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(creator__memberships__user_id=user.pk)


class Fan(models.Model):
    """A person who follows a creator: (creator, platform, platform id), else (creator, platform, lower-case handle)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="fans")
    platform = models.CharField(max_length=16, choices=Platform, default=Platform.ONLYFANS)
    platform_id = models.CharField(
        max_length=64,
        blank=True,
        help_text=_("The fan's id at the platform. Without it the fan cannot be written to."),
    )
    handle = models.CharField(max_length=120, blank=True)
    name = models.CharField(max_length=200, blank=True)
    value_cents = models.PositiveBigIntegerField(default=0, help_text=_("Lifetime value in cents."))
    last_seen_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FanQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "creator",
                "platform",
                "platform_id",
                condition=~models.Q(platform_id=""),
                name="fan_once_per_platform_id",
            ),
            models.UniqueConstraint(
                "creator",
                "platform",
                Lower("handle"),
                condition=models.Q(platform_id="") & ~models.Q(handle=""),
                name="fan_once_per_handle_without_platform_id",
            ),
            models.CheckConstraint(
                condition=~models.Q(platform_id="") | ~models.Q(handle=""), name="fan_has_platform_id_or_handle"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    @property
    def display_name(self) -> str:
        return self.name or self.handle or self.platform_id

    @property
    def is_reachable(self) -> bool:
        """The platform knows people by id only: a fan known by handle alone cannot be written to."""
        return bool(self.platform_id)
