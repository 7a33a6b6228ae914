"""The people who follow a creator."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import ProhibitNullCharactersValidator, RegexValidator
from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Coalesce, Least, Lower
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.models.creators import Creator, Platform, visible_to
from crm.models.lines import Line
from crm.models.tags import Tag
from crm.searching import SearchText, SortText

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class Subscription(models.TextChoices):
    """What is known of a fan's subscription. Nothing is known of who came in by CSV without that column."""

    UNKNOWN = "", _("Not known")
    ACTIVE = "active", _("Active")
    EXPIRED = "expired", _("Expired")
    NEVER = "never", _("Never subscribed")


class FanQuerySet(models.QuerySet["Fan"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))

    def of_platform_id(self, *platform_ids: str) -> Self:
        """Those with one of these ids."""
        # The exclusion says to SQLite that the unique index, which leaves out the empty ones, has them all.
        return self.filter(platform_id__in=platform_ids).exclude(platform_id="")

    def of_handle(self, handle: str) -> Self:
        """Those of this handle, in any case, of whom no platform id is known yet."""
        return self.alias(lower_handle=Lower("handle")).filter(lower_handle=Lower(models.Value(handle)), platform_id="")

    def learn_subscription(
        self,
        subscription: str,
        *,
        as_of: datetime,
        price_cents: int | None = None,
        ends_at: datetime | None = None,
    ) -> int:
        """Write how their subscriptions stood at ``as_of``, unless something newer is known; the answer is how many.

        A price or an end of None is not known and leaves what was.
        """
        changes: dict[str, Any] = {"subscription": subscription, "subscription_as_of": as_of}
        if price_cents is not None:
            changes["subscription_price_cents"] = price_cents
        if ends_at is not None:
            changes["subscription_ends_at"] = ends_at
        return self.filter(Q(subscription_as_of__isnull=True) | Q(subscription_as_of__lte=as_of)).update(**changes)

    def joined(self, at: datetime) -> int:
        """They follow since ``at`` at the latest."""
        return self.update(joined_at=Least(Coalesce("joined_at", at), at))

    def known_as(self, creator: Creator, *, platform: str, platform_id: str = "", handle: str = "") -> "Fan | None":
        """The creator's fan of this identity: with this id, else the one with this handle of whom no id is known."""
        there = self.filter(creator=creator, platform=platform)
        known = there.of_platform_id(platform_id).first()
        if known or not handle:
            return known
        return there.of_handle(handle).first()

    def add(self, creator: Creator, **values: Any) -> "Fan":
        """A new fan; ``values`` as ``Fan.change`` takes them. Raises ValidationError by column."""
        fan = Fan(creator=creator, platform=values.pop("platform", None) or creator.platform)
        fan.change(**values)
        return fan


