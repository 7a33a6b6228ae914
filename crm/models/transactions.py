"""Money that came in, and how subscriptions went: the rows behind every figure."""

import uuid
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.campaigns import Campaign
from crm.models.creators import Creator
from crm.models.fans import Fan
from crm.models.messages import Message

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(creator__memberships__user_id=user.pk)


class Transaction(models.Model):
    """One payment of a fan, or its reversal (negative). Amounts are integer minor units of ``currency``."""

    class Kind(models.TextChoices):
        SUBSCRIPTION = "subscription", _("Subscription")
        TIP = "tip", _("Tip")
        MESSAGE = "message", _("Unlocked message")
        POST = "post", _("Post")
        STREAM = "stream", _("Stream")
        OTHER = "other", _("Other")

    class Source(models.TextChoices):
        EVENT = "event", _("An event of the platform")
        SYNC = "sync", _("Read from the platform")
        IMPORT = "import", _("A CSV file")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="transactions")
    # The money stays when the fan asks to be forgotten.
    fan = models.ForeignKey(Fan, on_delete=models.SET_NULL, null=True, blank=True, related_name="transactions")
    message = models.ForeignKey(Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="transactions")
    campaign = models.ForeignKey(
        Campaign, on_delete=models.SET_NULL, null=True, blank=True, related_name="transactions"
    )
    kind = models.CharField(max_length=16, choices=Kind)
    amount_cents = models.BigIntegerField(help_text=_("What the fan paid."))
    fee_cents = models.BigIntegerField(null=True, blank=True)
    net_cents = models.BigIntegerField(null=True, blank=True, help_text=_("What the creator keeps."))
    currency = models.CharField(max_length=3, default="USD")
    description = models.CharField(max_length=300, blank=True)
    occurred_at = models.DateTimeField()
    source = models.CharField(max_length=8, choices=Source)
    platform_id = models.CharField(max_length=64, blank=True, help_text=_("The payment's id at the platform."))
    fingerprint = models.CharField(
        max_length=64,
        blank=True,
        help_text="Of a payment that came without an id: the same row read twice is one payment.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TransactionQuerySet.as_manager()

    class Meta:
        indexes = [
            # Revenue by day, and the list, newest first.
            models.Index(fields=["creator", "-occurred_at", "-id"], name="transaction_list"),
            # What did this fan pay?
            models.Index(fields=["fan", "-occurred_at", "-id"], name="transaction_of_fan"),
            # What did this campaign earn?
            models.Index(fields=["campaign"], condition=Q(campaign__isnull=False), name="transaction_of_campaign"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["creator", "platform_id"],
                condition=~Q(platform_id=""),
                name="transaction_once_per_platform_id",
            ),
            models.UniqueConstraint(
                fields=["creator", "fingerprint"],
                condition=~Q(fingerprint=""),
                name="transaction_once_per_fingerprint",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} · {self.public_id}"


class SubscriptionEvent(models.Model):
    """A subscription began, went on or ended: who came and who left is counted from these rows."""

    class Kind(models.TextChoices):
        STARTED = "started", _("Subscribed")
        RENEWED = "renewed", _("Renewed")
        EXPIRED = "expired", _("Expired")

    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="subscription_events")
    fan = models.ForeignKey(Fan, on_delete=models.CASCADE, related_name="subscription_events")
    kind = models.CharField(max_length=8, choices=Kind)
    occurred_at = models.DateTimeField()
    price_cents = models.PositiveIntegerField(null=True, blank=True)
    platform_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            # Who came and who left, by day?
            models.Index(fields=["creator", "kind", "occurred_at"], name="subscription_event_list"),
            models.Index(fields=["fan", "-occurred_at"], name="subscription_event_of_fan"),
        ]
        constraints = [
            # The platform tells the same event again; the moment is part of it.
            models.UniqueConstraint(fields=["fan", "kind", "occurred_at"], name="subscription_event_once"),
        ]

    def __str__(self) -> str:
        return f"{self.fan} · {self.get_kind_display()}"
