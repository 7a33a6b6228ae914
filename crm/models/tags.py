"""Short words on fans, each belonging to one creator."""

import uuid
from typing import TYPE_CHECKING, Self

from django.core.validators import ProhibitNullCharactersValidator
from django.db import models
from django.db.models.functions import Lower

from crm.models.creators import Creator
from crm.models.fans import Fan

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class TagQuerySet(models.QuerySet["Tag"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(creator__memberships__user_id=user.pk)


class Tag(models.Model):
    """A word that a creator's team puts on fans; two that differ in case only are the same word."""

    NAME_MAX = 60

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=NAME_MAX, validators=[ProhibitNullCharactersValidator()])
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TagQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [models.UniqueConstraint("creator", Lower("name"), name="tag_once_per_name")]

    def __str__(self) -> str:
        return self.name


class FanTag(models.Model):
    """This fan has this tag."""

    fan = models.ForeignKey(Fan, on_delete=models.CASCADE, related_name="fan_tags")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="fan_tags")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fan", "tag"], name="tag_once_per_fan")]

    def __str__(self) -> str:
        return f"{self.fan} · {self.tag}"
