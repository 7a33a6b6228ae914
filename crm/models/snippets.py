"""Canned texts that a chatter inserts and then makes their own."""

import uuid
from typing import TYPE_CHECKING, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator, ProhibitNullCharactersValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from crm.models.creators import Creator, visible_to
from crm.models.messages import Message

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class SnippetQuerySet(models.QuerySet["Snippet"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))


class Snippet(models.Model):
    """A text with variables such as ``{name|there}``; ``crm/personalising.py`` fills them in."""

    NAME_MAX = 60
    PER_CREATOR_MAX = 500

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="snippets")
    name = models.CharField(max_length=NAME_MAX, validators=[ProhibitNullCharactersValidator()])
    text = models.TextField(validators=[MaxLengthValidator(Message.TEXT_MAX), ProhibitNullCharactersValidator()])
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SnippetQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint("creator", Lower("name"), name="snippet_once_per_name")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if not self.text.strip():
            raise ValidationError({"text": _("Write something: the snippet is empty.")})
