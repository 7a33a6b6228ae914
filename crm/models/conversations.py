"""The one thread between a creator and a fan."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from crm.clock import database_now
from crm.models.attachments import Attachment, content_errors
from crm.models.creators import Creator, visible_to
from crm.models.early import EarlyNews
from crm.models.fans import Fan
from crm.models.handling import LISTED_AT, Closing, HandledQuerySet, State
from crm.models.lines import Line
from crm.models.messages import Direction, Message, Status

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from crm.models.users import User

log = structlog.get_logger(__name__)

PREVIEW_LENGTH = 140
SCHEDULE_AHEAD_MAX = timedelta(days=366)


class FanNotReachable(ValidationError):
    """The fan has no platform id, so the platform has no address to send to."""


class AnsweredMeanwhile(Exception):
    """Somebody else has answered since the writer last looked. ``message`` is what they said last."""

    def __init__(self, message: Message) -> None:
        super().__init__(_("Somebody else has just answered this fan."))
        self.message = message


class WrittenMeanwhile(Exception):
    """The fan has written since somebody last looked."""

    def __init__(self) -> None:
        super().__init__(_("The fan has just written."))


class ConversationQuerySet(HandledQuerySet):
    def for_user(self, user: "User | AnonymousUser") -> Self:
        return self.filter(visible_to(user))

    def listed(self) -> Self:
        """What the inbox lists. A conversation begun by a campaign is not in it until the fan answers."""
        return self.filter(listed_at__isnull=False)

    def newest_first(self) -> Self:
        return self.listed().order_by("-listed_at", "-id")

    def with_fan(self, fan: Fan) -> "Conversation":
        """The conversation with this fan, begun now if there was none."""
        known = self.filter(fan=fan).first()
        if known:
            return known
        with transaction.atomic():
            # The line first, as everywhere: two that begin the same conversation must not wait for each other.
            Line.objects.stamp(fan.creator_id)
            conversation, _created = self.get_or_create(fan=fan, defaults={"creator_id": fan.creator_id})
        return conversation


class Conversation(models.Model):
    """The one thread between a creator and a fan."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    creator = models.ForeignKey(Creator, on_delete=models.CASCADE, related_name="conversations")
    fan = models.OneToOneField(Fan, on_delete=models.CASCADE, related_name="conversation")
    last_message_at = models.DateTimeField(null=True, blank=True, help_text="Of what the list shows; null: not in it.")
    last_text = models.CharField(max_length=PREVIEW_LENGTH, blank=True)
    last_direction = models.CharField(max_length=3, choices=Direction, blank=True)
    unread_count = models.PositiveIntegerField(default=0)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="assigned_conversations",
    )
    closed_at = models.DateTimeField(null=True, blank=True, help_text="Dealt with, until the fan writes again.")
    snoozed_until = models.DateTimeField(
        null=True, blank=True, help_text="Out of the list until then. A moment that is past has ended by itself."
    )
    listed_at = models.GeneratedField(
        expression=LISTED_AT,
        output_field=models.DateTimeField(null=True),
        db_persist=True,
        help_text="Where it stands in the list: at its last message, or where a snooze ends that is later.",
    )
    seq = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        indexes = [
            # Every conversation, newest first: the API and the admin.
            models.Index(fields=["creator", "-last_message_at", "-id"], name="conversation_list"),
            # The inbox list, mine only. Of two that seem as good to SQLite it takes the one that was there first.
            models.Index(
                fields=["assigned_to", "creator", "-listed_at", "-id"],
                condition=Q(assigned_to__isnull=False, closed_at__isnull=True),
                name="conversation_assigned",
            ),
            # The inbox list, newest first. The others end in the key, too: else SQLite would take this one for them.
            models.Index(
                fields=["creator", "-listed_at", "-id"], condition=Q(closed_at__isnull=True), name="conversation_open"
            ),
            # The inbox list, unread only.
            models.Index(
                fields=["creator", "-listed_at", "-id"], condition=Q(unread_count__gt=0), name="conversation_unread"
            ),
            # The inbox list, what waits for an answer only.
            models.Index(
                fields=["creator", "-listed_at", "-id"],
                condition=Q(last_direction=Direction.IN, closed_at__isnull=True),
                name="conversation_unanswered",
            ),
            # The inbox list, closed only.
            models.Index(
                fields=["creator", "-listed_at", "-id"],
                condition=Q(closed_at__isnull=False),
                name="conversation_closed",
            ),
            # The inbox list, snoozed only. Which snooze ended last?
            models.Index(
                fields=["creator", "snoozed_until"],
                condition=Q(snoozed_until__isnull=False),
                name="conversation_snoozed",
            ),
            # What changed since?
            models.Index(fields=["creator", "seq"], name="conversation_changes"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | Q(snoozed_until__isnull=True),
                name="conversation_closed_or_snoozed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.creator} ↔ {self.fan}"

    def queue(
        self,
        *,
        text: str,
        author: "User | None",
        price_cents: int = 0,
        media_urls: Sequence[str] = (),
        priority: int = Message.PRIORITY_MAX,
        send_at: datetime | None = None,
        client_key: uuid.UUID | None = None,
        seen: int | None = None,
        undo_within: timedelta = timedelta(),
    ) -> Message:
        """Write an outgoing message: the only way one is born. It goes out when its turn comes.

        ``send_at`` schedules it (aware); None or a past moment means now. The same ``client_key`` twice gives the
        creator's first message with it back, whatever the second one said. ``seen`` is the key of the newest
        message that the author has seen, 0 for none: when somebody else has answered after it, AnsweredMeanwhile is
        raised and nothing is written.
        What goes now waits ``undo_within`` so that its author can take it back; its place in the order is that of now.
        Raises FanNotReachable, or ValidationError by field (text, price_cents, media_urls, priority, send_at).
        """
        if not self.fan.is_reachable:
            raise FanNotReachable(
                {"recipient": _("This fan has no platform id yet, so the platform has no address to send to.")}
            )
        with transaction.atomic():
            # With the line locked: of two that write at once the one who reads the clock first also commits first.
            Line.objects.stamp(self.creator_id)
            now = database_now()
            send_at = max(send_at, now) if send_at else now
            message = Message(
                creator_id=self.creator_id,
                conversation=self,
                author=author,
                text=text,
                price_cents=price_cents,
                priority=priority,
                client_key=client_key,
                send_at=send_at,
                due_at=max(send_at, now + undo_within),
                waits_for_media=bool(media_urls),
            )
            attachments = [
                Attachment(creator_id=self.creator_id, message=message, position=position, url=url, upload_at=now)
                for position, url in enumerate(media_urls)
            ]
            _check(message, attachments, now)
            message.seq = Line.objects.wake(self.creator_id, at=now if attachments else message.due_at)
            if client_key and (twin := self.creator.messages.filter(client_key=client_key).first()):
                transaction.set_rollback(True)
                return twin
            if seen is not None and (answer := self.messages.answers_after(seen, apart_from=author).first()):
                raise AnsweredMeanwhile(answer)
            message.priority = self.keep_order(message)
            message.save(force_insert=True)
            Attachment.objects.bulk_create(attachments)
            self._show(message, at=now)
        log.info(
            "queued",
            message=str(message.public_id),
            creator=self.creator_id,
            user=author.pk if author else None,
            priority=message.priority,
        )
        return message

    def key_of_seen(self, public_id: uuid.UUID | None) -> int:
        """What ``queue`` takes as ``seen`` for somebody who saw this message last; 0 where there is none such."""
        seen = self.messages.filter(public_id=public_id) if public_id else self.messages.none()
        return seen.values_list("pk", flat=True).first() or 0

    def receive(
        self, *, text: str, platform_id: str, written_at: datetime, price_cents: int = 0, is_news: bool = True
    ) -> Message:
        """Add the fan's message; the same ``platform_id`` twice gives the first one back and counts once.

        If it ``is_news``, it counts as unread, and brings a conversation that was closed or snoozed back into the list,
        whenever it was written: nobody has seen it yet. What is read from an old chat is none.
        """
        with transaction.atomic():
            message, is_new = self._add(
                direction=Direction.IN,
                status=Status.RECEIVED,
                text=text,
                price_cents=price_cents,
                platform_id=platform_id,
                at=written_at,
            )
            if is_new:
                self._heard_from_fan(written_at, is_news=is_news)
                EarlyNews.objects.come_true(message, platform_id)
        return message

    def _heard_from_fan(self, at: datetime, *, is_news: bool) -> None:
        if is_news:
            self._alone.update(unread_count=F("unread_count") + 1, closed_at=None, snoozed_until=None)
        seen_before = Q(last_seen_at__isnull=True) | Q(last_seen_at__lt=at)
        Fan.objects.filter(seen_before, pk=self.fan_id).update(last_seen_at=at)

    def show_sent(
        self, *, text: str, platform_id: str, sent_at: datetime, price_cents: int = 0, is_mass: bool = False
    ) -> Message:
        """Add what was sent to the fan past us; the same ``platform_id`` twice gives the first one back.

        Whoever answers has read. A message to very many (``is_mass``) answers nobody, and moves no conversation to the
        top of the list.
        """
        # Nobody here chose this price: one that we would refuse is shown as none.
        fits = not price_cents or Message.PRICE_MIN_CENTS <= price_cents <= Message.PRICE_MAX_CENTS
        message, is_new = self._add(
            status=Status.SENT,
            text=text,
            price_cents=price_cents if fits else 0,
            platform_id=platform_id,
            at=sent_at,
            shows=not is_mass,
            sent_at=sent_at,
            cause_code="sent_elsewhere",
            cause=gettext_noop("It was not sent from here."),
        )
        if is_new and not is_mass:
            unanswered = self.messages.filter(direction=Direction.IN, send_at__gt=sent_at).count()
            Conversation.objects.filter(pk=self.pk, unread_count__gt=unanswered).update(unread_count=unanswered)
        if is_new:
            EarlyNews.objects.come_true(message, platform_id)
        return message

    def _add(self, *, at: datetime, platform_id: str, shows: bool = True, **values: Any) -> tuple[Message, bool]:
        """A message that is on the platform already: (row, is new)."""
        with transaction.atomic():
            seq = Line.objects.stamp(self.creator_id)
            known = Message.objects.filter(creator_id=self.creator_id).of_platform_id(platform_id).first()
            if known:
                transaction.set_rollback(True)
                return known, False
            message = Message.objects.create(
                creator_id=self.creator_id,
                conversation=self,
                platform_id=platform_id,
                send_at=at,
                due_at=at,
                seq=seq,
                **values,
            )
            if shows:
                self._show(message, at=at)
            else:
                Conversation.objects.filter(pk=self.pk).update(seq=seq)
            message.forget_days()
        return message, True

    def forget_unread(self, message: Message, *, seq: int) -> None:
        """The fan took this message back: if nobody has read it, it does not count any more.

        The unread ones are the newest of the fan's, as many as are counted.
        """
        newer = self.messages.filter(
            Q(send_at__gt=message.send_at) | Q(send_at=message.send_at, id__gt=message.pk),
            direction=Direction.IN,
            deleted_at__isnull=True,
        )
        Conversation.objects.filter(pk=self.pk, unread_count__gt=newer.count()).update(
            unread_count=F("unread_count") - 1, seq=seq
        )

    def close(self, *, by: "User | None" = None, seen: int | None = None) -> dict[uuid.UUID, Closing]:
        """It is dealt with, until the fan writes again. The answer is for ``undo_closing``: empty if it was closed.

        ``seen`` is the ``seq`` as of which somebody saw it. Raises WrittenMeanwhile, and leaves it open, when the fan
        has written since.
        """
        closed = self._alone.close(by=by, seen=seen)
        if not closed and self._alone.filter(closed_at=None).exists():
            raise WrittenMeanwhile
        return closed

    def snooze(self, until: datetime, *, by: "User | None" = None) -> None:
        """It leaves the list until then, or until the fan writes. Raises ValidationError on "snoozed_until"."""
        if self.last_message_at is None:
            raise ValidationError({"snoozed_until": _("Nothing was said here yet, so it is in no list to leave.")})
        self._alone.snooze(until, by=by)

    def reopen(self, *, by: "User | None" = None) -> None:
        """Back into the list, whether it was closed or snoozed."""
        self._alone.reopen(by=by)

    def assign(self, to: "User | None") -> None:
        """Give it to somebody who may write for the creator, or to nobody. Raises ValidationError on "assigned_to"."""
        self._alone.assign(to)
        self.assigned_to = to

    def mark_read(self) -> None:
        """Nothing here is unread any more."""
        self._alone.mark_read()

    def mark_unread(self) -> None:
        """Somebody wants to come back to it: it counts as one that nobody has read."""
        self._alone.mark_unread()

    def state(self, now: datetime) -> State:
        """Where the inbox has it at this moment."""
        if self.closed_at:
            return State.CLOSED
        return State.SNOOZED if self.snoozed_until and self.snoozed_until > now else State.OPEN

    @property
    def _alone(self) -> ConversationQuerySet:
        return Conversation.objects.filter(pk=self.pk)

    def keep_order(self, message: Message) -> int:
        """Raise what waits before it to its priority; the answer is the one it needs to stay before the later ones.

        With both rules the direct messages of one conversation leave in the order (send_at, id) although the line is
        sorted by priority first. A campaign's message is none of them: it keeps its priority, and they may pass it.
        """
        if message.campaign_id:
            return message.priority
        waiting = self.messages.waiting().direct().exclude(pk=message.pk)
        later = waiting.filter(send_at__gt=message.send_at).aggregate(highest=Max("priority"))["highest"]
        priority = max(message.priority, later or message.priority)
        waiting.filter(send_at__lte=message.send_at, priority__lt=priority).update(priority=priority, seq=message.seq)
        return priority

    def _show(self, message: Message, *, at: datetime) -> None:
        """Put the message's beginning into the inbox list, unless something newer stands there."""
        Conversation.objects.filter(pk=self.pk).update(seq=message.seq)
        Conversation.objects.filter(Q(last_message_at__lte=at) | Q(last_message_at=None), pk=self.pk).update(
            last_message_at=at,
            last_text=" ".join(message.text.split())[:PREVIEW_LENGTH],
            last_direction=message.direction,
        )


def _check(message: Message, attachments: Sequence[Attachment], now: datetime) -> None:
    """Every rule for an outgoing message, whichever door it came through."""
    errors = content_errors(message, attachments)
    if message.send_at > now + SCHEDULE_AHEAD_MAX:
        errors["send_at"] = [_("At most %(days)d days ahead.") % {"days": SCHEDULE_AHEAD_MAX.days}]
    if errors:
        raise ValidationError(errors)
