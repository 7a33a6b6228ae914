"""Media that goes along with a message."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Self

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from crm.models.campaigns import Campaign, CampaignStatus
from crm.models.creators import Creator
from crm.models.lines import Line
from crm.models.messages import Message, Status

#: A campaign in one of these will need its media.
UPLOADING = (CampaignStatus.SCHEDULED, CampaignStatus.RUNNING)


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def missing(self) -> Self:
        """Attachments the platform does not have yet."""
        return self.filter(provider_media_id="")

    def wanted(self) -> Self:
        """Missing ones of messages that still wait and of campaigns that will go, unless their creator is paused."""
        return self.missing().filter(
            Q(message__status=Status.QUEUED) | Q(campaign__status__in=UPLOADING),
            creator__line__paused_at__isnull=True,
        )

    def to_upload(self, now: datetime) -> Self:
        """Attachments whose upload must begin now, oldest first."""
        return self.wanted().filter(upload_at__lte=now).order_by("upload_at", "id")


class Attachment(models.Model):
    """One piece of media given by URL. The provider wants an id of its own: it is uploaded before its message goes."""

    URL_MAX = 2000
    PER_MESSAGE_MAX = 20

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="attachments")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, null=True, blank=True, related_name="attachments")
    # A campaign's own: uploaded once, to where it can be used again, and lent to every message of the campaign.
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, null=True, blank=True, related_name="attachments")
    position = models.PositiveSmallIntegerField()
    url = models.CharField(max_length=URL_MAX, validators=[URLValidator(schemes=["http", "https"])])
    provider_media_id = models.CharField(max_length=URL_MAX, blank=True, help_text="An id, or an address it may fetch.")
    attempts = models.PositiveSmallIntegerField(default=0)
    upload_at = models.DateTimeField(null=True, blank=True, help_text="Not uploaded before; null once it is there.")

    objects = AttachmentQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["message", "position"], name="attachment_once_per_position"),
            models.UniqueConstraint(fields=["campaign", "position"], name="campaign_attachment_once_per_position"),
            models.CheckConstraint(
                condition=Q(message__isnull=True, campaign__isnull=False)
                | Q(message__isnull=False, campaign__isnull=True),
                name="attachment_of_a_message_or_a_campaign",
            ),
        ]
        indexes = [
            # Which media must be uploaded next?
            models.Index(fields=["upload_at"], condition=Q(provider_media_id=""), name="attachment_to_upload"),
        ]

    def __str__(self) -> str:
        return self.url

    @property
    def correlation_id(self) -> str:
        """Of the request that caused its message; a campaign has none."""
        return self.message.correlation_id if self.message else ""

    def arrived(self, media_id: str, *, now: datetime) -> None:
        """The platform has it; with the last one the message is ready for its turn."""
        with transaction.atomic():
            seq = Line.objects.wake(self.creator_id, at=now)
            Attachment.objects.filter(pk=self.pk).update(provider_media_id=media_id, upload_at=None)
            if self.message_id and not Attachment.objects.missing().filter(message_id=self.message_id).exists():
                Message.objects.filter(pk=self.message_id).update(waits_for_media=False, seq=seq)


def content_errors(message: Message, attachments: Sequence[Attachment]) -> dict[str, list[str]]:
    """What is wrong with a text, its price and its media, by field: the rules of one message and of a campaign's."""
    errors: dict[str, list[str]] = {}
    try:
        message.full_clean(
            exclude=["creator", "conversation", "author", "campaign"], validate_unique=False, validate_constraints=False
        )
    except ValidationError as error:
        errors |= error.message_dict
    if message.price_cents and not attachments:
        errors.setdefault("price_cents", []).append(_("A paid message needs at least one piece of media."))
    if len(attachments) > Attachment.PER_MESSAGE_MAX:
        errors["media_urls"] = [
            _("At most %(max)d pieces of media in one message.") % {"max": Attachment.PER_MESSAGE_MAX}
        ]
    for attachment in attachments:
        try:
            attachment.clean_fields(exclude=["creator", "message", "campaign"])
        except ValidationError:
            errors.setdefault("media_urls", []).append(
                _("“%(url)s” is not an http or https address of at most %(max)d characters.")
                % {"url": attachment.url[:80], "max": Attachment.URL_MAX}
            )
    return errors
