"""How a creator's account is reached, and what the platform told us."""

import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.correlation import CORRELATION_ID_MAX, current_correlation_id
from crm.keyring import open_sealed, seal
from crm.models import Creator, Line, PauseCause
from crm.naming import translate_names


class Provider(models.TextChoices):
    OFAPI = "ofapi", "onlyfansapi.com"
    OFAUTH = "ofauth", "OFAuth"
    ASSISTED = "assisted", _("A person sends by hand")
    LOG = "log", _("Log only")


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def with_events(self, now: datetime) -> Self:
        """Those with events that must be read now, those served longest ago first.

        Each is asked for the front of its own events, so how many wait behind it costs nothing. An EXISTS would be the
        plainer question, but PostgreSQL may answer it by reading all that waits.
        """
        front = WebhookEvent.objects.filter(connection=OuterRef("pk")).pending(now).values("due_at")[:1]
        return (
            self.alias(front=Subquery(front))
            .filter(front__isnull=False)
            .order_by(F("events_served_at").asc(nulls_first=True), "pk")
        )

    def events_in_flight(self, now: datetime) -> Counter[int]:
        """How many events of each of these workers have."""
        theirs = WebhookEvent.objects.filter(connection=OuterRef("pk")).in_flight(now).values("connection")
        counts = self.annotate(in_flight=Subquery(theirs.annotate(count=Count("pk")).values("count")))
        return Counter(dict(counts.filter(in_flight__gt=0).values_list("pk", "in_flight")))


