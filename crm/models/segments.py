"""Saved rules that select fans. A rule is evaluated when it is asked, never stored as a list."""

import uuid
from typing import TYPE_CHECKING, Self

from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models.functions import Lower

from crm.models.creators import Creator, visible_to

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class SegmentQuerySet(models.QuerySet["Segment"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))


class Segment(models.Model):
    """A named rule over a creator's fans; ``crm/segments.py`` says what a rule looks like."""

    NAME_MAX = 80
    PER_CREATOR_MAX = 200

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="segments")
    name = models.CharField(max_length=NAME_MAX, validators=[ProhibitNullCharactersValidator()])
    rule = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint("creator", Lower("name"), name="segment_once_per_name")]

    def __str__(self) -> str:
        return self.name
