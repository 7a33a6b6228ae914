"""The life of a message. The row is the queue entry: nothing else remembers that it must go out."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import (
    MaxLengthValidator,
    MaxValueValidator,
    MinValueValidator,
    ProhibitNullCharactersValidator,
)
from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from crm.clock import LONG_AGO, database_now
from crm.correlation import CORRELATION_ID_MAX, current_correlation_id
from crm.models.campaigns import Campaign, CampaignStatus, Tally
from crm.models.creators import Creator, visible_to
from crm.models.days import Day
from crm.models.early import EarlyNews
from crm.models.limits import PRICE_MAX_CENTS, PRICE_MIN_CENTS, TEXT_MAX
from crm.models.lines import Line
from crm.prepared import Given, Prepared, PreparedUpdate
from crm.searching import SearchText

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User


log = structlog.get_logger(__name__)


class IllegalMove(Exception):
    """A status was asked to move where the table of moves does not lead."""


class StateForbids(Exception):
    """What a person asked for does not fit the message's state any more. The words are for that person."""


class Direction(models.TextChoices):
    IN = "in", _("From the fan")
    OUT = "out", _("To the fan")


class Status(models.TextChoices):
    RECEIVED = "received", _("Received")
    QUEUED = "queued", _("Waiting")
    HANDED_OVER = "handed_over", _("Handed over")
    SENDING = "sending", _("Sending")
    SENT = "sent", _("Sent")
    DELIVERED = "delivered", _("Delivered")
    READ = "read", _("Read")
    FAILED = "failed", _("Failed")
    UNKNOWN = "unknown", _("Outcome unknown")
    NEEDS_PERSON = "needs_person", _("Needs a person")
    CANCELLED = "cancelled", _("Cancelled")


#: Where a status may go. Everything else is a bug and is refused before the database is asked.
MOVES: Mapping[str, frozenset[str]] = {
    Status.QUEUED: frozenset({Status.HANDED_OVER, Status.CANCELLED, Status.FAILED}),
    Status.HANDED_OVER: frozenset({Status.SENDING, Status.QUEUED, Status.CANCELLED, Status.FAILED}),
    Status.SENDING: frozenset({Status.SENT, Status.QUEUED, Status.FAILED, Status.UNKNOWN}),
    Status.UNKNOWN: frozenset({Status.SENT, Status.FAILED, Status.NEEDS_PERSON, Status.QUEUED}),
    Status.NEEDS_PERSON: frozenset({Status.SENT, Status.FAILED, Status.QUEUED}),
    Status.SENT: frozenset({Status.DELIVERED, Status.READ}),
    Status.DELIVERED: frozenset({Status.READ}),
    Status.FAILED: frozenset({Status.QUEUED}),
}

IN_FLIGHT = (Status.HANDED_OVER, Status.SENDING)
UNSETTLED = (Status.QUEUED, *IN_FLIGHT, Status.UNKNOWN)
ON_THE_PLATFORM = (Status.SENT, Status.DELIVERED, Status.READ)
#: What answers a fan. A mass message does not.
ANSWERS = Q(direction=Direction.OUT, status__in=ON_THE_PLATFORM, campaign__isnull=True)
FOR_A_PERSON = (Status.FAILED, Status.UNKNOWN, Status.NEEDS_PERSON)
CANCELLABLE = (Status.QUEUED, Status.HANDED_OVER)
#: Nobody knows whether the platform has it.
OUTCOME_OPEN = (Status.UNKNOWN, Status.NEEDS_PERSON)
#: What holds the rest of its conversation: leaving it wakes the line.
_HOLDING = (*IN_FLIGHT, Status.UNKNOWN)

CAUSE_MAX = 300
PRIORITY_MIN, PRIORITY_MAX = 1, 10

# An unknown outcome holds the rest of its conversation this long at most (design, section 3, Order).
UNKNOWN_HOLDS_CONVERSATION = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Place:
    """How many go before a message, and since when the outcome of an earlier one is unknown, if one is."""

    before_it: int
    unknown_since: datetime | None


def _how_many(rows: "models.QuerySet[Message]") -> Subquery:
    return Subquery(rows.values("creator").annotate(how_many=Count("pk")).values("how_many"))