class Connection(models.Model):
    """The way to one creator's account. The provider's key is stored encrypted; a platform password never is."""

    class State(models.TextChoices):
        CONNECTED = "connected", _("Connected")
        SESSION_LOST = "session_lost", _("Session lost")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.OneToOneField(Creator, on_delete=models.CASCADE, related_name="connection")
    provider = models.CharField(max_length=16, choices=Provider, default=Provider.OFAPI)
    account_id = models.CharField(max_length=120, blank=True, help_text=_("The account's id at the provider."))
    state = models.CharField(max_length=16, choices=State, default=State.CONNECTED)
    state_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="As of when: older news changes nothing."
    )
    sealed_api_key = models.TextField(blank=True, editable=False)
    sealed_webhook_secret = models.TextField(blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0, help_text=_("Calls in a row that never reached the provider."))
    sync_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When the next page of the account is read; empty: at once.")
    )
    sync_cursor = models.JSONField(default=dict, blank=True, editable=False, help_text="Where the reading is.")
    sync_failures = models.PositiveSmallIntegerField(default=0, editable=False)
    sync_trouble = models.CharField(max_length=300, blank=True, editable=False)
    synced_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Everything up to then has been read.")
    )
    fans_synced_at = models.DateTimeField(null=True, blank=True, editable=False)
    events_served_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When events of this account were last handed to workers."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        indexes = [
            # Whose chats are read next?
            models.Index(fields=["sync_at"], name="connection_to_sync"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account_id"], condition=~Q(account_id=""), name="connection_once_per_account"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.creator} · {self.get_provider_display()}"

    def reconnected(self, *, now: datetime) -> None:
        """A person has put the account right: send again."""
        self._connected(at=now)
        line, _created = Line.objects.get_or_create(creator_id=self.creator_id)
        line.resume(now=now)

    def came_back(self, *, at: datetime) -> None:
        """The provider has the account again since ``at``: send, unless a person has paused this creator."""
        self._connected(at=at)
        line, _created = Line.objects.get_or_create(creator_id=self.creator_id)
        line.resume(now=database_now(), only=PauseCause.SESSION_LOST)

    def lost(self, *, at: datetime) -> None:
        """The provider cannot act for the account since ``at``."""
        Connection.objects.filter(pk=self.pk).update(state=Connection.State.SESSION_LOST, state_at=at)

    def is_news(self, at: datetime) -> bool:
        """Whether nothing later is known of the account's state."""
        known: datetime | None = Connection.objects.values_list("state_at", flat=True).get(pk=self.pk)
        return known is None or known <= at

    def _connected(self, *, at: datetime) -> None:
        now = database_now()
        Connection.objects.filter(pk=self.pk).update(
            state=Connection.State.CONNECTED, state_at=at, failures=0, sync_at=now, sync_failures=0
        )

    @property
    def api_key(self) -> str:
        return self._open("api_key")

    @api_key.setter
    def api_key(self, secret: str) -> None:
        self.sealed_api_key = seal(secret, context=self._context("api_key")) if secret else ""

    @property
    def webhook_secret(self) -> str:
        return self._open("webhook_secret")

    @webhook_secret.setter
    def webhook_secret(self, secret: str) -> None:
        self.sealed_webhook_secret = seal(secret, context=self._context("webhook_secret")) if secret else ""

    def _open(self, field: str) -> str:
        sealed: str = getattr(self, f"sealed_{field}")
        return open_sealed(sealed, context=self._context(field)) if sealed else ""

    def _context(self, field: str) -> str:
        """Binds a sealed value to its place: copied into another row or field it cannot be opened."""
        return f"onlyfans_connection.{field}.{self.public_id}"


class ReadChat(models.Model):
    """How far a chat of the account has been read.

    Each by itself, because the list of chats moves while it is read: a chat that was passed over is read back to where
    it was left, whenever it comes into a reading again.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="read_chats", db_index=False)
    chat_id = models.CharField(max_length=64, help_text="The fan's platform id.")
    read_until = models.DateTimeField(help_text="Everything up to then has been read.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "chat_id"], name="read_chat_once")]

    def __str__(self) -> str:
        return f"{self.chat_id} · {self.read_until}"


class WebhookEventQuerySet(models.QuerySet["WebhookEvent"]):
    def pending(self, now: datetime) -> Self:
        """Events that must be read now, those due longest first."""
        return self.filter(read_at__isnull=True, due_at__lte=now).order_by("due_at", "id")

    def in_flight(self, now: datetime) -> Self:
        """Events that workers have: one that is to be read again is due sooner."""
        return self.filter(read_at__isnull=True, due_at__gt=now + self.model.AGAIN)


class WebhookEvent(models.Model):
    """What a provider posted, kept before anything is done about it. The same event twice is one row."""

    ATTEMPTS_MAX = 10
    #: How long a worker has an event, and after how long one that came too early is read again.
    LEASE, AGAIN = timedelta(seconds=30), timedelta(seconds=2)

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="events")
    event_key = models.CharField(max_length=128, help_text=_("The provider's event id, else the body's SHA-256."))
    body_hash = models.CharField(max_length=64, blank=True, editable=False)
    kind = models.CharField(max_length=64)
    payload = models.JSONField()
    due_at = models.DateTimeField(help_text=_("Not read before; moved on while a worker has it."))
    attempts = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=300, blank=True)
    correlation_id = models.CharField(
        max_length=CORRELATION_ID_MAX,
        blank=True,
        default=current_correlation_id,
        editable=False,
        help_text="Of the request that brought it.",
    )
    received_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True, blank=True)

    objects = WebhookEventQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "event_key"], name="webhook_event_once"),
        ]
        indexes = [
            # Which events of this account has nobody read yet? One of all accounts' events by time would be taken
            # for it: the planner believes that an account's come soon enough there, but not behind another's flood.
            models.Index(
                fields=["connection", "due_at", "id"],
                condition=Q(read_at__isnull=True),
                name="webhook_event_front",
            ),
            # Was this body posted before, under another id?
            models.Index(fields=["connection", "body_hash", "received_at"], name="webhook_event_of_body"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} · {self.public_id}"


class Tally(models.Model):
    """One row: how many messages there were ever, and until when they are counted and published."""

    counted_until = models.DateTimeField()
    queued = models.PositiveBigIntegerField(default=0)
    processed = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0.0, help_text="Of all calls together.")
    buckets = models.JSONField(default=dict, help_text="Calls by the upper bound of their seconds.")
    published_until = models.DateTimeField(help_text="CloudWatch has the minutes before.")
    publisher_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then one dispatcher publishes, and no other."
    )

    class Meta:
        verbose_name_plural = _("tally")
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="tally_is_one_row")]

    def __str__(self) -> str:
        return f"until {self.counted_until}"

    @classmethod
    def current(cls, *, begins: datetime) -> Self:
        """The row; the first time, counting ``begins`` there."""
        minute = begins.replace(second=0, microsecond=0)
        row, _created = cls.objects.get_or_create(pk=1, defaults={"counted_until": begins, "published_until": minute})
        return row


class Redrive(models.Model):
    """A person asked that dead letters go back to the queue. No page speaks to SQS: dispatch does it within seconds."""

    LIMIT_MAX = 1000

    asked_at = models.DateTimeField(default=database_now, editable=False)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, editable=False)
    limit = models.PositiveIntegerField(
        default=LIMIT_MAX,
        validators=[MinValueValidator(1), MaxValueValidator(LIMIT_MAX)],
        help_text=_("At most so many; from 1 to 1,000."),
    )
    begun_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    moved = models.PositiveIntegerField(null=True, blank=True, editable=False)
    trouble = models.CharField(max_length=300, blank=True, editable=False)

    class Meta:
        verbose_name = _("redrive of dead letters")
        verbose_name_plural = _("redrives of dead letters")
        indexes = [
            # What has nobody begun yet?
            models.Index(fields=["id"], condition=Q(begun_at__isnull=True), name="redrive_to_begin"),
        ]

    def __str__(self) -> str:
        return f"{self.asked_at:%Y-%m-%d %H:%M:%S} UTC"

    def begin(self, *, now: datetime) -> bool:
        """Of several dispatchers one does it."""
        return bool(Redrive.objects.filter(pk=self.pk, begun_at__isnull=True).update(begun_at=now))

    def end(self, *, now: datetime, moved: int, trouble: str) -> None:
        """Write what became of it; ``trouble`` is for a person to read."""
        Redrive.objects.filter(pk=self.pk).update(ended_at=now, moved=moved, trouble=trouble[:300])


translate_names("onlyfans")
