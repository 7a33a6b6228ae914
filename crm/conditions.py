"""What can be asked of a fan: each condition is defined here, once, under its public name.

Lists of the API, segments, pages and the audiences of campaigns all choose fans by these. A value comes from a query
string or from JSON; ``read`` makes of it what ``holds`` takes, or says what is wrong with it.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.models import Creator, Fan, FanTag, Message, Subscription, Tag, Transaction
from crm.models.messages import FOR_A_PERSON, ON_THE_PLATFORM, Direction, Status
from crm.numbers import grouped
from crm.searching import QUERY_MAX, SearchText, are_rare, words_of

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

CENTS_MAX = 10**12
DAYS_MAX = 3660
HOURS_MAX = 24 * 366
#: So many are named by their keys; any page of a list meets some of more than that.
FEW = 1000
#: For the API's description. Spaces alone are blank, and so is what Python strips like them.
NOT_BLANK = r"[^\s\x1c-\x1f]"
A_WORD = r"[^\W_]"
SEARCHED: SearchText = Fan._meta.get_field("search_text")
#: A message that has left, or may have.
MAY_HAVE_ARRIVED = (*ON_THE_PLATFORM, Status.SENDING, Status.UNKNOWN, Status.NEEDS_PERSON)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose fans, as of when, for whom. ``fan`` leads from the rows asked for to the fan, ``talk`` to the talk."""

    creators: frozenset[int]
    now: datetime
    user_id: int | None = None
    fan: str = ""
    talk: str = "conversation__"

    def of_fan(self, **conditions: Any) -> Q:
        return Q(**{f"{self.fan}{name}": value for name, value in conditions.items()})

    def of_talk(self, **conditions: Any) -> Q:
        return Q(**{f"{self.talk}{name}": value for name, value in conditions.items()})

    @property
    def this_fan(self) -> OuterRef:
        return OuterRef(self.fan.removesuffix("__") or "pk")


class Kind(Protocol):
    """What kind of value a condition takes; ``schema`` says it in JSON Schema."""

    @property
    def schema(self) -> Mapping[str, Any]: ...

    def read(self, raw: object) -> Any:
        """Raises ValidationError."""


@dataclass(frozen=True, slots=True)
class Number:
    highest: int
    lowest: int = 0

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}

    def read(self, raw: object) -> int:
        written = str(raw).strip() if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
        if written.isascii() and written.isdecimal() and self.lowest <= int(written[:20]) <= self.highest:
            return int(written)
        raise ValidationError(
            _text("A whole number from %(lowest)s to %(highest)s.")
            % {"lowest": grouped(self.lowest), "highest": grouped(self.highest)}
        )


@dataclass(frozen=True, slots=True)
class Flag:
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "boolean"})

    def read(self, raw: object) -> bool:
        known = {True: True, False: False, "true": True, "false": False}
        if isinstance(raw, bool | str) and raw in known:
            return known[raw]
        raise ValidationError(_text("true or false."))


@dataclass(frozen=True, slots=True)
class Moment:
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string", "format": "date-time"})

    def read(self, raw: object) -> datetime:
        """ISO 8601; without an offset it is UTC, without a time the day's beginning."""
        written = raw.strip() if isinstance(raw, str) else ""
        try:
            moment = parse_datetime(written)
            day = None if moment else parse_date(written)
        except ValueError:
            moment = day = None
        if day:
            moment = datetime.combine(day, time())
        # Between these no zone leaves what both databases can hold.
        if moment is None or not date(1900, 1, 1) < moment.date() < date(9000, 1, 1):
            raise ValidationError(_text("A date, or a date and time, in ISO 8601."))
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Choice:
    values: Mapping[str, str]

    @property
    def schema(self) -> Mapping[str, Any]:
        return {"type": "string", "enum": list(self.values)}

    def read(self, raw: object) -> str:
        if isinstance(raw, str) and raw in self.values:
            return self.values[raw]
        raise ValidationError(_text("One of: %(choices)s.") % {"choices": ", ".join(self.values)})


@dataclass(frozen=True, slots=True)
class Words:
    schema: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "string", "minLength": 1, "maxLength": QUERY_MAX, "pattern": A_WORD}
    )

    def read(self, raw: object) -> str:
        if not isinstance(raw, str) or len(raw) > QUERY_MAX or "\0" in raw:
            raise ValidationError(_text("Words, at most %(max)d characters.") % {"max": QUERY_MAX})
        if not words_of(raw):
            raise ValidationError(_text("There is neither a letter nor a digit in it."))
        return raw


@dataclass(frozen=True, slots=True)
class Named:
    """An id, or the name of something that has one."""

    schema: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "string", "minLength": 1, "maxLength": QUERY_MAX, "pattern": NOT_BLANK}
    )

    def read(self, raw: object) -> uuid.UUID | str:
        if not isinstance(raw, str) or not raw.strip() or len(raw) > QUERY_MAX or "\0" in raw:
            raise ValidationError(_text("An id or a name."))
        try:
            return uuid.UUID(raw)
        except ValueError:
            return raw.strip()


