"""One message to a frozen audience; ``crm/campaigning.py`` has the verbs.

draft ──▶ scheduled ──▶ running ◀──▶ paused      pause and cancel hold at the next gateway call
  │           │            │ ▲
  │           ▼            ▼ │ failed ones retried
  │      needs_review   completed                overdue by a quarter of an hour: a person decides
  ╰───────────┴──── any of them but completed ──▶ cancelled
"""

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Self
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
    ProhibitNullCharactersValidator,
)
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from crm.correlation import CORRELATION_ID_MAX
from crm.models.creators import Creator, visible_to
from crm.models.limits import TEXT_MAX
from crm.prepared import Given

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


class CampaignStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    SCHEDULED = "scheduled", _("Scheduled")
    RUNNING = "running", _("Running")
    PAUSED = "paused", _("Paused")
    NEEDS_REVIEW = "needs_review", _("Needs review")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")


#: Where a campaign may go; the drawing above, as a table.
CAMPAIGN_MOVES: Mapping[str, frozenset[str]] = {
    CampaignStatus.DRAFT: frozenset({CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.SCHEDULED: frozenset(
        {CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.NEEDS_REVIEW, CampaignStatus.CANCELLED}
    ),
    CampaignStatus.NEEDS_REVIEW: frozenset({CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.RUNNING: frozenset({CampaignStatus.PAUSED, CampaignStatus.COMPLETED, CampaignStatus.CANCELLED}),
    CampaignStatus.PAUSED: frozenset({CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.COMPLETED: frozenset({CampaignStatus.RUNNING}),
}
#: The messages of these do not go.
HELD = (CampaignStatus.PAUSED, CampaignStatus.NEEDS_REVIEW, CampaignStatus.CANCELLED)
#: Nothing was sent yet, so it may still be written differently.
EDITABLE = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED, CampaignStatus.NEEDS_REVIEW)
REASON_MAX = 300


class IllegalCampaignMove(Exception):
    """The campaign is not in a state from which this is possible. The words are for a person."""


class CampaignQuerySet(models.QuerySet["Campaign"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))

    def held(self, now: datetime | Given) -> Self:
        """Campaigns none of whose messages may go at this moment: stopped by somebody, or in their quiet hours."""
        return self.filter(Q(status__in=HELD) | Q(held_until__gt=now))

    def to_serve(self, now: datetime) -> Self:
        """Campaigns that dispatch has to look at: running ones, and scheduled ones whose time has come."""
        return self.filter(
            Q(status=CampaignStatus.RUNNING) | Q(status=CampaignStatus.SCHEDULED, scheduled_at__lte=now)
        ).order_by("id")


class Campaign(models.Model):
    """One message template for many fans. Launching freezes its recipients; each gets at most one message row."""

    Status = CampaignStatus

    NAME_MAX = 120
    RECIPIENTS_MAX = 100_000
    #: Behind everything that a person writes to one fan.
    PRIORITY = 1

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="campaigns")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    name = models.CharField(max_length=NAME_MAX, validators=[ProhibitNullCharactersValidator()])
    text = models.TextField(validators=[MaxLengthValidator(TEXT_MAX), ProhibitNullCharactersValidator()])
    price_cents = models.PositiveIntegerField(default=0)
    audience = models.JSONField(default=dict, blank=True, help_text="Which fans; crm/audiences.py reads it.")
    exclusions = models.JSONField(default=dict, blank=True, help_text="Who of them is left out, and why.")
    quiet_from = models.TimeField(
        null=True, blank=True, help_text=_("From then on nothing goes out, by the creator's clock.")
    )
    quiet_until = models.TimeField(null=True, blank=True)
    pause_at_error_percent = models.PositiveSmallIntegerField(
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_("It pauses by itself when more than this share of its messages fails."),
    )
    status = models.CharField(max_length=12, choices=CampaignStatus, default=CampaignStatus.DRAFT)
    reason = models.CharField(max_length=REASON_MAX, blank=True, help_text=_("Why it is paused or needs a look."))
    held_until = models.DateTimeField(null=True, blank=True, help_text="The end of the quiet hours it is in.")
    scheduled_at = models.DateTimeField(null=True, blank=True)
    launched_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The error rate is that of the messages since a person last said “go”.
    judged_failed = models.PositiveIntegerField(default=0, editable=False)
    judged_settled = models.PositiveIntegerField(default=0, editable=False)
    correlation_id = models.CharField(
        max_length=CORRELATION_ID_MAX,
        blank=True,
        editable=False,
        help_text="Of the request that launched or scheduled it; its messages carry it on.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["creator", "-created_at", "-id"], name="campaign_list"),
            # Which campaigns does dispatch look at?
            models.Index(
                fields=["status", "scheduled_at"],
                condition=Q(status__in=["scheduled", "running"]),
                name="campaign_to_serve",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_until__isnull=True)
                | Q(quiet_from__isnull=False, quiet_until__isnull=False),
                name="campaign_quiet_hours_have_both_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def media_urls(self) -> list[str]:
        return [attachment.url for attachment in self.attachments.all()]

    def is_held(self, now: datetime) -> bool:
        """Whether none of its messages may go at this moment, as ``held`` finds them."""
        return self.status in HELD or (self.held_until is not None and self.held_until > now)

    def quiet_until_when(self, now: datetime) -> datetime | None:
        """When the quiet hours end that ``now`` is in, by the creator's clock; None outside of them.

        An end that the clock skips or shows twice (a change to or from summer time) is the first moment it can mean.
        """
        begin, end = self.quiet_from, self.quiet_until
        if begin is None or end is None or begin == end:
            return None
        local = now.astimezone(ZoneInfo(self.creator.timezone))
        if not _is_between(local.time(), begin, end):
            return None
        day = local.date() if local.time() < end else local.date() + timedelta(days=1)
        return datetime.combine(day, end, tzinfo=local.tzinfo).astimezone(UTC)

    def after_quiet_hours(self, start: datetime, needed: timedelta) -> datetime:
        """When ``needed`` of sending from ``start`` is done, if nothing is sent in the quiet hours."""
        at = self.quiet_until_when(start) or start
        while (quiet := self._next_quiet(at)) and quiet - at < needed:
            needed -= quiet - at
            at = self.quiet_until_when(quiet) or quiet
        return at + needed

    def _next_quiet(self, after: datetime) -> datetime | None:
        if self.quiet_from is None or self.quiet_from == self.quiet_until:
            return None
        local = after.astimezone(ZoneInfo(self.creator.timezone))
        today = datetime.combine(local.date(), self.quiet_from, tzinfo=local.tzinfo)
        begin = (
            today
            if today > local
            else datetime.combine(local.date() + timedelta(days=1), self.quiet_from, tzinfo=local.tzinfo)
        )
        return begin.astimezone(UTC)

    def move(
        self, to: str, *, only_from: Collection[str] = tuple(CampaignStatus), reason: str = "", **changes: Any
    ) -> None:
        """Compare-and-set from the status this object was read with, one of ``only_from``.

        Raises IllegalCampaignMove when the table of moves does not lead there, or somebody was faster.
        """
        words = {"name": self.name, "status": self.get_status_display(), "to": CampaignStatus(to).label}
        if to not in CAMPAIGN_MOVES.get(self.status, frozenset()) or self.status not in only_from:
            raise IllegalCampaignMove(_("“%(name)s” is %(status)s and cannot become %(to)s.") % words)
        changes |= {"status": to, "reason": reason[:REASON_MAX]}
        if not Campaign.objects.filter(pk=self.pk, status=self.status).update(**changes):
            raise IllegalCampaignMove(_("Somebody else has just changed “%(name)s”. Look again.") % words)
        for name, value in changes.items():
            setattr(self, name, value)


def _is_between(moment: time, begin: time, end: time) -> bool:
    return begin <= moment < end if begin < end else moment >= begin or moment < end


#: States of a recipient beside the statuses of its message: frozen without a row yet, and left out.
WAITING, EXCLUDED = "waiting", "excluded"


class TallyQuerySet(models.QuerySet["Tally"]):
    def moved(self, campaign_id: int, *, source: str, to: str, number: int = 1) -> None:
        """``number`` recipients went from one state to another. The caller's transaction moves the rows as well."""
        if number:
            self.filter(campaign_id=campaign_id, state=source).update(number=F("number") - number)
            if not self.filter(campaign_id=campaign_id, state=to).update(number=F("number") + number):
                self.create(campaign_id=campaign_id, state=to, number=number)

    def of(self, campaign_id: int) -> dict[str, int]:
        """Recipients by state; a state that nobody is in is missing."""
        return dict(self.filter(campaign_id=campaign_id, number__gt=0).values_list("state", "number"))


class Tally(models.Model):
    """How many recipients of a campaign are in one state. The numbers of a campaign add up to its audience."""

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="tallies")
    state = models.CharField(max_length=12)
    number = models.IntegerField(default=0)

    objects = TallyQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("tallies")
        constraints = [
            models.UniqueConstraint(fields=["campaign", "state"], name="tally_once_per_state"),
            models.CheckConstraint(condition=Q(number__gte=0), name="tally_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign}: {self.number} {self.state}"
