"""Who is signed in through the API, and which programs have keys. Neither tokens nor keys can be read here."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.admin.conversations import ReadOnly
from crm.models import ApiKey, TokenFamily


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("user", "created_at", "renewed_at", "expires_at", "ended_at", "end")
    list_filter = ("end",)
    list_select_related = ("user",)
    search_fields = ("user__username", "=public_id")
    fields = (*list_display, "public_id")
    ordering = ("-id",)
    actions = ("sign_out",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.change_tokenfamily")

    @admin.action(description=_("Sign out"), permissions=["end"])
    def sign_out(self, request: HttpRequest, families: QuerySet[TokenFamily]) -> None:
        for family in families:
            family.finish(TokenFamily.End.STAFF)
        self.message_user(request, _("Signed out."), messages.SUCCESS)


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "prefix", "user", "creator", "scopes", "expires_at", "used_at", "revoked_at")
    list_filter = ("creator",)
    list_select_related = ("user", "creator")
    search_fields = ("name", "=prefix", "user__username")
    fields = (*list_display, "public_id", "created_at")
    ordering = ("-id",)
    actions = ("revoke",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.change_apikey")

    @admin.action(description=_("Revoke"), permissions=["end"])
    def revoke(self, request: HttpRequest, keys: QuerySet[ApiKey]) -> None:
        for key in keys:
            key.revoke()
        self.message_user(request, _("Revoked."), messages.SUCCESS)
