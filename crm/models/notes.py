"""What the team should know about a fan, in the team's words."""

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import models, transaction
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.models.creators import visible_to
from crm.models.fans import Fan
from crm.models.lines import Line

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class NoteQuerySet(models.QuerySet["Note"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user, "fan__creator__"))

    def write(self, fan: Fan, *, author: "User", **values: Any) -> "Note":
        """A new note; ``values`` as ``Note.change`` takes them. Raises ValidationError by column."""
        note = Note(fan=fan, author=author)
        note.change(**values)
        return note


class Note(models.Model):
    """A remark about a fan, with its author and date; no fan ever sees it."""

    class Category(models.TextChoices):
        IMPORTANT = "important", _("Important")
        PREFERENCES = "preferences", _("Preferences")
        INTERESTS = "interests", _("Interests")
        PERSONAL = "personal", _("Personal")
        PURCHASES = "purchases", _("Purchases")
        STYLE = "style", _("Way of talking")
        MOOD = "mood", _("Mood")

    TEXT_MAX = 2000

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    fan = models.ForeignKey(Fan, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    category = models.CharField(max_length=16, choices=Category, default=Category.IMPORTANT)
    text = models.TextField(validators=[MaxLengthValidator(TEXT_MAX), ProhibitNullCharactersValidator()])
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = NoteQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["fan", "-created_at", "-id"], name="note_of_fan")]

    def __str__(self) -> str:
        return f"{self.fan} · {self.get_category_display()}"

    def clean(self) -> None:
        if not self.text.strip():
            raise ValidationError({"text": _text("Write something: the note is empty.")})

    def change(self, **values: Any) -> None:
        """Write ``text`` and ``category``. Raises ValidationError by column."""
        for column, value in values.items():
            setattr(self, column, value)
        self.full_clean(exclude=["fan", "author"])
        with transaction.atomic():
            seq = Line.objects.stamp(self.fan.creator_id)
            self.save()
            self.fan.tell(seq)

    def erase(self) -> None:
        with transaction.atomic():
            seq = Line.objects.stamp(self.fan.creator_id)
            self.delete()
            self.fan.tell(seq)
