"""What a team does with conversations, with one as with many: close, snooze, give to somebody, read.

Every verb is about the rows of its queryset, changes those to which it applies, and returns their public ids: what an
undo has to name. All of one creator change in one transaction, with one ``seq``.
"""

import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import structlog
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.models.creators import Membership
from crm.models.lines import Line
from crm.models.messages import Direction, Message

if TYPE_CHECKING:
    from crm.models.conversations import Conversation
    from crm.models.users import User

    Conversations = models.QuerySet[Conversation]
else:
    Conversations = models.QuerySet

log = structlog.get_logger(__name__)

#: Less is no snooze; and a reader who looks at what ended passes over none that is being written meanwhile.
SNOOZE_MIN = timedelta(minutes=1)
SNOOZE_MAX = timedelta(days=366)


class State(models.TextChoices):
    """Where the inbox has a conversation. It is no column, because a snooze ends by the clock."""

    OPEN = "open", _("Open")
    SNOOZED = "snoozed", _("Snoozed")
    CLOSED = "closed", _("Closed")


@dataclass(frozen=True, slots=True)
class Closing:
    """One conversation's closing, with what it took away: all that ``undo_closing`` needs to know."""

    closed_at: datetime
    seq: int
    unread_count: int
    snoozed_until: datetime | None