class MessageQuerySet(models.QuerySet["Message"]):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))

    def of_platform_id(self, platform_id: str) -> Self:
        """The one that the platform knows by this id."""
        # The exclusion says to SQLite that the unique index, which leaves out the empty ones, has it.
        return self.filter(platform_id=platform_id).exclude(platform_id="")

    def waiting(self) -> Self:
        return self.filter(status=Status.QUEUED)

    def in_flight(self) -> Self:
        # The lease is named, as one of any time, because SQLite matches a list of states to no partial index.
        return self.filter(status__in=IN_FLIGHT, lease_until__gt=LONG_AGO)

    def for_a_person(self) -> Self:
        """What does not go on by itself: failed, or nobody knows whether it was sent."""
        return self.filter(status__in=FOR_A_PERSON)

    def going(self, now: datetime) -> Self:
        """Without what its campaign holds back: stopped by somebody, or in its quiet hours."""
        return self.exclude(Exists(Campaign.objects.held(now).filter(pk=OuterRef("campaign_id"))))

    def in_line(self, creator_id: int, now: datetime) -> Self:
        """What waits in this creator's line, media uploaded, without what its campaigns hold back.

        These are looked up and named by id, so that the planner sees that the line's own order serves, however long the
        line is: ``going`` would lead it to read and sort the whole line.
        """
        ids = [campaign.pk for campaign in _HELD(creator_id=creator_id, now=now)]
        in_line = self.waiting_in_line(creator_id)
        return in_line.exclude(campaign__in=ids) if ids else in_line

    def waiting_in_line(self, creator_id: int | Given) -> Self:
        """The same, whatever campaigns hold back."""
        return self.waiting().filter(creator_id=creator_id, waits_for_media=False)

    def direct(self) -> Self:
        """What was written to this one fan; the rest belongs to a campaign."""
        return self.filter(campaign__isnull=True)

    def answers_after(self, seen: int, *, apart_from: "User | None") -> Self:
        """What others than ``apart_from`` wrote to the fan after the message of the key ``seen``, the newest first.

        Those of one creator become visible in its order, because every transaction locks the line first.
        """
        answers = self.direct().filter(direction=Direction.OUT, pk__gt=seen).exclude(status=Status.CANCELLED)
        others = answers.filter(~Q(author=apart_from) | Q(author=None)) if apart_from else answers
        return others.order_by("-id")

    def in_line_order(self) -> Self:
        return self.order_by("-priority", "send_at", "id")

    def front(self, creator_id: int, now: datetime) -> Self:
        """What this line may hand over now, best first: due, its media uploaded, held by no conversation or campaign.

        A message that is in flight holds the rest of its conversation. So does an earlier direct one that is being
        retried, waits for its media, or has an unknown outcome (for 15 minutes): a fan reads answers in the order they
        were written. Campaign messages hold nobody back.
        """
        return self.in_line(creator_id, now).free_to_go(now)

    def to_hand_over(self, creator_id: int, now: datetime, at_most: int) -> "list[Message]":
        """The first of the ``front``, with what handing over looks at and no more."""
        if _HELD(creator_id=creator_id, now=now):
            return list(self.front(creator_id, now).only(*_HANDING_OVER)[:at_most])
        return _front_of_line(at_most)(creator_id=creator_id, now=now)

    def next_due_at(self, creator_id: int, now: datetime) -> datetime | None:
        """When the first of what waits in this line is due; None when nothing does."""
        if _HELD(creator_id=creator_id, now=now):
            return self.in_line(creator_id, now).order_by("due_at").values_list("due_at", flat=True).first()
        return next((due_at for (due_at,) in _NEXT_DUE(creator_id=creator_id)), None)

    def free_to_go(self, now: datetime | Given) -> Self:
        """Due, and held back by nothing of its conversation."""
        others = Message.objects.filter(conversation=OuterRef("conversation"), direction=Direction.OUT)
        in_flight = others.filter(status__in=IN_FLIGHT)
        unknown = others.direct().unknown_and_holding(now)
        held_back = others.direct().filter(
            Q(due_at__gt=now) | Q(waits_for_media=True),
            Q(send_at__lt=OuterRef("send_at")) | Q(send_at=OuterRef("send_at"), id__lt=OuterRef("id")),
            status=Status.QUEUED,
        )
        return (
            self
            # Said the other way round, SQLite reads the whole line by due_at and sorts it.
            .exclude(due_at__gt=now)
            .exclude(Exists(in_flight))
            .exclude(Exists(unknown))
            .exclude(Q(campaign__isnull=True) & Exists(held_back))
            .in_line_order()
        )

    def unknown_and_holding(self, now: datetime | Given) -> Self:
        """Unknown outcomes young enough to hold the rest of their conversation."""
        return self.filter(status=Status.UNKNOWN, sending_at__gt=now - UNKNOWN_HOLDS_CONVERSATION)

    def places(self, now: datetime) -> "dict[int, Place]":
        """Where each of these messages stands in its line, by primary key. One query."""
        line = Message.objects.filter(creator=OuterRef("creator")).order_by()
        before_it = (
            line.waiting()
            .going(now)
            .filter(
                Q(priority__gt=OuterRef("priority"))
                | Q(priority=OuterRef("priority"), send_at__lt=OuterRef("send_at"))
                | Q(priority=OuterRef("priority"), send_at=OuterRef("send_at"), id__lt=OuterRef("id")),
                due_at__lte=now,
            )
        )
        unknown = Message.objects.filter(conversation=OuterRef("conversation")).unknown_and_holding(now)
        found = self.annotate(
            ahead=_how_many(before_it),
            handed_over=_how_many(line.filter(status=Status.HANDED_OVER)),
            unknown_since=Subquery(unknown.order_by("-sending_at").values("sending_at")[:1]),
        ).values_list("pk", "ahead", "handed_over", "unknown_since")
        return {pk: Place((ahead or 0) + (handed_over or 0), since) for pk, ahead, handed_over, since in found}

    def lease_lost(self, now: datetime) -> Self:
        """Messages whose holder has not been heard of for longer than the lease."""
        return self.in_flight().filter(lease_until__lt=now)


