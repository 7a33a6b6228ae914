"""What somebody began to write: kept on the server, so a reload or another device finds it again."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import models, transaction

from crm.models.conversations import Conversation
from crm.models.messages import Message

if TYPE_CHECKING:
    from crm.models.users import User


class DraftQuerySet(models.QuerySet["Draft"]):
    def keep(self, conversation: Conversation, user: "User", **typed: Any) -> bool:
        """Remember what is typed, column by column; with nothing typed, forget it. Raises ValidationError by column.

        False when the message of this ``client_key`` was sent meanwhile: its draft must not come back to life.
        """
        draft = Draft(conversation=conversation, user=user, **typed)
        draft.full_clean(exclude=["conversation", "user"], validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            # Sending locks this row, too, before it retires the draft: whichever comes second sees the first.
            Conversation.objects.select_for_update().get(pk=conversation.pk)
            if conversation.creator.messages.filter(client_key=draft.client_key).exists():
                return False
            mine = self.filter(conversation=conversation, user=user)
            if draft.is_empty:
                mine.delete()
            else:
                columns = ("text", "price", "media_urls", "send_at", "priority", "client_key")
                values = {column: getattr(draft, column) for column in columns}
                self.update_or_create(conversation=conversation, user=user, defaults=values)
        return True


class Draft(models.Model):
    """One person's unsent message to one fan, as it was typed: nothing of it needs to be right yet."""

    #: More than a message may have, so that a text that is too long is not lost while it is being shortened.
    TEXT_MAX = 4 * Message.TEXT_MAX
    MEDIA_MAX = 40_000

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="drafts")
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="drafts")
    text = models.TextField(blank=True, validators=[MaxLengthValidator(TEXT_MAX), ProhibitNullCharactersValidator()])
    price = models.CharField(max_length=40, blank=True, validators=[ProhibitNullCharactersValidator()])
    media_urls = models.TextField(
        blank=True, validators=[MaxLengthValidator(MEDIA_MAX), ProhibitNullCharactersValidator()]
    )
    send_at = models.CharField(max_length=40, blank=True, validators=[ProhibitNullCharactersValidator()])
    priority = models.CharField(max_length=2, blank=True, validators=[ProhibitNullCharactersValidator()])
    client_key = models.UUIDField(default=uuid4, help_text="Of the message it becomes.")
    updated_at = models.DateTimeField(auto_now=True)

    objects = DraftQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "conversation"], name="draft_once_per_user_and_conversation"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.conversation}"

    @property
    def is_empty(self) -> bool:
        return not (self.text.strip() or self.price or self.media_urls.strip() or self.send_at)
