"""Imports: to look at. What can be done with one is done on its page."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from crm.models import Import


@admin.register(Import)
class ImportAdmin(admin.ModelAdmin):
    list_display = (
        "name",
        "creator",
        "kind",
        "state",
        "rows_done",
        "rows_total",
        "created_count",
        "updated_count",
        "skipped_count",
        "created_at",
    )
    list_filter = ("state", "kind", "creator")
    list_select_related = ("creator",)
    search_fields = ("name", "=sha256", "=public_id")
    show_full_result_count = False
    # What the first look found has samples of people's names.
    exclude = ("survey", "lease")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