class Fan(models.Model):
    """A person who follows a creator: (creator, platform, platform id), else (creator, platform, lower-case handle)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="fans")
    platform = models.CharField(max_length=16, choices=Platform, default=Platform.ONLYFANS)
    platform_id = models.CharField(
        max_length=64,
        blank=True,
        validators=[RegexValidator(r"^[!-~]+$", _("An id has no spaces and only plain letters, digits and signs."))],
        help_text=_("The fan's id at the platform. Without it the fan cannot be written to."),
    )
    handle = models.CharField(max_length=120, blank=True, validators=[ProhibitNullCharactersValidator()])
    name = models.CharField(max_length=200, blank=True, validators=[ProhibitNullCharactersValidator()])
    email = models.EmailField(blank=True)
    value_cents = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text=_("Lifetime value in cents of the creator's currency: what was stated, plus the money since then."),
    )
    stated_value_cents = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("What an import or a person said the fan had spent, in cents.")
    )
    stated_value_at = models.DateTimeField(null=True, blank=True, help_text=_("As of when that was said."))
    subscription = models.CharField(max_length=8, choices=Subscription, default=Subscription.UNKNOWN, blank=True)
    subscription_price_cents = models.PositiveIntegerField(null=True, blank=True)
    subscription_ends_at = models.DateTimeField(null=True, blank=True)
    subscription_as_of = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="As of when that is known: older news changes nothing."
    )
    joined_at = models.DateTimeField(null=True, blank=True)
    last_seen_at = models.DateTimeField(null=True, blank=True)
    last_purchase_at = models.DateTimeField(null=True, blank=True)
    is_priority = models.BooleanField(default=False, help_text=_("Shown among the priority fans of the inbox."))
    blocked_at = models.DateTimeField(null=True, blank=True, help_text=_("Nothing is sent to a blocked fan."))
    search_text = SearchText(of=["name", "handle", "platform_id"], help_text="Their words, folded for searching.")
    sort_name = SortText(of=["name", "handle", "platform_id"], max_length=80)
    tags: models.ManyToManyField = models.ManyToManyField("crm.Tag", through="crm.FanTag", related_name="fans")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = FanQuerySet.as_manager()

    class Meta:
        indexes = [
            # The inbox list, priority fans only.
            models.Index(fields=["creator", "id"], condition=Q(is_priority=True), name="fan_of_priority"),
            # The list by each of its sortings; id makes every sorting total, so that paging neither skips nor repeats.
            models.Index(fields=["creator", "-value_cents", "-id"], name="fan_by_value"),
            models.Index(fields=["creator", "-last_seen_at", "-id"], name="fan_by_last_seen"),
            models.Index(fields=["creator", "-created_at", "-id"], name="fan_by_creation"),
            models.Index(fields=["creator", "sort_name", "id"], name="fan_by_name"),
            models.Index(fields=["creator", "-joined_at", "-id"], name="fan_by_joining"),
            models.Index(
                fields=["creator", "-last_purchase_at", "-id"],
                condition=Q(last_purchase_at__isnull=False),
                name="fan_by_last_purchase",
            ),
            models.Index(
                fields=["creator", "-subscription_ends_at", "-id"],
                condition=Q(subscription_ends_at__isnull=False),
                name="fan_by_subscription_end",
            ),
            # The list, newest first, of who is blocked: few.
            models.Index(
                fields=["creator", "-created_at", "-id"], condition=Q(blocked_at__isnull=False), name="fan_blocked"
            ),
            # The list, newest first, of those who pay for the subscription, and of those who have it for nothing.
            models.Index(
                fields=["creator", "-created_at", "-id"], condition=Q(subscription_price_cents__gt=0), name="fan_paying"
            ),
            models.Index(
                fields=["creator", "-created_at", "-id"], condition=Q(subscription_price_cents=0), name="fan_for_free"
            ),
            # How many came since, by when they joined or, where nobody knows, when we heard of them?
            models.Index("creator", Coalesce("joined_at", "created_at"), name="fan_by_arrival"),
            # Who has this username? Files often know people by nothing else.
            models.Index("creator", "platform", Lower("handle"), name="fan_by_handle"),
        ]
        constraints = [
            models.UniqueConstraint(
                "creator",
                "platform",
                "platform_id",
                condition=~models.Q(platform_id=""),
                name="fan_once_per_platform_id",
            ),
            models.UniqueConstraint(
                "creator",
                "platform",
                Lower("handle"),
                condition=models.Q(platform_id="") & ~models.Q(handle=""),
                name="fan_once_per_handle_without_platform_id",
            ),
            models.CheckConstraint(
                condition=~models.Q(platform_id="") | ~models.Q(handle=""), name="fan_has_platform_id_or_handle"
            ),
        ]

    def __str__(self) -> str:
        return self.display_name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """What is derived from columns is written whenever some columns are."""
        if update_fields is not None:
            update_fields = {*update_fields, "search_text", "sort_name"}
        super().save(*args, update_fields=update_fields, **options)

    @property
    def display_name(self) -> str:
        return self.name or self.handle or self.platform_id

    @property
    def is_reachable(self) -> bool:
        """The platform knows people by id only: a fan known by handle alone cannot be written to."""
        return bool(self.platform_id)

    @property
    def is_blocked(self) -> bool:
        return self.blocked_at is not None

    def clean(self) -> None:
        self.handle = self.handle.strip().removeprefix("@")
        self.name = self.name.strip()
        self.platform_id = self.platform_id.strip()
        if not self.platform_id and not self.handle:
            raise ValidationError({"platform_id": _text("A fan has an id at the platform or a handle, or both.")})
        twin = Fan.objects.exclude(pk=self.pk).known_as(
            self.creator, platform=self.platform, platform_id=self.platform_id, handle=self.handle
        )
        if twin and (twin.platform_id or not self.platform_id):
            named = "platform_id" if self.platform_id else "handle"
            raise ValidationError({named: ValidationError(_text("There is a fan with it already."), code="taken")})
        if twin:
            words = _text("There is a fan with this handle and no id: give that one the id.")
            raise ValidationError({"handle": ValidationError(words, code="taken")})

    def change(self, *, now: datetime | None = None, **values: Any) -> None:
        """Write these columns and nothing else of the row; also ``is_blocked``, ``value_cents`` and ``tags`` (names).

        ``value_cents`` states what the fan had spent until ``now``; None takes such a statement back. Raises
        ValidationError by column, and has then changed nothing.
        """
        now, tags = now or database_now(), values.pop("tags", None)
        states_value = "value_cents" in values
        if states_value:
            stated = values.pop("value_cents")
            values |= {"stated_value_cents": stated, "stated_value_at": None if stated is None else now}
        if "subscription" in values:
            values["subscription_as_of"] = now
        if "is_blocked" in values:
            values["blocked_at"] = (self.blocked_at or now) if values.pop("is_blocked") else None
        with transaction.atomic():
            # The line first, as everywhere: of two that add the same fan the second one finds the first one's.
            seq = Line.objects.stamp(self.creator_id)
            for column, value in values.items():
                setattr(self, column, value)
            self.full_clean(exclude=["creator"], validate_unique=False, validate_constraints=False)
            self.save(update_fields=None if self._state.adding else values)
            if tags is not None:
                Tag.objects.wear(self, tags)
            if states_value:
                self.transactions.recount_fans([self.pk])
                self.refresh_from_db(fields=["value_cents", "last_purchase_at"])
            self.tell(seq)

    def tell(self, seq: int) -> None:
        """The conversation shows who the fan is: what changed of the fan has changed there."""
        if conversation := getattr(self, "conversation", None):
            conversation.seq = seq
            conversation.save(update_fields=["seq"])
