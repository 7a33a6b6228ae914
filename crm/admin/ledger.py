"""Tags, notes, segments, snippets and money. What came in is a ledger: staff read it here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm import personalising, segments
from crm.admin.conversations import ReadOnly
from crm.models import Note, Segment, Snippet, SubscriptionEvent, Tag, Transaction


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
class TagAdmin(OfCreatorAdmin):
    list_display = ("name", "creator", "created_at")


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
    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        try:
            personalising.check(text)
        except ValidationError as error:
            raise ValidationError(error.messages) from error
        return text


@admin.register(Snippet)
class SnippetAdmin(OfCreatorAdmin):
    list_display = ("name", "creator", "updated_at")
    form = SnippetForm


@admin.register(Note)
class NoteAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("fan", "category", "author", "created_at")
    list_filter = ("category",)
    list_select_related = ("fan", "author")
    search_fields = ("=public_id", "=fan__platform_id", "fan__handle")
    show_full_result_count = False


class MoneyAdmin(ReadOnly, admin.ModelAdmin):
    date_hierarchy = None
    list_filter = ("kind", "creator")
    list_select_related = ("creator", "fan")
    ordering = ("-occurred_at", "-id")
    show_full_result_count = False


@admin.register(Transaction)
class TransactionAdmin(MoneyAdmin):
    list_display = ("occurred_at", "creator", "fan", "kind", "amount", "source")
    search_fields = ("=public_id", "=platform_id", "=fan__platform_id", "=fan__handle")

    @admin.display(description=_("amount"), ordering="amount_cents")
    def amount(self, payment: Transaction) -> str:
        return f"{payment.amount_cents / 100:,.2f} {payment.currency}"


@admin.register(SubscriptionEvent)
class SubscriptionEventAdmin(MoneyAdmin):
    list_display = ("occurred_at", "creator", "fan", "kind")
    search_fields = ("=fan__platform_id", "=fan__handle")
