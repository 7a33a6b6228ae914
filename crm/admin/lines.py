"""The queue's own rows: every creator's line, the workers, and the dispatch loop with its kill switch."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ActionForm
from django.db.models import Count, Exists, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.admin.tables import ReadOnly, in_words
from crm.causes import STOPPED_BY
from crm.clock import database_now
from crm.models import Dispatch, Line, Message, Worker
from crm.models.lines import REASON_MAX


class ReasonForm(ActionForm):
    """Beside the choice of what to do: why, for those whose messages wait."""

    reason = forms.CharField(
        label=_("Reason:"),
        required=False,
        max_length=REASON_MAX,
        widget=forms.TextInput(attrs={"placeholder": _("Shown above the inbox")}),
    )


@admin.register(Line)
class LineAdmin(ReadOnly, admin.ModelAdmin):
    list_display = (
        "creator",
        "waiting",
        "wake_at",
        "hold_until",
        "hold_cause",
        "paused_at",
        in_words("paused_reason"),
        "seq",
    )
    exclude = ("paused_reason",)
    readonly_fields = (in_words("paused_reason"),)
    list_filter = ("hold_cause",)
    list_select_related = ("creator",)
    search_fields = ("creator__name", "creator__handle")
    ordering = ("creator__name",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        # A subquery, which the partial index of waiting messages answers; a join would read everything ever said.
        waiting = Message.objects.waiting().filter(creator=OuterRef("pk")).values("creator").annotate(count=Count("pk"))
        return super().get_queryset(request).annotate(waiting=Coalesce(Subquery(waiting.values("count")), 0))

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
        in_words("stopped_reason"),
        "queue_depth",
        "queue_in_flight",
        "dlq_count",
        "queue_sampled_at",
        "queue_trouble",
        "gate_trouble",
        in_words("worker_trouble"),
        "over_threshold",
    )
    exclude = ("stopped_reason", "worker_trouble")
    readonly_fields = (in_words("stopped_reason"), in_words("worker_trouble"))
    action_form = ReasonForm
    actions = ("stop_all_sending", "resume_all_sending")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The switch is there before the first dispatch loop ever ran."""
        Dispatch.ensured()
        return super().changelist_view(request, extra_context)

    @admin.display(description=_("warnings"))
    def over_threshold(self, dispatch: Dispatch) -> str:
        return " ".join(dispatch.warnings.values())

    def has_stop_permission(self, request: HttpRequest) -> bool:
        """Nobody edits the row, yet whoever may change it may pull the switch."""
        return request.user.has_perm("crm.change_dispatch")

    @admin.action(description=_("Stop all sending"), permissions=["stop"])
    def stop_all_sending(self, request: HttpRequest, rows: QuerySet[Dispatch]) -> None:
        why = request.POST.get("reason", "").strip()
        reason = why or STOPPED_BY % {"user": request.user}
        Dispatch.stop_sending(reason=reason, now=database_now())
        self.log_change(request, Dispatch.current(), f"{_text('Stopped')}: {reason}")
        self.message_user(request, _("All sending is stopped."), messages.SUCCESS)

    @admin.action(description=_("Resume sending"), permissions=["stop"])
    def resume_all_sending(self, request: HttpRequest, rows: QuerySet[Dispatch]) -> None:
        Dispatch.resume_sending()
        self.log_change(request, Dispatch.current(), _text("Resumed"))
        self.message_user(request, _("Sending goes on."), messages.SUCCESS)


@admin.register(Worker)
class WorkerAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("name", "alive", "seen_at", "polled_at", "started_at")
    ordering = ("-seen_at",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Worker]:
        alive = Worker.objects.alive(database_now()).filter(pk=OuterRef("pk"))
        return super().get_queryset(request).annotate(is_alive=Exists(alive))

    @admin.display(boolean=True, description=_("alive"))
    def alive(self, worker: Worker) -> bool:
        alive: bool = worker.is_alive  # type: ignore[attr-defined]
        return alive
