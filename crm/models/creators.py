"""The tenant: one account on one platform, and who may work for it."""

import uuid
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.pace import TEXT_MAX as PACE_MAX
from crm.pace import Allowance, pace_of, steady_interval, validate_pace
from crm.prepared import Given, Prepared

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class Platform(models.TextChoices):
    ONLYFANS = "onlyfans", "OnlyFans"
    FANSLY = "fansly", "Fansly"
    OTHER = "other", _("Other")


def timezones() -> list[str]:
    """The names to choose from, sorted; without those that mean something else on each machine, or nothing."""
    return sorted(available_timezones() - {"localtime", "Factory"})


def validate_timezone(name: str) -> None:
    if name not in timezones():
        raise ValidationError(_("There is no time zone of this name. Write it as in Europe/Paris."))


def visible_to(user: "User | AnonymousUser", creator: str = "creator__") -> Q:
    """What every ``for_user`` is made of: rows whose creator, looked up as ``creator``, this user is a member of.

    A key that is for one creator makes its user blind to all others.
    """
    visible = Q(**{f"{creator}memberships__user_id": user.pk})
    only = getattr(user, "only_creator_id", None)
    return visible & Q(**{f"{creator}memberships__creator_id": only}) if only else visible


class CreatorQuerySet(models.QuerySet["Creator"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        """The creators ``user`` is a member of. Being staff opens the admin, not somebody's inbox."""
        return self.filter(visible_to(user, ""))

    def sendable_by(self, user: "User | AnonymousUser") -> Self:
        """The creators in whose name ``user`` may write."""
        return self.filter(visible_to(user, ""), memberships__role__in=Membership.WRITERS)

    def managed_by(self, user: "User | AnonymousUser") -> Self:
        """The creators whose campaigns, imports and settings ``user`` may change, and whose open outcomes decide."""
        return self.filter(visible_to(user, ""), memberships__role__in=Membership.MANAGERS)

    def all_of(self, user: "User") -> "list[Creator]":
        """What ``for_user`` finds, by a statement that is worked out once: every list of the API begins with it."""
        only = getattr(user, "only_creator_id", None)
        return _OF_ONE_CREATOR(user=user.pk, creator=only) if only else _OF_ALL_CREATORS(user=user.pk)


class Creator(models.Model):
    """One account on one platform. Everything else in the ledger belongs to exactly one creator."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120)
    handle = models.CharField(max_length=120, blank=True)
    platform = models.CharField(max_length=16, choices=Platform, default=Platform.ONLYFANS)
    timezone = models.CharField(
        max_length=64, default="UTC", validators=[validate_timezone], help_text=_("As in Europe/Paris.")
    )
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Three capital letters, as in USD."))],
        help_text=_("ISO 4217. Lifetime values are in it; money in another currency is never added to them."),
    )
    pace = models.CharField(
        max_length=PACE_MAX,
        blank=True,
        validators=[validate_pace],
        help_text=_(
            "Messages/seconds, then caps: “10/60” is one message every 6.03 seconds and never more than 10 in any"
            " minute; “10/60, 250/86400” also never more than 250 in any day. Empty: the default of this installation."
        ),
    )
    quiet_from = models.TimeField(
        _("quiet from"),
        null=True,
        blank=True,
        help_text=_("New campaigns begin with these hours, by this creator's clock; each may have others."),
    )
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CreatorQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="creator_quiet_hours_have_both_ends",
                violation_error_message=_("Quiet hours need a beginning and an end."),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def change(self, **values: Any) -> None:
        """Write these columns (name, clock, pace, quiet hours) and nothing else. Raises ValidationError by column.

        A changed pace holds from the next message on; what was granted stays granted.
        """
        for column, value in values.items():
            setattr(self, column, value)
        self.clean_fields(exclude=[field.name for field in self._meta.fields if field.name not in values])
        self.validate_constraints()
        self.save(update_fields=values)

    def writers(self) -> "list[User]":
        """Who may write for this creator, by username: whom a conversation can be given to."""
        able = self.memberships.filter(role__in=Membership.WRITERS, user__is_active=True)
        return [membership.user for membership in able.select_related("user").order_by("user__username")]

    @property
    def zone(self) -> ZoneInfo:
        """The creator's clock; a name nobody knows reads as UTC rather than breaking what shows a time."""
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    @property
    def seconds_between_messages(self) -> float | None:
        """In the long run; None when the pace cannot be read, which holds this creator's line and nothing else."""
        try:
            return steady_interval(self.allowances)
        except ValidationError:
            return None

    @property
    def law(self) -> str:
        """The pace in force, as it is written."""
        return self.pace or settings.HUNTAZE_PACE

    @property
    def allowances(self) -> tuple[Allowance, ...]:
        return pace_of(self.pace)


class Membership(models.Model):
    """A user's role with a creator."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MANAGER = "manager", _("Manager")
        CHATTER = "chatter", _("Chatter")
        VIEWER = "viewer", _("Viewer")

    WRITERS = (Role.OWNER, Role.MANAGER, Role.CHATTER)
    MANAGERS = (Role.OWNER, Role.MANAGER)

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role, default=Role.CHATTER)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "creator"], name="membership_once_per_user_and_creator"),
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.creator} · {self.get_role_display()}"


#: Anybody, and anybody with a key that is for one creator.
_ANYBODY: Any = SimpleNamespace(pk=Given("user"))
_WITH_A_KEY: Any = SimpleNamespace(pk=Given("user"), only_creator_id=Given("creator"))
_OF_ALL_CREATORS = Prepared(lambda: Creator.objects.for_user(_ANYBODY))
_OF_ONE_CREATOR = Prepared(lambda: Creator.objects.for_user(_WITH_A_KEY))
