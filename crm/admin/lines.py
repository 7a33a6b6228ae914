"""The queue's own rows: every creator's line, and the dispatch loop with its kill switch."""

from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.admin.conversations import ReadOnly
from crm.clock import database_now
from crm.models import Dispatch, Line
from crm.models.messages import Status


@admin.register(Line)
class LineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("creator", "waiting", "wake_at", "hold_until", "hold_cause", "paused_at", "paused_reason", "seq")
    list_filter = ("hold_cause",)
    list_select_related = ("creator",)
    search_fields = ("creator__name", "creator__handle")
    ordering = ("creator__name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        waiting = Count("creator__messages", filter=Q(creator__messages__status=Status.QUEUED))
        return super().get_queryset(request).annotate(waiting=waiting)

    @admin.display(description=_("waiting"), ordering="waiting")
    def waiting(self, line: Line) -> int:
        count: int = line.waiting  # type: ignore[attr-defined]
        return count


@admin.register(Dispatch)
class DispatchAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "__str__",
        "heartbeat_at",
        "stopped_at",
        "stopped_reason",
        "queue_depth",
        "queue_in_flight",
        "dlq_count",
        "queue_sampled_at",
        "queue_trouble",
        "gate_trouble",
    )
    actions = ("stop_all_sending", "resume_all_sending")

    @admin.action(description=_("Stop all sending"))
    def stop_all_sending(self, request: HttpRequest, rows: QuerySet[Dispatch]) -> None:
        Dispatch.stop_sending(
            reason=str(_("Stopped in the admin by %(user)s.") % {"user": request.user}), now=database_now()
        )

    @admin.action(description=_("Resume sending"))
    def resume_all_sending(self, request: HttpRequest, rows: QuerySet[Dispatch]) -> None:
        Dispatch.resume_sending()
