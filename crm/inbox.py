"""The views of the inbox: which of a creator's conversations each shows, and how many they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import F, IntegerField, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.sql.compiler import SQLCompiler
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.conditions import CONDITIONS, Scope
from crm.models import Conversation, Creator, FanTag
from crm.models.conversations import ConversationQuerySet

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ALL = "all"
#: Nobody needs to know more exactly; counting on would cost more the more there is.
COUNTED_MAX = 1000
#: Between the names of tags: the unit separator, which nobody types.
SEPARATOR = chr(31)


def _open(talks: ConversationQuerySet, now: datetime) -> ConversationQuerySet:
    return talks.open(now)


def _snoozed(talks: ConversationQuerySet, now: datetime) -> ConversationQuerySet:
    return talks.snoozed(now)


def _closed(talks: ConversationQuerySet, _now: datetime) -> ConversationQuerySet:
    return talks.closed()


def _any(talks: ConversationQuerySet, _now: datetime) -> ConversationQuerySet:
    return talks


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at the list: those ``among`` a creator's for which ``condition`` holds with ``value``."""

    words: "StrPromise"
    icon: str
    empty: "StrPromise"
    condition: str = ""
    value: object = True
    among: Callable[[ConversationQuerySet, datetime], ConversationQuerySet] = _open
    is_counted: bool = True

    def holds(self, scope: Scope) -> Q:
        return CONDITIONS[self.condition].holds(self.value, scope) if self.condition else Q()


#: By their names in the address of a page, in the order in which they stand. A message that failed is shown wherever
#: its conversation is. How many are closed is no news.
VIEWS: Mapping[str, View] = {
    ALL: View(_("All"), "messages-square", _("They appear here when a fan writes, or when you write to a fan.")),
    "unread": View(_("Unread"), "inbox", _("Everything here has been read."), "unread"),
    "mine": View(_("Mine"), "user", _("No conversation is assigned to you."), "assigned", "me"),
    "unanswered": View(_("Unanswered"), "message-square", _("Every fan has been answered."), "unanswered"),
    "priority": View(_("Priority fans"), "star", _("No priority fan has a conversation here."), "priority"),
    "failed": View(_("Failed"), "circle-alert", _("No message needs a look."), "failed", among=_any),
    "snoozed": View(
        pgettext_lazy("conversations", "Snoozed"),
        "alarm-clock",
        _("What you snooze waits here until its time, or until the fan writes."),
        among=_snoozed,
    ),
    "closed": View(
        pgettext_lazy("conversations", "Closed"),
        "circle-check",
        _("What you close is kept here. It comes back when the fan writes."),
        among=_closed,
        is_counted=False,
    ),
}


class _HowMany(Subquery):
    """The number of rows of a query."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()


class _TagNames(Subquery):
    """The names in a query's column ``worn``, one after the other: a list's tags without a query of their own."""

    output_field = TextField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Any:
        return self.as_sql(compiler, connection, "(SELECT GROUP_CONCAT(worn, char(31)) FROM (%(subquery)s) AS tags)")

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **_: Any) -> Any:
        return self.as_sql(compiler, connection, "(SELECT STRING_AGG(worn, chr(31)) FROM (%(subquery)s) AS tags)")


def with_tags(conversations: QuerySet[Conversation]) -> QuerySet[Any]:
    """Each with its fan's tags as ``tag_names``, for ``tags_of``."""
    worn = FanTag.objects.filter(fan=OuterRef("fan")).order_by("tag__name").values(worn=F("tag__name"))
    return conversations.annotate(tag_names=_TagNames(worn))


def tags_of(conversation: Any) -> list[str]:
    return conversation.tag_names.split(SEPARATOR) if conversation.tag_names else []


def listed(view: View, scope: Scope) -> ConversationQuerySet:
    theirs = Conversation.objects.filter(view.holds(scope), creator__in=scope.creators)
    return view.among(theirs, scope.now).listed()


def after(view: View, scope: Scope, left: Conversation) -> Conversation | None:
    """What to look at once ``left``, as it stood in the view, is out of it: the next older one, else the next newer."""
    rest = listed(view, scope).exclude(pk=left.pk)
    if left.listed_at is None:
        return rest.newest_first().first()
    older = rest.filter(Q(listed_at__lt=left.listed_at) | Q(listed_at=left.listed_at, pk__lt=left.pk))
    return older.newest_first().first() or rest.order_by("listed_at", "id").first()


def counts(scope: Scope) -> dict[str, int]:
    """How many conversations each view has, up to ``COUNTED_MAX``. One query, whose cost has an end."""
    capped = {
        name: _HowMany(listed(view, scope).values("pk")[:COUNTED_MAX])
        for name, view in VIEWS.items()
        if view.is_counted
    }
    # A creator may go while somebody looks.
    found: Any = Creator.objects.filter(pk__in=scope.creators).values(**capped).first()
    return dict.fromkeys(VIEWS, 0) | (found or {})
