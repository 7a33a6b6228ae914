"""Media that goes along with a message."""

from django.core.validators import URLValidator
from django.db import models

from crm.models.messages import Message


class AttachmentQuerySet(models.QuerySet["Attachment"]):
    def missing(self) -> "AttachmentQuerySet":
        """Attachments the platform does not have yet."""
        return self.filter(provider_media_id="")


class Attachment(models.Model):
    """One piece of media given by URL. The provider wants an id of its own: it is uploaded before the message is due."""

    URL_MAX = 2000
    PER_MESSAGE_MAX = 20

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="attachments")
    position = models.PositiveSmallIntegerField()
    url = models.CharField(max_length=URL_MAX, validators=[URLValidator(schemes=["http", "https"])])
    provider_media_id = models.CharField(max_length=128, blank=True)
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
