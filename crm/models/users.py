"""Who signs in."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.utils.translation import gettext_lazy as _


class UndoSeconds(models.IntegerChoices):
    NONE = 0, _("Not at all")
    FIVE = 5, _("5 seconds")
    TEN = 10, _("10 seconds")


class User(AbstractUser):
    """A person who signs in: creator, chatter, manager or staff. What they may see comes from their memberships."""

    UndoSeconds = UndoSeconds

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    undo_seconds = models.PositiveSmallIntegerField(
        default=5, choices=UndoSeconds, help_text=_("How long what was sent from the inbox waits to be taken back.")
    )
    uses_shortcuts = models.BooleanField(default=True, help_text=_("Single keys act in the inbox."))
    language = models.CharField(
        max_length=7,
        blank=True,
        choices=settings.LANGUAGES,
        help_text=_("Of the pages. Empty: what the browser prefers."),
    )
    is_demo = models.BooleanField(default=False, editable=False, help_text="Signs in only while DEBUG is on.")

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(
                condition=models.Q(undo_seconds__in=UndoSeconds.values), name="user_undo_seconds_can_be_chosen"
            ),
        ]

    #: Set for one request, by an API key that is for one creator: ``for_user`` then shows nothing else.
    only_creator_id: int | None = None

    @property
    def may_sign_in(self) -> bool:
        """The demo's password is known to everybody: on a server that is not a toy it opens nothing."""
        return self.is_active and (settings.DEBUG or not self.is_demo)
