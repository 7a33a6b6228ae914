"""Media that goes along with a message."""

import uuid
from datetime import datetime
from typing import Self

from django.core.validators import URLValidator
from django.db import models, transaction

from crm.models.lines import Line
from crm.models.messages import Message, Status


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def missing(self) -> Self:
        """Attachments the platform does not have yet."""
        return self.filter(provider_media_id="")

    def to_upload(self, now: datetime) -> Self:
        """Attachments whose upload must begin now, of messages that still wait, oldest first."""
        return (
            self.missing()
            .filter(upload_at__lte=now, message__status=Status.QUEUED, message__creator__line__paused_at__isnull=True)
            .order_by("upload_at", "id")
        )


class Attachment(models.Model):
    """One piece of media given by URL. The provider wants an id of its own: it is uploaded before its message goes."""

    URL_MAX = 2000
    PER_MESSAGE_MAX = 20

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
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
        ]
        indexes = [
            # Which media must be uploaded next?
            models.Index(fields=["upload_at"], condition=models.Q(provider_media_id=""), name="attachment_to_upload"),
        ]

    def __str__(self) -> str:
        return self.url

    def arrived(self, media_id: str, *, now: datetime) -> None:
        """The platform has it; with the last one the message is ready for its turn."""
        with transaction.atomic():
            seq = Line.objects.wake(self.message.creator_id, at=now)
            Attachment.objects.filter(pk=self.pk).update(provider_media_id=media_id, upload_at=None)
            if not Attachment.objects.missing().filter(message_id=self.message_id).exists():
                Message.objects.filter(pk=self.message_id).update(waits_for_media=False, seq=seq)
