"""Users, creators, memberships, fans."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.models import Creator, Fan, Line, Membership, User
from crm.pace import in_words


class MembershipInline(admin.TabularInline):
    model = Membership
    autocomplete_fields = ("user",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "creator")


@admin.register(User)
class HuntazeUserAdmin(UserAdmin):
    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    readonly_fields = ("public_id", "last_login", "date_joined")


@admin.register(Creator)
class CreatorAdmin(admin.ModelAdmin):
    list_display = ("name", "handle", "platform", "pace_in_words", "paused")
    list_filter = ("platform",)
    search_fields = ("name", "handle")
    list_select_related = ("line",)
    readonly_fields = ("public_id", "pace_in_words", "created_at")
    inlines = (MembershipInline,)
    actions = ("pause_sending", "resume_sending")
    show_full_result_count = False

    @admin.display(description=_("pace"))
    def pace_in_words(self, creator: Creator) -> str:
        try:
            return in_words(creator.allowances)
        except ValidationError as error:
            # What was typed into the field above, or stored past it.
            return " ".join(error.messages)

    @admin.display(description=_("paused"))
    def paused(self, creator: Creator) -> str:
        line = getattr(creator, "line", None)
        return line.paused_reason if line and line.paused_at else ""

    @admin.action(description=_("Pause sending"), permissions=["change"])
    def pause_sending(self, request: HttpRequest, creators: QuerySet[Creator]) -> None:
        now = database_now()
        for creator in creators:
            line, _created = Line.objects.get_or_create(creator=creator)
            line.pause(reason=str(_("Paused in the admin.")), now=now, by=request.user)
        self.message_user(request, _("Paused: %(names)s") % {"names": _names(creators)}, messages.SUCCESS)

    @admin.action(description=_("Resume sending"), permissions=["change"])
    def resume_sending(self, request: HttpRequest, creators: QuerySet[Creator]) -> None:
        now = database_now()
        for line in Line.objects.filter(creator__in=creators):
            line.resume(now=now)
        self.message_user(request, _("Resumed: %(names)s") % {"names": _names(creators)}, messages.SUCCESS)


def _names(creators: QuerySet[Creator]) -> str:
    return ", ".join(creator.name for creator in creators)


@admin.register(Membership)
class MembershipAdmin(admin.ModelAdmin):
    list_display = ("user", "creator", "role", "created_at")
    list_filter = ("role",)
    list_select_related = ("user", "creator")
    search_fields = ("user__username", "creator__name")
    autocomplete_fields = ("user", "creator")


@admin.register(Fan)
class FanAdmin(admin.ModelAdmin):
    list_display = ("display_name", "handle", "platform_id", "creator", "spent", "last_seen_at")
    list_filter = ("platform", "creator")
    list_select_related = ("creator",)
    search_fields = ("name", "handle", "=platform_id")
    autocomplete_fields = ("creator",)
    readonly_fields = ("public_id", "created_at")
    show_full_result_count = False

    @admin.display(description=_("lifetime value"), ordering="value_cents")
    def spent(self, fan: Fan) -> str:
        return f"${fan.value_cents / 100:,.2f}"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A fan never moves to another creator: the conversation and its messages would stay behind."""
        return (*self.readonly_fields, "creator") if obj else tuple(self.readonly_fields)
