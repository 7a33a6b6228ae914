"""Who is looking at which conversation right now."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.conf import settings
from django.db import models

from crm.models.conversations import Conversation

if TYPE_CHECKING:
    from crm.models.users import User


class PresenceQuerySet(models.QuerySet["Presence"]):
    def note(self, user: "User", conversation: Conversation, *, is_writing: bool, now: datetime) -> bool:
        """``user`` is there. Writes at most once in ``Presence.EVERY``, whatever the page asks; False if it did not."""
        values = {"conversation": conversation, "is_writing": is_writing, "seen_at": now}
        if self.filter(user=user, seen_at__lte=now - Presence.EVERY).update(**values):
            return True
        _row, is_new = self.get_or_create(user=user, defaults=values)
        return is_new

    def beside(self, user: "User", conversation: Conversation, *, now: datetime) -> Self:
        """The others who are there, those who write first."""
        there = self.filter(conversation=conversation, seen_at__gt=now - Presence.GONE_AFTER)
        return there.exclude(user=user).select_related("user").order_by("-is_writing", "user__username")


class Presence(models.Model):
    """Where somebody was last seen: one row a person, however many conversations they open."""

    EVERY = timedelta(seconds=15)
    #: Two signs of life and a little more: one that is late makes nobody disappear.
    GONE_AFTER = timedelta(seconds=35)

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="presence"
    )
    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="presences")
    is_writing = models.BooleanField(default=False)
    seen_at = models.DateTimeField()

    objects = PresenceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user} · {self.conversation}"
