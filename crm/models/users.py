"""Who signs in."""

import uuid

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    """A person who signs in: creator, chatter, manager or staff. What they may see comes from their memberships."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    is_demo = models.BooleanField(default=False, editable=False, help_text="Signs in only while DEBUG is on.")

    #: Set for one request, by an API key that is for one creator: ``for_user`` then shows nothing else.
    only_creator_id: int | None = None

    @property
    def may_sign_in(self) -> bool:
        """The demo's password is known to everybody: on a server that is not a toy it opens nothing."""
        return self.is_active and (settings.DEBUG or not self.is_demo)
