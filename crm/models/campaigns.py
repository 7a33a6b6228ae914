"""One message to a frozen audience."""

import uuid
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.creators import Creator, visible_to
from crm.models.fans import Fan
from crm.models.messages import Message

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))


class Campaign(models.Model):
    """One message template for many fans. Launching freezes its recipients; each gets at most one message row."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Running")
        PAUSED = "paused", _("Paused")
        NEEDS_REVIEW = "needs_review", _("Needs review")
        COMPLETED = "completed", _("Completed")
        CANCELLED = "cancelled", _("Cancelled")

    NAME_MAX = 120
    RECIPIENTS_MAX = 100_000
    PRIORITY = 1

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="campaigns")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=NAME_MAX)
    text = models.TextField(validators=[MaxLengthValidator(Message.TEXT_MAX), ProhibitNullCharactersValidator()])
    price_cents = models.PositiveIntegerField(default=0)
    media_urls = models.JSONField(default=list, blank=True)
    audience = models.JSONField(default=dict, blank=True, help_text="Which fans, by segment, filter or list.")
    exclusions = models.JSONField(default=dict, blank=True, help_text="Who of them is left out, and why.")
    quiet_from = models.TimeField(
        null=True, blank=True, help_text=_("Nothing goes out from then on, by the creator's clock.")
    )
    quiet_until = models.TimeField(null=True, blank=True)
    status = models.CharField(max_length=12, choices=Status, default=Status.DRAFT)
    reason = models.CharField(max_length=300, blank=True, help_text=_("Why it is paused or needs a look."))
    scheduled_at = models.DateTimeField(null=True, blank=True)
    launched_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["creator", "-created_at", "-id"], name="campaign_list"),
            # Which campaigns does dispatch look at?
            models.Index(
                fields=["status", "scheduled_at"],
                condition=Q(status__in=["scheduled", "running"]),
                name="campaign_to_serve",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Recipient(models.Model):
    """A fan whom a launched campaign is for. Who is left out in the end stays here with the reason."""

    class Exclusion(models.TextChoices):
        NONE = "", _("Not excluded")
        NO_PLATFORM_ID = "no_platform_id", _("No platform id")
        BLOCKED = "blocked", _("Blocked")
        SEGMENT = "segment", _("In an excluded segment")
        RECENTLY_MESSAGED = "recently_messaged", _("Messaged a short while ago")
        ALREADY_BOUGHT = "already_bought", _("Already bought this media")
        FREQUENCY_CAP = "frequency_cap", _("Enough campaigns for now")
        ERASED = "erased", _("Erased")

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="recipients")
    # Null: the person was erased. Their place stays counted.
    fan = models.ForeignKey(Fan, on_delete=models.SET_NULL, null=True, blank=True, related_name="campaign_recipients")
    message = models.OneToOneField(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="campaign_recipient"
    )
    excluded = models.CharField(max_length=20, choices=Exclusion, default=Exclusion.NONE, blank=True)

    class Meta:
        indexes = [
            # Whom does the campaign write to next?
            models.Index(
                fields=["campaign", "id"], condition=Q(message__isnull=True, excluded=""), name="recipient_to_enlist"
            ),
            models.Index(fields=["campaign", "excluded", "id"], name="recipient_of_campaign"),
        ]
        constraints = [models.UniqueConstraint(fields=["campaign", "fan"], name="recipient_once_per_campaign")]

    def __str__(self) -> str:
        return f"{self.campaign} → {self.fan}"
