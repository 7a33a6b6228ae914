"""Tags, notes, segments, snippets and money. What came in is a ledger: staff read it here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm import personalising, segments
from crm.admin.erasing import Erased
from crm.admin.tables import FOUND_MAX, Long, ReadOnly, as_uuid, of_fans_found, with_part
from crm.models import Creator, Note, Segment, Snippet, SubscriptionEvent, Tag, Transaction
from crm.wording import amount as in_currency


class OfCreatorAdmin(admin.ModelAdmin):
    """What a team names for itself. It never moves to another creator."""

    list_filter = ("creator",)
    list_select_related = ("creator",)
    search_fields = ("name", "creator__name")
    autocomplete_fields = ("creator",)
    readonly_fields = ("public_id", "created_at")
    show_full_result_count = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "creator") if obj else tuple(self.readonly_fields)


@admin.register(Tag)
class TagAdmin(Erased, OfCreatorAdmin):
    list_display = ("name", "creator", "created_at")

    def erase(self, row: Tag) -> None:
        row.remove()


class SegmentForm(forms.ModelForm):
    def clean(self) -> dict[str, Any]:
        """The rule is read as the API reads it."""
        cleaned: dict[str, Any] = super().clean() or {}
        creator = cleaned.get("creator") or getattr(self.instance, "creator", None)
        if creator and "rule" in cleaned:
            try:
                cleaned["rule"] = segments.check(cleaned["rule"], creator=creator)
            except ValidationError as error:
                words = [f"{path}: {' '.join(said)}" for path, said in error.message_dict.items()]
                raise ValidationError({"rule": words}) from error
        return cleaned


@admin.register(Segment)
class SegmentAdmin(OfCreatorAdmin):
    list_display = ("name", "creator", "updated_at")
    form = SegmentForm


class SnippetForm(forms.ModelForm):
    def clean(self) -> None:
        super().clean()
        personalising.check(self.cleaned_data.get("text", ""))


@admin.register(Snippet)
class SnippetAdmin(OfCreatorAdmin):
    list_display = ("name", "creator", "updated_at")
    form = SnippetForm


OF_A_FAN = with_part(_("An id of ours, or the fan: the beginnings of words of the name or handle, the platform id."))


@admin.register(Note)
class NoteAdmin(ReadOnly, Long):
    list_display = ("fan", "category", "author", "created_at")
    list_filter = ("category",)
    list_select_related = ("fan", "author")
    search_fields = ("fan",)
    search_help_text = OF_A_FAN

    def found(self, rows: "QuerySet[Note]", words: str) -> "QuerySet[Note]":
        public_id = as_uuid(words)
        return rows.filter(public_id=public_id) if public_id else rows.filter(fan__in=of_fans_found(words))


class MoneyAdmin(ReadOnly, Long):
    list_filter = ("kind", "creator")
    list_select_related = ("creator", "fan")
    search_fields = ("fan",)
    search_help_text = OF_A_FAN

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """That of one creator by its moments; there is no such index across all of them."""
        of_one = "creator__id__exact" in request.GET
        return ("-occurred_at", "-id") if of_one else self.ordering


@admin.register(Transaction)
class TransactionAdmin(MoneyAdmin):
    list_display = ("occurred_at", "creator", "fan", "kind", "amount", "source")

    def found(self, rows: "QuerySet[Transaction]", words: str) -> "QuerySet[Transaction]":
        if public_id := as_uuid(words):
            return rows.filter(public_id=public_id)
        by_id = Transaction.objects.filter(creator__in=Creator.objects.values("pk"), platform_id=words)
        # The exclusion says to SQLite that the unique index, which leaves out the empty ones, has it.
        known = list(by_id.exclude(platform_id="").values_list("pk", flat=True)[:FOUND_MAX])
        return rows.filter(pk__in=known) if known else rows.filter(fan__in=of_fans_found(words))

    @admin.display(description=_("amount"))
    def amount(self, payment: Transaction) -> str:
        return in_currency(payment.amount_cents, payment.currency)


@admin.register(SubscriptionEvent)
class SubscriptionEventAdmin(MoneyAdmin):
    list_display = ("occurred_at", "creator", "fan", "kind")

    def found(self, rows: "QuerySet[SubscriptionEvent]", words: str) -> "QuerySet[SubscriptionEvent]":
        return rows.filter(fan__in=of_fans_found(words))
