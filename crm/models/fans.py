"""The people who follow a creator."""

import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce, Least, Lower
from django.utils.translation import gettext_lazy as _

from crm.models.creators import Creator, Platform

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class Subscription(models.TextChoices):
    """What is known of a fan's subscription. Nothing is known of who came in by CSV without that column."""

    UNKNOWN = "", _("Not known")
    ACTIVE = "active", _("Active")
    EXPIRED = "expired", _("Expired")
    NEVER = "never", _("Never subscribed")


class FanQuerySet(models.QuerySet["Fan"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(creator__memberships__user_id=user.pk)

    def of_handle(self, handle: str) -> Self:
        """Those of this handle, in any case, of whom no platform id is known yet."""
        return self.alias(lower_handle=Lower("handle")).filter(lower_handle=Lower(models.Value(handle)), platform_id="")

    def learn_subscription(
        self,
        subscription: str,
        *,
        as_of: datetime,
        price_cents: int | None = None,
        ends_at: datetime | None = None,
    ) -> int:
        """Write how their subscriptions stood at ``as_of``, unless something newer is known; the answer is how many.

        A price or an end of None is not known and leaves what was.
        """
        changes: dict[str, Any] = {"subscription": subscription, "subscription_as_of": as_of}
        if price_cents is not None:
            changes["subscription_price_cents"] = price_cents
        if ends_at is not None:
            changes["subscription_ends_at"] = ends_at
        return self.filter(Q(subscription_as_of__isnull=True) | Q(subscription_as_of__lte=as_of)).update(**changes)

    def joined(self, at: datetime) -> int:
        """They follow since ``at`` at the latest."""
        return self.update(joined_at=Least(Coalesce("joined_at", at), at))


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
    email = models.EmailField(blank=True)
    value_cents = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text=_("Lifetime value in cents of the creator's currency: what was stated, plus the money since then."),
    )
    stated_value_cents = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("What an import or a person said the fan had spent, in cents.")
    )
    stated_value_at = models.DateTimeField(null=True, blank=True, help_text=_("As of when that was said."))
    subscription = models.CharField(max_length=8, choices=Subscription, default=Subscription.UNKNOWN, blank=True)
    subscription_price_cents = models.PositiveIntegerField(null=True, blank=True)
    subscription_ends_at = models.DateTimeField(null=True, blank=True)
    subscription_as_of = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="As of when that is known: older news changes nothing."
    )
    joined_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    last_purchase_at = models.DateTimeField(null=True, blank=True)
    is_priority = models.BooleanField(default=False, help_text=_("Shown among the priority fans of the inbox."))
    blocked_at = models.DateTimeField(null=True, blank=True, help_text=_("Nothing is sent to a blocked fan."))
    search_text = models.TextField(blank=True, editable=False, help_text="Name, handle and ids, folded for searching.")
    tags: models.ManyToManyField = models.ManyToManyField("crm.Tag", through="crm.FanTag", related_name="fans")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FanQuerySet.as_manager()

    class Meta:
        indexes = [
            # The list by each of its sortings; id makes every sorting total, so that paging neither skips nor repeats.
            models.Index(fields=["creator", "-value_cents", "-id"], name="fan_by_value"),
            models.Index(fields=["creator", "-last_seen_at", "-id"], name="fan_by_last_seen"),
            models.Index(fields=["creator", "-created_at", "-id"], name="fan_by_creation"),
            models.Index(fields=["creator", "name", "id"], name="fan_by_name"),
            models.Index(fields=["creator", "-joined_at", "-id"], name="fan_by_joining"),
        ]
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
