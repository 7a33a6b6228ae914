"""Users, creators, memberships, fans."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _

from crm import erasing
from crm.clock import database_now
from crm.models import Creator, Fan, Line, Membership, User
from crm.pace import in_words

#: A creator with more fans is erased by a command, for which nobody's browser waits.
ERASED_HERE_MAX = 1000


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


class Erased(admin.ModelAdmin):
    """Deleting here is erasing: by the verb, with all that belongs to it, one at a time."""

    def erase(self, row: Any) -> None:
        raise NotImplementedError

    def too_many(self, row: Any) -> str:
        """Why this one is too much for a page to wait for; empty when it is not."""
        return ""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes along is not listed row by row, nor does it need a permission of its own."""
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [str(row) for row in objs], {}, lacking, [words for row in objs if (words := self.too_many(row))]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except erasing.OnItsWay as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(request.path)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.erase(obj)


@admin.register(Creator)
class CreatorAdmin(Erased):
    list_display = ("name", "handle", "platform", "pace_in_words", "paused")
    list_filter = ("platform",)
    search_fields = ("name", "handle")
    list_select_related = ("line",)
    readonly_fields = ("public_id", "pace_in_words", "created_at")
    inlines = (MembershipInline,)
    actions = ("pause_sending", "resume_sending")
    show_full_result_count = False

    def erase(self, row: Creator) -> None:
        erasing.erase_creator(row)

    def too_many(self, row: Creator) -> str:
        if row.fans.count() <= ERASED_HERE_MAX:
            return ""
        words = _("More than %(max)d fans. Run: manage.py erase_creator %(id)s")
        return words % {"max": ERASED_HERE_MAX, "id": row.public_id}

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
class FanAdmin(Erased):
    list_display = ("display_name", "handle", "platform_id", "creator", "spent", "last_seen_at")
    list_filter = ("platform", "creator")
    list_select_related = ("creator",)
    search_fields = ("name", "handle", "=platform_id")
    autocomplete_fields = ("creator",)
    readonly_fields = ("public_id", "created_at")
    show_full_result_count = False

    def erase(self, row: Fan) -> None:
        erasing.erase_fan(row)

    @admin.display(description=_("lifetime value"), ordering="value_cents")
    def spent(self, fan: Fan) -> str:
        return f"${fan.value_cents / 100:,.2f}"

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A fan never moves to another creator: the conversation and its messages would stay behind."""
        return (*self.readonly_fields, "creator") if obj else tuple(self.readonly_fields)