# What dispatch and workers ask for every message.

_HELD: Prepared[Campaign] = Prepared(
    lambda: (
        Campaign.objects.held(Given("now"))
        .filter(Exists(Message.objects.waiting().filter(campaign=OuterRef("pk"))), creator_id=Given("creator_id"))
        .only("pk")
    )
)


def _around() -> "models.QuerySet[Message, tuple[datetime | None, ...]]":
    """The moments of which ``Message.forget_days`` speaks."""
    thread = Message.objects.filter(conversation=OuterRef("conversation"))
    theirs, ours = thread.filter(direction=Direction.IN), thread.filter(ANSWERS)
    answered = Coalesce(
        Subquery(ours.filter(send_at__lt=OuterRef("send_at")).order_by("-send_at").values("send_at")[:1]), LONG_AGO
    )
    with_answer = Message.objects.annotate(answered=answered).annotate(
        asked=Subquery(theirs.filter(send_at__gt=OuterRef("answered")).order_by("send_at").values("send_at")[:1]),
        next=Subquery(theirs.filter(send_at__gt=OuterRef("send_at")).order_by("send_at").values("send_at")[:1]),
    )
    return with_answer.filter(pk=Given("pk")).values_list("send_at", "answered", "asked", "next")


_AROUND: Prepared[tuple[datetime | None, ...]] = Prepared(_around)
_NEXT_DUE: Prepared[tuple[datetime]] = Prepared(
    lambda: Message.objects.waiting_in_line(Given("creator_id")).order_by("due_at").values_list("due_at")[:1]
)
_TAKE_LEASE = PreparedUpdate(
    lambda: (
        Message.objects.filter(pk=Given("pk"), status=Status.HANDED_OVER, lease__isnull=True),
        {"lease": Given("lease"), "lease_until": Given("until")},
    )
)


@cache
def _writing(conditions: tuple[str, ...], changes: tuple[str, ...], *, is_leased: bool) -> PreparedUpdate:
    """Write these fields where these conditions hold, whose values are given with ``if_`` before their names.

    A program moves messages in a score of ways; each is worked out once.
    """
    known: dict[str, Any] = {name: Given(f"if_{name}") for name in conditions}
    if not is_leased:
        known["lease"] = None
    return PreparedUpdate(lambda: (Message.objects.filter(**known), {name: Given(name) for name in changes}))


