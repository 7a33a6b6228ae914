"""Who is signed in through the API, which programs have keys, and what staff did. No token or key can be read here."""

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.admin.tables import Long, OneByOne, ReadOnly
from crm.models import ApiKey, TokenFamily


@admin.register(TokenFamily)
class TokenFamilyAdmin(OneByOne[TokenFamily], ReadOnly, admin.ModelAdmin):
    list_display = ("user", "created_at", "renewed_at", "expires_at", "ended_at", "end")
    list_filter = ("end",)
    list_select_related = ("user",)
    search_fields = ("user__username", "=public_id")
    fields = (*list_display, "public_id")
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("sign_out",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.change_tokenfamily")

    @admin.action(description=_("Sign out"), permissions=["end"])
    def sign_out(self, request: HttpRequest, families: QuerySet[TokenFamily]) -> None:
        self.one_by_one(request, families, lambda family: family.finish(TokenFamily.End.STAFF))


@admin.register(ApiKey)
class ApiKeyAdmin(OneByOne[ApiKey], ReadOnly, admin.ModelAdmin):
    list_display = ("name", "prefix", "user", "creator", "scopes", "expires_at", "used_at", "revoked_at")
    list_filter = ("creator",)
    list_select_related = ("user", "creator")
    search_fields = ("name", "=prefix", "user__username")
    fields = (*list_display, "public_id", "created_at")
    ordering = ("-id",)
    show_full_result_count = False
    actions = ("revoke",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.change_apikey")

    @admin.action(description=_("Revoke"), permissions=["end"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        self.one_by_one(request, keys, ApiKey.revoke)


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnly, Long):
    """What staff did here. The words of messages are not in it."""

    list_display = ("action_time", "user", "content_type", "object_repr", "said")
    list_filter = ("action_flag",)
    list_select_related = ("user", "content_type")
    search_fields = ("user",)
    search_help_text = _("By the whole username.")

    def found(self, rows: "QuerySet[LogEntry]", words: str) -> "QuerySet[LogEntry]":
        return rows.filter(user__username=words)

    @admin.display(description=_("what"))
    def said(self, entry: LogEntry) -> str:
        return entry.get_change_message()
