"""One person, two rows: who a platform's (id, handle) is, and making one fan of two.

A fan comes in by handle alone, from a file; later an event or a sync brings the same handle with an id.
"""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from crm.models import Conversation, Creator, Day, Fan, Line, Message, Transaction

NAME_MAX, HANDLE_MAX = 200, 120


def identify(creator: Creator, platform_id: str, *, handle: str = "", name: str = "") -> Fan:
    """The fan with this platform id; there is one afterwards.

    A fan known by that handle alone is adopted: they get the id or, when the id has a row already, become one with
    it. A known fan keeps their name and handle; what is empty is filled in.
    """
    handle, name = handle.strip().removeprefix("@")[:HANDLE_MAX], name.strip()[:NAME_MAX]
    with transaction.atomic():
        # The line first, as everywhere: two that meet a new fan at once must not wait for each other in a circle.
        Line.objects.stamp(creator.pk)
        of_creator = Fan.objects.filter(creator=creator, platform=creator.platform)
        known = of_creator.of_platform_id(platform_id).first()
        nameless = of_creator.of_handle(handle).first() if handle else None
        if known is None and nameless is None:
            return Fan.objects.create(
                creator=creator, platform=creator.platform, platform_id=platform_id, handle=handle, name=name
            )
        if known is None or nameless is None:
            fan = known or nameless
            assert fan is not None
        else:
            fan = merge(known, nameless)
        _fill_in(fan, platform_id=platform_id, handle=handle, name=name)
    return fan


def _fill_in(fan: Fan, **told: str) -> None:
    news = {field: value for field, value in told.items() if value and not getattr(fan, field)}
    for field, value in news.items():
        setattr(fan, field, value)
    if news:
        fan.save(update_fields=list(news))


def merge(kept: Fan, other: Fan) -> Fan:
    """Make one fan of two of the same creator: everything of ``other`` becomes ``kept``'s, and ``other`` goes."""
    with transaction.atomic():
        seq = Line.objects.stamp(kept.creator_id)
        _merge_conversations(kept, other, seq)
        other.transactions.update(fan=kept)
        other.notes.update(fan=kept)
        tags = kept.fan_tags.values("tag")
        other.fan_tags.exclude(tag__in=tags).update(fan=kept)
        campaigns = kept.campaign_recipients.values("campaign")
        other.campaign_recipients.exclude(campaign__in=campaigns).update(fan=kept)
        for event in other.subscription_events.all():
            if not kept.subscription_events.filter(kind=event.kind, occurred_at=event.occurred_at).exists():
                event.fan = kept
                event.save(update_fields=["fan"])
        Fan.objects.get(pk=other.pk).delete()
        changes = _best_of(kept, other)
        for field, value in changes.items():
            setattr(kept, field, value)
        kept.save(update_fields=changes)
        Transaction.objects.recount_fans([kept.pk])
        kept.refresh_from_db()
    return kept


def _merge_conversations(kept: Fan, other: Fan, seq: int) -> None:
    theirs = Conversation.objects.filter(fan=other).first()
    if theirs is None:
        return
    ours = Conversation.objects.filter(fan=kept).first()
    if ours is None:
        Conversation.objects.filter(pk=theirs.pk).update(fan=kept, seq=seq)
        return
    Message.objects.filter(conversation=theirs).update(conversation=ours, seq=seq)
    # Who answered whom is another story now.
    Day.objects.forget(kept.creator_id, ours.messages.values_list("send_at", flat=True))
    Conversation.objects.filter(pk=ours.pk).update(unread_count=F("unread_count") + theirs.unread_count, seq=seq)
    if not theirs.closed_at:
        Conversation.objects.filter(pk=ours.pk).update(closed_at=None, snoozed_until=None)
    newer = {
        "last_message_at": theirs.last_message_at,
        "last_text": theirs.last_text,
        "last_direction": theirs.last_direction,
    }
    if theirs.last_text:
        Conversation.objects.filter(pk=ours.pk, last_message_at__lt=theirs.last_message_at).update(**newer)


def _best_of(kept: Fan, other: Fan) -> dict[str, Any]:
    """What the one fan is: what was known of either, the newer or the earlier where both say something."""
    changes: dict[str, Any] = {
        field: getattr(kept, field) or getattr(other, field) for field in ("handle", "name", "email", "blocked_at")
    }
    changes["is_priority"] = kept.is_priority or other.is_priority
    changes["joined_at"] = min(_known(kept.joined_at, other.joined_at), default=None)
    for field in ("last_seen_at", "last_purchase_at"):
        changes[field] = max(_known(getattr(kept, field), getattr(other, field)), default=None)
    for moment, fields in _STATED.items():
        better = max(kept, other, key=lambda fan: (getattr(fan, moment) is not None, getattr(fan, moment) or 0))
        if getattr(better, moment) is not None:
            changes |= {field: getattr(better, field) for field in (moment, *fields)}
    return changes


#: Fields that are true as of a moment go together.
_STATED = {
    "stated_value_at": ("stated_value_cents",),
    "subscription_as_of": ("subscription", "subscription_price_cents", "subscription_ends_at"),
}


def _known(*moments: datetime | None) -> list[datetime]:
    return [moment for moment in moments if moment is not None]