@dataclass(frozen=True, slots=True)
class Assignee:
    schema: Mapping[str, Any] = field(
        default_factory=lambda: {"anyOf": [{"enum": ["me", "none"]}, {"type": "string", "format": "uuid"}]}
    )

    def read(self, raw: object) -> uuid.UUID | str:
        if raw in ("me", "none"):
            return str(raw)
        try:
            return uuid.UUID(str(raw))
        except ValueError:
            raise ValidationError(_text("“me”, “none” or a person's id.")) from None


@dataclass(frozen=True, slots=True)
class Condition:
    """One question about a fan. ``holds`` turns a value that ``kind`` has read into the rows for which it is true."""

    kind: Kind
    words: "StrPromise"
    holds: Callable[[Any, Scope], Q]


def _search(text: str, scope: Scope) -> Q:
    if are_rare(text, SEARCHED):
        return scope.of_fan(search_text__has_rare_words=text)
    return scope.of_fan(search_text__has_words=text)


def _tag(tag: uuid.UUID | str, scope: Scope) -> Q:
    named = {"public_id": tag} if isinstance(tag, uuid.UUID) else {"name__iexact": tag}
    # Looked up first: with the keys at hand the database knows how many fans to expect.
    tags = list(Tag.objects.filter(creator__in=scope.creators, **named).values_list("pk", flat=True))
    return Q(Exists(FanTag.objects.filter(fan=scope.this_fan, tag__in=tags)))


def _assigned(who: uuid.UUID | str, scope: Scope) -> Q:
    if who == "none":
        return scope.of_talk(assigned_to__isnull=True)
    if who == "me":
        return scope.of_talk(assigned_to=scope.user_id) if scope.user_id else Q(pk__in=[])
    return scope.of_talk(assigned_to__public_id=who)


def _flag(yes: Q, wanted: bool) -> Q:
    return yes if wanted else ~yes


def _paid(kind: Transaction.Kind, since: datetime, scope: Scope) -> Q:
    payments = Transaction.objects.filter(fan=scope.this_fan, kind=kind, amount_cents__gt=0, occurred_at__gte=since)
    # Whoever paid for that has bought something since: an index has them, and they are looked through alone.
    return scope.of_fan(last_purchase_at__gte=since) & Q(Exists(payments))


def _messaged(since: datetime, scope: Scope) -> Q:
    """Something went out to the fan, or may have, after ``since``."""
    to_the_fan = Message.objects.filter(conversation__fan=scope.this_fan, direction=Direction.OUT)
    return Q(Exists(to_the_fan.filter(status__in=MAY_HAVE_ARRIVED, send_at__gt=since)))


def _troubled(scope: Scope) -> Q:
    """A message to the fan needs a look: it failed, or nobody knows what became of it."""
    # Few do: the fans are found from those messages, not the messages looked for with every fan.
    troubled = Message.objects.filter(creator__in=scope.creators, status__in=FOR_A_PERSON)
    if scope.talk:
        return scope.of_fan(pk__in=troubled.values("conversation__fan"))
    return Q(pk__in=troubled.values("conversation"))


def _priority(wanted: bool, scope: Scope) -> Q:
    if not wanted:
        return scope.of_fan(is_priority=False)
    return scope.of_fan(pk__in=Fan.objects.filter(creator__in=scope.creators, is_priority=True).values("pk"))


def _reachable(wanted: bool, scope: Scope) -> Q:
    if wanted:
        return ~scope.of_fan(platform_id="") & scope.of_fan(blocked_at=None)
    theirs = Fan.objects.filter(creator__in=scope.creators).order_by()
    # That they have a handle says to SQLite that an index has those without an id.
    several = (theirs.filter(blocked_at__isnull=False), theirs.filter(platform_id="").exclude(handle=""))
    few = {key for some in several for key in some.values_list("pk", flat=True)[: FEW + 1]}
    if len(few) <= FEW:
        return scope.of_fan(pk__in=few)
    return scope.of_fan(platform_id="") | scope.of_fan(blocked_at__isnull=False)


