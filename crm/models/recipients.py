"""Whom a launched campaign is for."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.models.campaigns import EXCLUDED, WAITING, Campaign, CampaignStatus
from crm.models.fans import Fan
from crm.models.messages import Message, Status

_NOT_YET = Q(message__isnull=True, excluded="")


class RecipientQuerySet(models.QuerySet["Recipient"]):
    def in_state(self, state: str) -> Self:
        """Recipients by what became of them; ``Recipient.state`` says it of one."""
        if state == EXCLUDED:
            return self.exclude(excluded="")
        stopped = Q(campaign__status=CampaignStatus.CANCELLED)
        if state == WAITING:
            return self.without_message().exclude(stopped)
        with_message = Q(message__status=state)
        return self.filter(with_message | (_NOT_YET & stopped) if state == Status.CANCELLED else with_message)

    def without_message(self) -> Self:
        """To whom nothing has been written yet, and never will be if the campaign is cancelled."""
        return self.filter(_NOT_YET)


class Recipient(models.Model):
    """A fan whom a launched campaign is for. Who is left out in the end stays here with the reason."""

    class Exclusion(models.TextChoices):
        NONE = "", _("Not excluded")
        NO_PLATFORM_ID = "no_platform_id", _("No platform id yet")
        BLOCKED = "blocked", _("Blocked")
        SEGMENT = "segment", _("In an excluded segment")
        RECENTLY_MESSAGED = "recently_messaged", _("Messaged a short while ago")
        ALREADY_BOUGHT = "already_bought", _("Has bought this media already")
        FREQUENCY_CAP = "frequency_cap", _("Got enough campaigns for now")
        ERASED = "erased", _("Erased")
        TOO_LONG = "too_long", _("With this fan's name the text is too long")

    # Several indexes below begin with it.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="recipients", db_index=False)
    # Null: the person was erased. Their place stays counted.
    fan = models.ForeignKey(Fan, on_delete=models.SET_NULL, null=True, blank=True, related_name="campaign_recipients")
    message = models.OneToOneField(
        Message, on_delete=models.SET_NULL, null=True, blank=True, related_name="campaign_recipient"
    )
    excluded = models.CharField(max_length=20, choices=Exclusion, default=Exclusion.NONE, blank=True)

    objects = RecipientQuerySet.as_manager()

    class Meta:
        indexes = [
            # Everybody, a page at a time.
            models.Index(fields=["campaign", "id"], name="recipient_in_order"),
            # Whom does the campaign write to next?
            models.Index(
                fields=["campaign", "id"], condition=Q(message__isnull=True, excluded=""), name="recipient_to_enlist"
            ),
            # Who is left out, and who for one reason?
            models.Index(fields=["campaign", "id"], condition=~Q(excluded=""), name="recipient_left_out"),
            models.Index(
                fields=["campaign", "excluded", "id"], condition=~Q(excluded=""), name="recipient_left_out_because"
            ),
        ]
        constraints = [models.UniqueConstraint(fields=["campaign", "fan"], name="recipient_once_per_campaign")]

    def __str__(self) -> str:
        return f"{self.campaign} → {self.fan}"

    @property
    def state(self) -> str:
        """waiting, excluded, or the status of its message; without one when its campaign ended, cancelled."""
        if self.excluded:
            return EXCLUDED
        if self.message:
            return self.message.status
        return Status.CANCELLED if self.campaign.status == CampaignStatus.CANCELLED else WAITING