class HandledQuerySet(Conversations):
    def awake(self, now: datetime) -> Self:
        """Those that the list has now, closed ones among them. What is snoozed stands in it at a later moment."""
        return self.filter(listed_at__lte=now)

    def open(self, now: datetime) -> Self:
        return self.awake(now).filter(closed_at=None)

    def snoozed(self, now: datetime) -> Self:
        # A snooze that lasts stands in the list where it ends: there an index has few to look at.
        return self.filter(closed_at=None, listed_at__gt=now, snoozed_until__gt=now)

    def woken(self, now: "datetime | Now") -> Self:
        """Those whose snooze has ended by itself, and to whom nothing happened since; the latest first."""
        return self.filter(snoozed_until__lte=now).order_by("-snoozed_until", "-pk")

    def closed(self) -> Self:
        return self.filter(closed_at__isnull=False)

    def in_state(self, state: State, now: datetime) -> Self:
        if state == State.CLOSED:
            return self.closed()
        return self.open(now) if state == State.OPEN else self.snoozed(now)

    def close(self, *, by: "User | None" = None, seen: int | None = None) -> dict[uuid.UUID, Closing]:
        """They are dealt with: they leave the list until the fan writes again. What was unread counts as read.

        ``seen`` is the ``seq`` of what is closed, as somebody saw it: where the fan has written since, it stays open.
        What is queued stays queued.
        """
        is_open = Q(closed_at=None)
        if seen is not None:
            is_open &= ~_written_after(seen)
        before: dict[uuid.UUID, Closing] = {}

        def closing(rows: Conversations, seq: int) -> dict[str, Any]:
            now = database_now()
            for public_id, unread, snoozed_until in rows.values_list("public_id", "unread_count", "snoozed_until"):
                before[public_id] = Closing(now, seq, unread, snoozed_until)
            return {"closed_at": now, "snoozed_until": None, "unread_count": 0}

        _log("closed", self._change_by(is_open, closing), by)
        return before

    def undo_closing(self, closings: Mapping[uuid.UUID, Closing], *, by: "User | None" = None) -> list[uuid.UUID]:
        """Each of ``closings`` as it was before: in the list or snoozed, and unread as far as it was.

        Where the fan has written since, and nobody has read it, what was unread before counts again beside that. What
        somebody has opened or closed anew meanwhile stays as they left it.
        """
        closed, written = Q(pk__in=[]), Q(pk__in=[])
        moments: dict[tuple[datetime, int], list[uuid.UUID]] = defaultdict(list)
        for public_id, each in closings.items():
            moments[each.closed_at, each.seq].append(public_id)
        for (closed_at, seq), public_ids in moments.items():
            closed |= Q(public_id__in=public_ids, closed_at=closed_at)
            written |= Q(public_id__in=public_ids, closed_at=None, unread_count__gt=0) & _written_after(seq)
        unread = [
            models.When(public_id=public_id, then=F("unread_count") + each.unread_count)
            for public_id, each in closings.items()
            if each.unread_count
        ]
        snoozed = [
            models.When(public_id=public_id, closed_at=each.closed_at, then=models.Value(each.snoozed_until))
            for public_id, each in closings.items()
            if each.snoozed_until
        ]
        reopened = self._change(
            closed | written,
            closed_at=None,
            unread_count=models.Case(*unread, default=F("unread_count"), output_field=models.IntegerField()),
            snoozed_until=models.Case(*snoozed, default=F("snoozed_until"), output_field=models.DateTimeField()),
        )
        _log("reopened", reopened, by)
        return reopened

    def snooze(self, until: datetime, *, by: "User | None" = None) -> list[uuid.UUID]:
        """They leave the list until then, or until the fan writes; closed ones are no longer closed.

        Raises ValidationError on "snoozed_until". What is in no list yet stays as it is.
        """
        now = database_now()
        if not now + SNOOZE_MIN <= until <= now + SNOOZE_MAX:
            words = gettext("From a minute to %(days)d days ahead.") % {"days": SNOOZE_MAX.days}
            raise ValidationError({"snoozed_until": words})
        another = Q(snoozed_until=None) | ~Q(snoozed_until=until)
        snoozed = self._change(another & Q(last_message_at__isnull=False), snoozed_until=until, closed_at=None)
        _log("snoozed", snoozed, by)
        return snoozed

    def reopen(self, *, by: "User | None" = None) -> list[uuid.UUID]:
        """Back into the list, from the closed ones or from the snoozed ones, to where they stood."""
        away = Q(closed_at__isnull=False) | Q(snoozed_until__gt=database_now())
        reopened = self._change(away, closed_at=None, snoozed_until=None)
        _log("reopened", reopened, by)
        return reopened

    def assign(self, to: "User | None") -> list[uuid.UUID]:
        """Give them to somebody who may write for their creators, or to nobody.

        Raises ValidationError on "assigned_to", and has then changed nothing.
        """
        creators = set(self.order_by().values_list("creator_id", flat=True))
        if to:
            writes = Membership.objects.filter(user=to, user__is_active=True, role__in=Membership.WRITERS)
            if creators.difference(writes.values_list("creator_id", flat=True)):
                raise ValidationError(
                    {"assigned_to": gettext("Nobody of this creator's team who may write has this id.")}
                )
        other = ~Q(assigned_to=to) | Q(assigned_to=None) if to else Q(assigned_to__isnull=False)
        return self._change(other, assigned_to=to)

    def mark_read(self) -> list[uuid.UUID]:
        """Nothing in them is unread any more."""
        return self._change(Q(unread_count__gt=0), unread_count=0)

    def mark_unread(self) -> list[uuid.UUID]:
        """Somebody wants to come back to them: they count as ones that nobody has read, and closed ones open."""
        return self._change(Q(unread_count=0), unread_count=1, closed_at=None)

    def _change(self, applies: Q, **values: Any) -> list[uuid.UUID]:
        """``values`` for those to which the change ``applies``."""
        return self._change_by(applies, lambda _rows, _seq: values)

    def _change_by(self, applies: Q, change: Callable[[Conversations, int], dict[str, Any]]) -> list[uuid.UUID]:
        """``change`` gives the values of one creator's rows, once the line is locked, by the number they will get."""
        keys: dict[int, list[int]] = defaultdict(list)
        for creator_id, key in self.order_by("creator_id").values_list("creator_id", "pk"):
            keys[creator_id].append(key)
        changed: list[uuid.UUID] = []
        for creator_id, theirs in keys.items():
            with transaction.atomic():
                seq = Line.objects.stamp(creator_id)
                rows = self.model._default_manager.filter(applies, pk__in=theirs)
                public_ids = list(rows.values_list("public_id", flat=True))
                if not rows.update(seq=seq, **change(rows, seq)):
                    transaction.set_rollback(True)
            changed += public_ids
        return changed


def _written_after(seq: int) -> Q:
    """The fan has written since. By the creator's numbers: what is young is little, whatever the thread has."""
    theirs = Message.objects.filter(creator=OuterRef("creator"), conversation=OuterRef("pk"))
    return Q(Exists(theirs.filter(direction=Direction.IN, seq__gt=seq)))


def _log(event: str, conversations: list[uuid.UUID], by: "User | None") -> None:
    if conversations:
        names = [str(public_id) for public_id in conversations]
        log.info(event, conversations=names, user=by.pk if by else None)


#: Where a conversation stands in the list: at its last message, or at the end of a snooze that is later. So what is
#: snoozed lies before all others, out of sight until then, and comes back at the top by the clock alone.
LISTED_AT = models.Case(
    models.When(snoozed_until__gt=F("last_message_at"), then="snoozed_until"), default="last_message_at"
)