_HANDING_OVER = (
    *("public_id", "creator", "conversation", "campaign", "status", "due_at", "correlation_id"),
    *("hand_overs", "lease", "lease_until"),
)


@cache
def _front_of_line(at_most: int) -> "Prepared[Message]":
    """The front of a line that no campaign holds anything of."""
    return Prepared(
        lambda: (
            Message.objects.waiting_in_line(Given("creator_id")).free_to_go(Given("now")).only(*_HANDING_OVER)[:at_most]
        )
    )


class Message(models.Model):
    """One text with optional price and media, in or out."""

    TEXT_MAX = TEXT_MAX
    PRICE_MIN_CENTS, PRICE_MAX_CENTS = PRICE_MIN_CENTS, PRICE_MAX_CENTS
    PRIORITY_MIN, PRIORITY_MAX = PRIORITY_MIN, PRIORITY_MAX

    Direction = Direction
    Status = Status

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # Several indexes below begin with these two.
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="messages", db_index=False)
    conversation = models.ForeignKey(
        "crm.Conversation", on_delete=models.CASCADE, related_name="messages", db_index=False
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    campaign = models.ForeignKey(Campaign, on_delete=models.RESTRICT, null=True, blank=True, related_name="messages")
    direction = models.CharField(max_length=3, choices=Direction, default=Direction.OUT)
    status = models.CharField(max_length=12, choices=Status, default=Status.QUEUED)
    text = models.TextField(validators=[MaxLengthValidator(TEXT_MAX), ProhibitNullCharactersValidator()])
    price_cents = models.PositiveIntegerField(default=0)
    priority = models.PositiveSmallIntegerField(
        default=PRIORITY_MAX, validators=[MinValueValidator(PRIORITY_MIN), MaxValueValidator(PRIORITY_MAX)]
    )
    client_key = models.UUIDField(
        null=True, blank=True, help_text="Chosen by the client: a request sent twice is one message."
    )
    correlation_id = models.CharField(
        max_length=CORRELATION_ID_MAX,
        blank=True,
        default=current_correlation_id,
        help_text="Of the request that caused it; every log line about this message carries it.",
    )
    seq = models.PositiveBigIntegerField(default=0)
    search_text = SearchText(of=["searched"], help_text="Its words, folded for searching.")

    send_at = models.DateTimeField(help_text="When it was meant to go; for a fan's message, when it was written.")
    due_at = models.DateTimeField(help_text="Not before.")
    waits_for_media = models.BooleanField(default=False)
    hand_overs = models.PositiveIntegerField(
        default=0, help_text="How often it was given to SQS since a worker last had it."
    )
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Starts whose worker died.")
    lease = models.UUIDField(null=True, blank=True, help_text="The worker that has it now.")
    lease_until = models.DateTimeField(null=True, blank=True)

    platform_id = models.CharField(max_length=64, blank=True, help_text="The message's id at the platform.")
    cause_code = models.CharField(max_length=40, blank=True)
    cause = models.CharField(max_length=CAUSE_MAX, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    sending_at = models.DateTimeField(null=True, blank=True, help_text="When the call to the platform began.")
    sent_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was last written that our message was sent or failed."
    )
    delivered_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    purchased_at = models.DateTimeField(null=True, blank=True, help_text="When the fan unlocked it.")
    deleted_at = models.DateTimeField(null=True, blank=True, help_text="When it disappeared from the platform.")
    reconcile_at = models.DateTimeField(null=True, blank=True, help_text="When the chat is read for this outcome next.")
    reconciliations = models.PositiveSmallIntegerField(default=0)
    absent_at = models.DateTimeField(
        null=True, blank=True, help_text="When the chat was first read to its end, late enough, without finding it."
    )

    objects = MessageQuerySet.as_manager()

    class Meta:
        indexes = [
            # What does this line hand over next?
            models.Index(
                fields=["creator", "-priority", "send_at", "id"],
                condition=Q(status=Status.QUEUED),
                name="message_front_of_line",
            ),
            # When must this line wake, and how many wait in it? With the state, or SQLite counts by another index.
            models.Index(
                fields=["creator", "status", "due_at"], condition=Q(status=Status.QUEUED), name="message_line_wakes"
            ),
            # What of this line is in flight? And, being short: whose lease ran out?
            models.Index(
                fields=["creator", "lease_until"], condition=Q(lease_until__isnull=False), name="message_in_flight"
            ),
            # Which outcomes must be looked up in the chat?
            models.Index(fields=["reconcile_at"], condition=Q(status=Status.UNKNOWN), name="message_to_reconcile"),
            # What of this conversation waits, is in flight, is unknown? Asked for each message at the front of a line.
            models.Index(fields=["conversation", "status"], name="message_state_in_thread"),
            # What needs a person, newest first?
            models.Index(
                fields=["creator", "-created_at", "-id"],
                condition=Q(status__in=FOR_A_PERSON),
                name="message_for_a_person",
            ),
            models.Index(
                fields=["creator", "conversation"],
                condition=Q(status__in=FOR_A_PERSON),
                name="message_thread_for_a_person",
            ),
            # When did this creator's calls begin (to rebuild a lost bucket)?
            models.Index(
                fields=["creator", "sending_at"], condition=Q(sending_at__isnull=False), name="message_calls_begun"
            ),
            # How many are in this state? And, on SQLite, whose conversations have any in one of these: it matches a
            # list of states to no partial index.
            models.Index(fields=["status", "creator", "conversation"], name="message_by_status"),
            # How many became sent or failed in these minutes?
            models.Index(fields=["settled_at"], condition=Q(settled_at__isnull=False), name="message_settled"),
            # What became of this creator's messages today, and when of the last one?
            models.Index(
                fields=["creator", "settled_at", "status"],
                condition=Q(settled_at__isnull=False),
                name="message_settled_of_creator",
            ),
            # How many did people write in these minutes?
            models.Index(fields=["created_at"], condition=Q(direction=Direction.OUT), name="message_written"),
            # What did fans write, and when (reply times)?
            models.Index(fields=["creator", "send_at"], condition=Q(direction=Direction.IN), name="message_received"),
            # The thread, newest first.
            models.Index(fields=["conversation", "-send_at", "-id"], name="message_thread"),
            # What changed since?
            models.Index(fields=["creator", "seq"], name="message_changes"),
            # What became of this campaign?
            models.Index(
                fields=["campaign", "status", "id"], condition=Q(campaign__isnull=False), name="message_of_campaign"
            ),
            # How many bought what this campaign offered?
            models.Index(
                fields=["campaign"],
                condition=Q(campaign__isnull=False, purchased_at__isnull=False),
                name="message_bought_of_campaign",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["creator", "platform_id"], condition=~Q(platform_id=""), name="message_once_per_platform_id"
            ),
            models.UniqueConstraint(
                fields=["creator", "client_key"],
                condition=Q(client_key__isnull=False),
                name="message_once_per_client_key",
            ),
            models.UniqueConstraint(
                fields=["campaign", "conversation"],
                condition=Q(campaign__isnull=False),
                name="message_once_per_campaign_and_fan",
            ),
            models.CheckConstraint(
                condition=Q(price_cents=0)
                | Q(price_cents__gte=PRICE_MIN_CENTS, price_cents__lte=PRICE_MAX_CENTS)
                | Q(direction=Direction.IN),
                name="message_price_in_range",
            ),
            models.CheckConstraint(
                condition=Q(priority__gte=PRIORITY_MIN, priority__lte=PRIORITY_MAX), name="message_priority_in_range"
            ),
            models.CheckConstraint(
                condition=Q(direction=Direction.IN, status=Status.RECEIVED)
                | (Q(direction=Direction.OUT) & ~Q(status=Status.RECEIVED)),
                name="message_status_fits_direction",
            ),
            models.CheckConstraint(
                condition=~Q(status__in=IN_FLIGHT) | Q(lease_until__isnull=False), name="message_in_flight_has_a_lease"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=ON_THE_PLATFORM) | Q(sent_at__isnull=False), name="message_sent_has_a_time"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_direction_display()} · {self.get_status_display()} · {self.public_id}"

    @property
    def searched(self) -> str:
        """What it is found by. A mass message by nothing: it would be found once for each of its fans."""
        return "" if self.campaign_id else self.text

    def clean(self) -> None:
        if not self.text.strip():
            raise ValidationError({"text": _text("Write something: the message is empty.")})
        priced = self.direction == Direction.OUT and self.price_cents
        if priced and not self.PRICE_MIN_CENTS <= self.price_cents <= self.PRICE_MAX_CENTS:
            raise ValidationError({"price_cents": _text("A price is 0, or from $3 to $200.")})

    def forget_days(self) -> None:
        """It now stands in its thread: the days whose reply times that changes are counted anew.

        Its own, that of our last answer before it, that of what the fan wrote first since then, and that of what the
        fan wrote next. With the line locked.
        """
        [moments] = _AROUND(pk=self.pk)
        Day.objects.forget(self.creator_id, moments)

    def move(self, to: str, *, provided: Mapping[str, Any] | None = None, **changes: Any) -> bool:
        """Compare-and-set from the status and lease this object was read with; False when somebody was faster.

        ``provided`` adds conditions that must hold at that very moment; ``changes`` are plain values that are written
        along. A False answer changed nothing. Raises IllegalMove when the table of moves does not lead there.
        """
        if to not in MOVES.get(self.status, frozenset()):
            raise IllegalMove(f"{self.status} → {to}")
        changes |= {"status": to}
        with transaction.atomic():
            if to == Status.QUEUED or (self.status in _HOLDING and to not in _HOLDING):
                # It waits again, or it no longer holds back the rest of its conversation.
                changes["seq"] = Line.objects.wake(self.creator_id, at=changes.get("due_at", self.due_at))
            else:
                changes["seq"] = Line.objects.stamp(self.creator_id)
            if to in (Status.SENT, Status.FAILED):
                # With the line locked, and so in commit order: what counts by time misses none.
                changes["settled_at"] = database_now()
            if not self._compare_and_set(provided or {}, changes):
                transaction.set_rollback(True)
                return False
            if self.campaign_id:
                Tally.objects.moved(self.campaign_id, source=self.status, to=to)
            elif to == Status.SENT:
                self.forget_days()
            for name, value in changes.items():
                setattr(self, name, value)
            if platform_id := changes.get("platform_id"):
                EarlyNews.objects.come_true(self, platform_id)
        return True

    def _compare_and_set(self, provided: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
        """Write, if status and lease are what this object was read with."""
        conditions = {**provided, "pk": self.pk, "status": self.status, "lease": self.lease}
        write = _writing(tuple(conditions), tuple(changes), is_leased=self.lease is not None)
        return bool(write(**{f"if_{name}": value for name, value in conditions.items()}, **changes))

    def hand_over(self, *, until: datetime) -> bool:
        """Give it to the queue; whoever finds it there may lease it before ``until``."""
        return self.move(Status.HANDED_OVER, lease=None, lease_until=until, hand_overs=self.hand_overs + 1)

    def take_lease(self, *, until: datetime, lease: uuid.UUID | None = None) -> bool:
        """Become the one worker, or person, that has it; False for the second copy that the queue delivered.

        ``lease`` names a person who has it, over several requests; a worker's is made up.
        """
        lease = lease or uuid.uuid4()
        taken = _TAKE_LEASE(pk=self.pk, lease=lease, until=until)
        if taken:
            self.status, self.lease, self.lease_until = Status.HANDED_OVER, lease, until
        return bool(taken)

    def back_to_queue(self, *, cause_code: str = "", cause: str = "", **changes: Any) -> bool:
        """Let it wait again, its lease given up. No attempt is lost, and a worker did take it, so SQS is not slow."""
        given_up: dict[str, Any] = {"lease": None, "lease_until": None, "hand_overs": 0}
        return self.move(Status.QUEUED, cause_code=cause_code, cause=cause[:CAUSE_MAX], **(given_up | changes))

    def settle(self, to: str, *, cause_code: str = "", cause: str = "", **changes: Any) -> bool:
        """Write the outcome and give the lease up. ``cause`` is for a person to read."""
        return self.move(to, lease=None, lease_until=None, cause_code=cause_code, cause=cause[:CAUSE_MAX], **changes)

    def is_known_as(self, platform_id: str) -> None:
        """It went out by hand, and this is it on the platform."""
        if Message.objects.filter(pk=self.pk, platform_id="").update(platform_id=platform_id):
            self.platform_id = platform_id
            EarlyNews.objects.come_true(self, platform_id)

    def disappear(self, *, at: datetime) -> None:
        """It was deleted on the platform. The row stays and says so; a fan's unread message counts no more."""
        with transaction.atomic():
            seq = Line.objects.stamp(self.creator_id)
            if not Message.objects.filter(pk=self.pk, deleted_at__isnull=True).update(deleted_at=at, seq=seq):
                transaction.set_rollback(True)
                return
            if self.direction == Direction.IN:
                self.conversation.forget_unread(self, seq=seq)
        self.deleted_at, self.seq = at, seq

    # --- What a person may do

    def retry(self, *, by: "User | None", not_sent: bool = False) -> None:
        """Let it go once more, at its old place in the conversation, its media uploaded anew.

        From ``failed``. From ``unknown`` and ``needs_person`` only if ``by`` says that it was ``not_sent``: nobody else
        can know. ``by`` is None for an operator at the terminal. Raises StateForbids.
        """
        with self._locked():
            if self.status not in FOR_A_PERSON:
                raise StateForbids(self._words(_text("Only what failed can be sent again.")))
            if self.status in OUTCOME_OPEN and not not_sent:
                raise StateForbids(self._words(_text("It may have been sent. Say that it was not, then it goes.")))
            cancelled = Campaign.objects.filter(status=CampaignStatus.CANCELLED)
            if self.campaign_id and cancelled.filter(pk=self.campaign_id).exists():
                # It would wait for ever: nothing of a cancelled campaign is handed over.
                raise StateForbids(self._words(_text("Its campaign is cancelled, so nothing of it goes any more.")))
            was, now = self.status, database_now()
            # The provider's ids may have been used up by the first call; uploading twice reaches no fan. Those that a
            # campaign lends are good for any number.
            own = self.attachments.none() if self.campaign_id else self.attachments.all()
            again = own.update(provider_media_id="", upload_at=now, attempts=0)
            self.move(
                Status.QUEUED,
                due_at=now,
                priority=self.conversation.keep_order(self),
                waits_for_media=bool(again),
                attempts=0,
                hand_overs=0,
                cause_code="",
                cause="",
                reconcile_at=None,
                reconciliations=0,
                absent_at=None,
            )
        self._done("sent again by a person", by, was=was)

    def cancel(self, *, by: "User | None") -> None:
        """Take it back before its call begins. Raises StateForbids."""
        with self._locked():
            if self.status not in CANCELLABLE:
                raise StateForbids(self._words(_text("Only what still waits can be cancelled.")))
            was = self.status
            self.settle(Status.CANCELLED, cause_code="cancelled", cause=gettext_noop("Cancelled before it was sent."))
        self._done("cancelled by a person", by, was=was)

    def it_was_sent(self, *, by: "User | None") -> None:
        """A person has seen it on the platform. Raises StateForbids."""
        with self._locked():
            if self.status not in OUTCOME_OPEN:
                raise StateForbids(self._words(_text("Its outcome is not open.")))
            was = self.status
            self.settle(
                Status.SENT,
                cause_code="seen_by_person",
                cause=gettext_noop("A person saw it on the platform."),
                sent_at=self.sending_at or database_now(),
                reconcile_at=None,
            )
        self._done("a person says that it was sent", by, was=was)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Read it again and keep everybody else from it, so that a person's word is about what is true now."""
        with transaction.atomic():
            seq = Line.objects.stamp(self.creator_id)
            self.refresh_from_db(from_queryset=Message.objects.select_for_update())
            self.seq = seq
            yield

    def _words(self, rule: str) -> str:
        return _text("The message's state is “%(state)s”. %(rule)s") % {
            "state": self.get_status_display(),
            "rule": rule,
        }

    def _done(self, what: str, by: "User | None", *, was: str) -> None:
        log.info(
            what,
            message=str(self.public_id),
            creator=self.creator_id,
            user=by.pk if by else None,
            was=str(was),
            now=str(self.status),
        )