def _among_the_top(percent: int, scope: Scope) -> Q:
    """Of each creator's fans who spent anything, the ``percent`` who spent most; equal ones go together."""
    chosen = Q(pk__in=[])
    for creator in Creator.objects.filter(pk__in=scope.creators):
        values = Fan.objects.filter(creator=creator, value_cents__gt=0).order_by("-value_cents")
        how_many = -(-values.count() * percent // 100)
        if how_many:
            least = values.values_list("value_cents", flat=True)[how_many - 1]
            chosen |= scope.of_fan(creator=creator, value_cents__gte=least)
    return chosen


def _days(days: int) -> timedelta:
    return timedelta(days=days)


_CENTS, _DAYS, _FLAG, _MOMENT = Number(CENTS_MAX), Number(DAYS_MAX, lowest=1), Flag(), Moment()
_SUBSCRIPTIONS = Choice({value or "unknown": value for value in Subscription.values})

#: Every condition by its public name: a query parameter of lists, a key in a segment's rule.
CONDITIONS: Mapping[str, Condition] = {
    "search": Condition(Words(), _("Name, handle or id begins with"), _search),
    "tag": Condition(Named(), _("Has the tag"), _tag),
    "valueMin": Condition(_CENTS, _("Spent at least (cents)"), lambda cents, s: s.of_fan(value_cents__gte=cents)),
    "valueMax": Condition(_CENTS, _("Spent at most (cents)"), lambda cents, s: s.of_fan(value_cents__lte=cents)),
    "topPercent": Condition(Number(100, lowest=1), _("Among the top spenders (percent)"), _among_the_top),
    "lastSeenAfter": Condition(_MOMENT, _("Last seen after"), lambda at, s: s.of_fan(last_seen_at__gte=at)),
    "lastSeenBefore": Condition(_MOMENT, _("Last seen before"), lambda at, s: s.of_fan(last_seen_at__lt=at)),
    "seenWithinDays": Condition(
        _DAYS, _("Seen in the last days"), lambda days, s: s.of_fan(last_seen_at__gte=s.now - _days(days))
    ),
    "silentForDays": Condition(
        _DAYS, _("Not seen for days"), lambda days, s: s.of_fan(last_seen_at__lt=s.now - _days(days))
    ),
    "joinedAfter": Condition(_MOMENT, _("Joined after"), lambda at, s: s.of_fan(joined_at__gte=at)),
    "joinedBefore": Condition(_MOMENT, _("Joined before"), lambda at, s: s.of_fan(joined_at__lt=at)),
    "joinedWithinDays": Condition(
        _DAYS, _("Joined in the last days"), lambda days, s: s.of_fan(joined_at__gte=s.now - _days(days))
    ),
    "subscription": Condition(_SUBSCRIPTIONS, _("Subscription"), lambda state, s: s.of_fan(subscription=state)),
    "subscriptionPaid": Condition(
        _FLAG,
        _("Pays for the subscription"),
        lambda paid, s: s.of_fan(**({"subscription_price_cents__gt": 0} if paid else {"subscription_price_cents": 0})),
    ),
    "expiredWithinDays": Condition(
        _DAYS,
        _("Subscription ended in the last days"),
        lambda days, s: s.of_fan(
            subscription=Subscription.EXPIRED,
            subscription_ends_at__gte=s.now - _days(days),
            subscription_ends_at__lte=s.now,
        ),
    ),
    "expiresWithinDays": Condition(
        _DAYS,
        _("Subscription ends in the next days"),
        lambda days, s: s.of_fan(
            subscription=Subscription.ACTIVE,
            subscription_ends_at__gt=s.now,
            subscription_ends_at__lte=s.now + _days(days),
        ),
    ),
    "neverBought": Condition(
        _FLAG,
        _("Has never spent anything"),
        # Not "equals 0": SQLite takes that for rare, and would sort most of the fans.
        lambda never, s: _flag(s.of_fan(value_cents__lte=0, last_purchase_at__isnull=True), never),
    ),
    "boughtWithinDays": Condition(
        _DAYS,
        _("Spent something in the last days"),
        lambda days, s: s.of_fan(last_purchase_at__gte=s.now - _days(days)),
    ),
    "unlockedWithinDays": Condition(
        _DAYS,
        _("Unlocked a message in the last days"),
        lambda days, s: _paid(Transaction.Kind.MESSAGE, s.now - _days(days), s),
    ),
    "tippedWithinDays": Condition(
        _DAYS,
        _("Tipped in the last days"),
        lambda days, s: _paid(Transaction.Kind.TIP, s.now - _days(days), s),
    ),
    "messagedWithinHours": Condition(
        Number(HOURS_MAX, lowest=1),
        _("Was written to in the last hours"),
        lambda hours, s: _messaged(s.now - timedelta(hours=hours), s),
    ),
    "priority": Condition(_FLAG, _("Priority fan"), _priority),
    "reachable": Condition(_FLAG, _("Can be written to"), _reachable),
    "blocked": Condition(_FLAG, _("Blocked"), lambda yes, s: s.of_fan(blocked_at__isnull=not yes)),
    "unread": Condition(_FLAG, _("Has unread messages"), lambda yes, s: _flag(s.of_talk(unread_count__gt=0), yes)),
    "unanswered": Condition(
        _FLAG,
        _("Waits for an answer"),
        lambda yes, s: _flag(s.of_talk(last_direction=Direction.IN, closed_at=None), yes),
    ),
    "failed": Condition(_FLAG, _("A message to them needs a look"), lambda yes, s: _flag(_troubled(s), yes)),
    "assigned": Condition(Assignee(), _("Assigned to"), _assigned),
}
