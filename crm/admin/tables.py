"""What the lists of the staff's tool share: ledgers that nobody edits, tables of any length, acts on chosen rows."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast
from uuid import UUID

from django.contrib import admin
from django.contrib.messages import ERROR, SUCCESS, WARNING
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.causes import said
from crm.models import Fan, IllegalCampaignMove, StateForbids, User
from crm.paging import BoundedPaginator

#: An act on more rows than this is a command's work, for which nobody's browser waits.
CHOSEN_MAX = 500
#: Of one platform id there is one row for each creator; so many of them are shown.
FOUND_MAX = 100
#: What belongs to a fan is looked for by so many fans at most.
FANS_FOUND_MAX = 1000
#: What an act may refuse to do; the words are for a person.
REFUSALS = (StateForbids, IllegalCampaignMove, ValidationError)

M = TypeVar("M", bound=Model)


class ReadOnly:
    """Nobody adds, changes or deletes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Long(admin.ModelAdmin):
    """A table that may have a million rows: no page of its list reads all of it, or counts it.

    Rows come by their key, newest first, and by nothing else: only that order has an index across all creators.
    """

    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    ordering = ("-id",)
    list_per_page = 50

    def found(self, rows: "QuerySet[Any]", words: str) -> "QuerySet[Any]":
        """Those of ``rows`` that somebody looks for by ``words``, by way of an index."""
        raise NotImplementedError

    def get_search_results(
        self, request: HttpRequest, queryset: "QuerySet[Any]", search_term: str
    ) -> tuple["QuerySet[Any]", bool]:
        words = search_term.strip()
        return (self.found(queryset, words) if words else queryset), False


def as_uuid(words: str) -> UUID | None:
    """The id that somebody has typed or copied; None when it is none."""
    try:
        return UUID(words)
    except ValueError:
        return None


def fans_found(words: str) -> "QuerySet[Fan]":
    """The fans of all creators whose name, handle or platform id has these words, or who have this id."""
    public_id = as_uuid(words)
    return Fan.objects.filter(public_id=public_id) if public_id else Fan.objects.filter(search_text__has_words=words)


def of_fans_found(words: str) -> list[int]:
    """The keys of the newest of them: nobody waits for all that belongs to the ten thousands of one first name."""
    return list(fans_found(words).order_by("-pk").values_list("pk", flat=True)[:FANS_FOUND_MAX])


def with_part(help_text: Any) -> Any:
    """``help_text`` of a search that finds by ``of_fans_found``, with what that leaves out."""
    return format_lazy("{} {}", help_text, gettext_lazy("Of words that more than 1,000 fans have: the newest 1,000."))


def in_words(field: str) -> Any:
    """A column for the cause that ``field`` keeps in English, in the reader's language.

    It stands in ``list_display`` and, beside an ``exclude`` of the field itself, in ``readonly_fields``.
    """

    @admin.display(description=gettext_lazy(field.replace("_", " ")), ordering=field)
    def words(row: Model) -> str:
        return said(getattr(row, field))

    words.__name__ = field
    return words


def who(request: HttpRequest) -> User:
    return cast(User, request.user)


class OneByOne(Generic[M]):
    """Acts on chosen rows, each by itself: what does not fit one row is said and holds up no other."""

    def one_by_one(self, request: HttpRequest, rows: "QuerySet[M]", act: Callable[[M], object]) -> None:
        """Do ``act`` with each of at most ``CHOSEN_MAX`` rows; its refusals are counted by their words."""
        site = cast("admin.ModelAdmin[M]", self)
        chosen = list(rows[: CHOSEN_MAX + 1])
        if len(chosen) > CHOSEN_MAX:
            words = _("At most %(max)d at once. Choose fewer, or use the commands of manage.py.")
            site.message_user(request, words % {"max": CHOSEN_MAX}, ERROR)
            return
        described = dict(site.get_action_choices(request))[request.POST["action"]]
        done, refused = 0, dict[str, int]()
        for row in chosen:
            try:
                act(row)
            except REFUSALS as error:
                refused[words_of(error)] = refused.get(words_of(error), 0) + 1
            else:
                done += 1
                site.log_change(request, row, described)
        for words, count in refused.items():
            site.message_user(request, f"{count} × {words}", WARNING)
        if done:
            site.message_user(request, _("%(count)d done.") % {"count": done}, SUCCESS)


def words_of(refusal: Exception) -> str:
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
