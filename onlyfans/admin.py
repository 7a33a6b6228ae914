"""Connections and what the platform told us."""

from typing import Any, cast

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.causes import said
from crm.clock import database_now
from crm.models import User
from crm.paging import BoundedPaginator
from onlyfans.forms import SecretInput
from onlyfans.models import Connection, Redrive, WebhookEvent


class ConnectionForm(forms.ModelForm):
    """Secrets go in and never come out: an empty field keeps the stored one."""

    new_api_key = forms.CharField(
        label=_("API key"), required=False, widget=SecretInput, help_text=_("Empty keeps the stored one.")
    )
    new_webhook_secret = forms.CharField(
        label=_("Webhook secret"),
        required=False,
        widget=SecretInput,
        help_text=_("Empty keeps the stored one."),
    )

    class Meta:
        model = Connection
        fields = ("creator", "provider", "account_id", "state")

    def save(self, commit: bool = True) -> Connection:
        if secret := self.cleaned_data["new_api_key"]:
            self.instance.api_key = secret
        if secret := self.cleaned_data["new_webhook_secret"]:
            self.instance.webhook_secret = secret
        return super().save(commit)


@admin.register(Connection)
class ConnectionAdmin(admin.ModelAdmin):
    form = ConnectionForm
    list_display = ("creator", "provider", "account_id", "state", "has_api_key", "has_webhook_secret", "failures")
    list_filter = ("provider", "state")
    list_select_related = ("creator",)
    search_fields = ("creator__name", "account_id")
    autocomplete_fields = ("creator",)
    readonly_fields = (
        "public_id",
        "webhook_address",
        "state_at",
        "failures",
        "synced_at",
        "sync_at",
        "why_not_read",
        "created_at",
    )
    actions = ("reconnected", "read_now")

    @admin.action(description=_("The account works again: send"), permissions=["change"])
    def reconnected(self, request: HttpRequest, connections: QuerySet[Connection]) -> None:
        now = database_now()
        for connection in connections:
            connection.reconnected(now=now)
        self.message_user(request, _("They send again."), messages.SUCCESS)

    @admin.action(description=_("Read the account's chats now"), permissions=["change"])
    def read_now(self, request: HttpRequest, connections: QuerySet[Connection]) -> None:
        connections.update(sync_at=None, sync_failures=0)
        self.message_user(request, _("They are read as soon as it is their turn."), messages.SUCCESS)

    @admin.display(description=_("sync trouble"))
    def why_not_read(self, connection: Connection) -> str:
        return said(connection.sync_trouble)

    @admin.display(boolean=True, description=_("API key"))
    def has_api_key(self, connection: Connection) -> bool:
        return bool(connection.sealed_api_key)

    @admin.display(boolean=True, description=_("webhook secret"))
    def has_webhook_secret(self, connection: Connection) -> bool:
        return bool(connection.sealed_webhook_secret)

    @admin.display(description=_("webhook address"))
    def webhook_address(self, connection: Connection) -> str:
        return f"/api/onlyfans/webhooks/{connection.public_id}"


@admin.register(WebhookEvent)
class WebhookEventAdmin(admin.ModelAdmin):
    """What came in, as it came in: nobody edits it. The payload holds fans' words, so the list shows none of it."""

    list_display = ("received_at", "kind", "connection", "read_at", "attempts", "trouble")
    list_filter = ("connection__creator",)
    list_select_related = ("connection__creator",)
    search_fields = ("=event_key",)
    search_help_text = _("The provider's whole event id.")
    ordering = ("-id",)
    # There may be a million: nothing here reads or counts them all, and only the key has an index across all accounts.
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[WebhookEvent], search_term: str
    ) -> tuple[QuerySet[WebhookEvent], bool]:
        """By way of the index, which has the connection first."""
        if search_term.strip():
            queryset = queryset.filter(connection__in=Connection.objects.values("pk"), event_key=search_term.strip())
        return queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Redrive)
class RedriveAdmin(admin.ModelAdmin):
    """Adding one is the order; what became of it stands in the list."""

    list_display = ("asked_at", "asked_by", "limit", "begun_at", "ended_at", "moved", "trouble")
    list_select_related = ("asked_by",)
    ordering = ("-id",)
    fields = ("limit",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Without the rate limiter there is no queue."""
        return settings.RATE_LIMITER_ENABLED and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Redrive, form: Any, change: bool) -> None:
        obj.asked_by = cast(User, request.user)
        super().save_model(request, obj, form, change)
        words = _("Dispatch moves them within seconds; the list says how many.")
        self.message_user(request, words, messages.INFO)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.list_display if obj else self.fields
