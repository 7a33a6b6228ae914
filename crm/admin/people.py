"""Users, creators, memberships, fans."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop

from crm import erasing, exporting, sign_ins
from crm.admin.erasing import Erased
from crm.admin.lines import ReasonForm
from crm.admin.tables import Long, OneByOne, fans_found
from crm.admin.writing import WritesToMany
from crm.causes import said
from crm.clock import database_now
from crm.models import Creator, Fan, ImportKind, Line, Membership, User
from crm.numbers import grouped
from crm.pace import in_words
from crm.wording import amount

#: A creator with more fans is erased by a command, for which nobody's browser waits.
ERASED_HERE_MAX = 1000


class MembershipInline(admin.TabularInline):
    model = Membership
    autocomplete_fields = ("user",)
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        return super().get_queryset(request).select_related("user", "creator")


@admin.register(User)
class HuntazeUserAdmin(OneByOne[User], UserAdmin):
    list_display = ("username", "email", "is_staff", "is_active", "last_login")
    readonly_fields = ("public_id", "last_login", "date_joined")
    show_full_result_count = False
    actions = ("sign_out_everywhere",)

    @admin.action(description=_("Sign out everywhere"), permissions=["change"])
    def sign_out_everywhere(self, request: HttpRequest, users: QuerySet[User]) -> None:
        self.one_by_one(request, users, lambda user: sign_ins.end_all(user, but=""))


@admin.register(Creator)
class CreatorAdmin(Erased):
    list_display = ("name", "handle", "platform", "pace_in_words", "paused")
    list_filter = ("platform",)
    search_fields = ("name", "handle")
    list_select_related = ("line",)
    readonly_fields = ("public_id", "pace_in_words", "created_at")
    inlines = (MembershipInline,)
    action_form = ReasonForm
    actions = ("pause_sending", "resume_sending", "export_fans", "export_money")
    show_full_result_count = False

    def erase(self, row: Creator) -> None:
        erasing.erase_creator(row)

    def too_many(self, row: Creator) -> str:
        if row.fans.count() <= ERASED_HERE_MAX:
            return ""
        words = _("More than %(max)s fans. Run: manage.py erase_creator %(id)s")
        return words % {"max": grouped(ERASED_HERE_MAX), "id": row.public_id}

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
        return said(line.paused_reason) if line and line.paused_at else ""

    @admin.action(description=_("Pause sending"), permissions=["change"])
    def pause_sending(self, request: HttpRequest, creators: QuerySet[Creator]) -> None:
        now, reason = database_now(), request.POST.get("reason", "").strip() or gettext_noop("Paused in the admin.")
        for creator in creators:
            line, _created = Line.objects.get_or_create(creator=creator)
            line.pause(reason=reason, now=now, by=request.user)
            self.log_change(request, creator, f"{_text('Paused')}: {reason}")
        self.message_user(request, _("Paused: %(names)s") % {"names": _names(creators)}, messages.SUCCESS)

    @admin.action(description=_("Resume sending"), permissions=["change"])
    def resume_sending(self, request: HttpRequest, creators: QuerySet[Creator]) -> None:
        now = database_now()
        for line in Line.objects.filter(creator__in=creators).select_related("creator"):
            line.resume(now=now)
            self.log_change(request, line.creator, _text("Resumed"))
        self.message_user(request, _("Resumed: %(names)s") % {"names": _names(creators)}, messages.SUCCESS)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["crm.view_fan", "crm.view_transaction"])

    @admin.action(description=_("Export the fans as CSV"), permissions=["export"])
    def export_fans(self, request: HttpRequest, creators: QuerySet[Creator]) -> StreamingHttpResponse | None:
        return self._export(request, creators, ImportKind.FANS)

    @admin.action(description=_("Export the money as CSV"), permissions=["export"])
    def export_money(self, request: HttpRequest, creators: QuerySet[Creator]) -> StreamingHttpResponse | None:
        return self._export(request, creators, ImportKind.TRANSACTIONS)

    def _export(
        self, request: HttpRequest, creators: QuerySet[Creator], kind: ImportKind
    ) -> StreamingHttpResponse | None:
        chosen = list(creators[:2])
        if len(chosen) > 1:
            self.message_user(request, _("One creator at a time: a file belongs to one."), messages.ERROR)
            return None
        [creator] = chosen
        self.log_change(request, creator, f"{_text('Exported')}: {kind.label}")
        headers = {"Content-Disposition": f'attachment; filename="{kind}-{creator.public_id}.csv"'}
        return StreamingHttpResponse(
            exporting.export(creator, kind), content_type="text/csv; charset=utf-8", headers=headers
        )


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
class FanAdmin(WritesToMany, Erased, Long):
    list_display = ("display_name", "handle", "platform_id", "creator", "spent", "last_seen_at")
    list_filter = ("platform", "creator")
    list_select_related = ("creator",)
    search_fields = ("search_text",)
    search_help_text = _("The beginnings of words of the name or handle, the platform id, or an id of ours.")
    autocomplete_fields = ("creator",)
    readonly_fields = ("public_id", "created_at")
    actions = ("message_selected",)

    def found(self, rows: "QuerySet[Fan]", words: str) -> "QuerySet[Fan]":
        return rows & fans_found(words)

    def fan_of(self, row: Fan) -> Fan:
        return row

    def erase(self, row: Fan) -> None:
        erasing.erase_fan(row)

    @admin.display(description=_("lifetime value"))
    def spent(self, fan: Fan) -> str:
        return amount(fan.value_cents, fan.creator.currency)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """A fan never moves to another creator: the conversation and its messages would stay behind."""
        return (*self.readonly_fields, "creator") if obj else tuple(self.readonly_fields)
