"""Short words on fans, each belonging to one creator."""

import json
import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from crm.models.creators import Creator, visible_to
from crm.models.lines import Line
from crm.models.naming import check_named
from crm.prepared import Given, Prepared

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.fans import Fan
    from crm.models.segments import Segment
    from crm.models.users import User


class TagInUse(Exception):
    """A rule chooses by this tag."""


class TagQuerySet(models.QuerySet["Tag"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))

    def named(self, creator: Creator, names: Iterable[str]) -> "list[Tag]":
        """The creator's tags of these names, in any case; those that were not there are there afterwards.

        Raises ValidationError by "tags".
        """
        wanted: dict[str, str] = {}
        for name in map(str.strip, names):
            wanted.setdefault(name.casefold(), name)
        if not wanted:
            return []
        with transaction.atomic():
            Line.objects.stamp(creator.pk)
            known = {tag.name.casefold(): tag for tag in Tag.objects.filter(creator=creator)}
            new = [self._checked(Tag(creator=creator, name=name)) for key, name in wanted.items() if key not in known]
            if new and len(known) + len(new) > Tag.PER_CREATOR_MAX:
                raise ValidationError({"tags": _("At most %(max)d tags in all.") % {"max": Tag.PER_CREATOR_MAX}})
            Tag.objects.bulk_create(new)
            known |= {tag.name.casefold(): tag for tag in new}
        return [known[key] for key in wanted]

    def names_by_fan(self, fans: "Iterable[Fan]") -> dict[int, list[str]]:
        """The names of the tags of each of ``fans`` that has any, by the fan's key."""
        names: dict[int, list[str]] = {}
        keys = [fan.pk for fan in fans]
        if keys:
            # A statement for one fan, two, four, eight and so on; the last fan is named until there are as many.
            places = 1 << (len(keys) - 1).bit_length()
            keys += keys[-1:] * (places - len(keys))
            for fan, name in _worn_by(places)(**{f"fan{place}": key for place, key in enumerate(keys)}):
                names.setdefault(fan, []).append(name)
        return names

    def wear(self, fan: "Fan", names: Iterable[str]) -> None:
        """The fan has the tags of these names and no other. Raises ValidationError by "tags"."""
        tags = self.named(fan.creator, names)
        if len(tags) > Tag.PER_FAN_MAX:
            raise ValidationError({"tags": _("At most %(max)d tags on one fan.") % {"max": Tag.PER_FAN_MAX}})
        FanTag.objects.filter(fan=fan).exclude(tag__in=tags).delete()
        FanTag.objects.bulk_create([FanTag(fan=fan, tag=tag) for tag in tags], ignore_conflicts=True)

    def add(self, creator: Creator, *, name: str) -> "Tag":
        """A new tag. Raises ValidationError by column."""
        tag = Tag(creator=creator)
        tag.rename(name)
        return tag

    def _checked(self, tag: "Tag") -> "Tag":
        try:
            tag.full_clean(exclude=["creator"], validate_unique=False, validate_constraints=False)
        except ValidationError as error:
            raise ValidationError({"tags": error.messages}) from None
        return tag


class Tag(models.Model):
    """A word that a creator's team puts on fans; two that differ in case only are the same word."""

    NAME_MAX = 60
    PER_FAN_MAX, PER_CREATOR_MAX = 50, 500

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

    def rename(self, name: str) -> None:
        """Raises ValidationError by column."""
        with transaction.atomic():
            self.name = name
            check_named(self)
            self.save()

    def put_on(self, fans: "Iterable[Fan]") -> None:
        """These fans, of the tag's creator, have it. Raises ValidationError when one of them has too many."""
        fans = list(fans)
        with transaction.atomic():
            seq = Line.objects.stamp(self.creator_id)
            others = FanTag.objects.filter(fan__in=fans).exclude(tag=self).values("fan")
            if others.annotate(how_many=models.Count("pk")).filter(how_many__gte=Tag.PER_FAN_MAX).exists():
                raise ValidationError({"tags": _("At most %(max)d tags on one fan.") % {"max": Tag.PER_FAN_MAX}})
            FanTag.objects.bulk_create([FanTag(fan=fan, tag=self) for fan in fans], ignore_conflicts=True)
            self._tell(fans, seq)

    def take_off(self, fans: "Iterable[Fan]") -> None:
        """These fans do not have it."""
        fans = list(fans)
        with transaction.atomic():
            seq = Line.objects.stamp(self.creator_id)
            FanTag.objects.filter(tag=self, fan__in=fans).delete()
            self._tell(fans, seq)

    def merge_into(self, other: "Tag") -> None:
        """Whoever has this tag has ``other``, of the same creator, and this one goes."""
        if other.creator_id != self.creator_id or other.pk == self.pk:
            raise ValidationError({"into": _("Another tag of the same creator.")})
        with transaction.atomic():
            Line.objects.stamp(self.creator_id)
            worn = FanTag.objects.filter(tag=other, fan=models.OuterRef("fan"))
            self.fan_tags.exclude(models.Exists(worn)).update(tag=other)
            for segment in self._used_in():
                segment.rule = json.loads(json.dumps(segment.rule).replace(str(self.public_id), str(other.public_id)))
                segment.save(update_fields=["rule", "updated_at"])
            self.delete()

    def remove(self) -> None:
        """Take it off everybody, and away. Raises TagInUse: without it a segment's rule would mean other people."""
        with transaction.atomic():
            Line.objects.stamp(self.creator_id)
            if used_in := self._used_in():
                names = ", ".join(segment.name for segment in used_in)
                raise TagInUse(
                    _("Segments choose by this tag: %(names)s. Merge it, or change them.") % {"names": names}
                )
            self.delete()

    def _used_in(self) -> "list[Segment]":
        return [segment for segment in self.creator.segments.all() if str(self.public_id) in json.dumps(segment.rule)]

    def _tell(self, fans: "list[Fan]", seq: int) -> None:
        for fan in fans:
            fan.tell(seq)


class FanTag(models.Model):
    """This fan has this tag."""

    fan = models.ForeignKey("crm.Fan", on_delete=models.CASCADE, related_name="fan_tags")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="fan_tags")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fan", "tag"], name="tag_once_per_fan")]

    def __str__(self) -> str:
        return f"{self.fan} · {self.tag}"


@lru_cache(16)
def _worn_by(how_many: int) -> Prepared[Any]:
    """What so many fans wear: (fan, name of the tag)."""
    fans: list[Any] = [Given(f"fan{place}") for place in range(how_many)]
    worn = FanTag.objects.filter(fan__id__in=fans).order_by("tag__name", "tag_id")
    return Prepared(lambda: worn.values_list("fan_id", "tag__name"))
