"""Writing from the staff's tool: to the fan of one row, or to the fans who are chosen in the list."""

from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.admin.tables import who
from crm.forms import ChosenFansForm, ReplyForm
from crm.models import Campaign, Conversation, Creator, Fan, Message
from crm.numbers import grouped

FANS_MAX = Campaign.RECIPIENTS_MAX


class WritesToOne:
    """A row that stands for one fan, with a page to write to them: whoever may add messages may write."""

    def fan_of(self, row: Any) -> Fan:
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        site = cast("admin.ModelAdmin[Any]", self)
        name = f"{site.opts.app_label}_{site.opts.model_name}_write"
        write = path("<path:object_id>/write/", site.admin_site.admin_view(self.write_view), name=name)
        return [write, *super().get_urls()]  # type: ignore[misc]

    def write_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """GET shows the form; POST writes the message and goes to its page, which says when it will go."""
        site = cast("admin.ModelAdmin[Any]", self)
        row = site.get_object(request, unquote(object_id))
        if row is None:
            raise Http404
        if not (may_write(request) and site.has_view_permission(request, row)):
            raise PermissionDenied
        fan = self.fan_of(row)
        with timezone.override(fan.creator.zone):
            form = ReplyForm(request.POST if request.method == "POST" else None)
            if request.method == "POST" and (message := _queue(fan, form, request)):
                site.log_change(request, row, _("Wrote a message: %(id)s") % {"id": message.public_id})
                messages.success(request, _("It waits for its turn."))
                return redirect("admin:crm_message_change", message.pk)
            context = {
                **site.admin_site.each_context(request),
                "title": _("Write to %(fan)s") % {"fan": fan},
                "subtitle": str(fan.creator),
                "form": form,
                "fan": fan,
                "opts": site.opts,
                "original": row,
                "zone": fan.creator.zone,
            }
            return TemplateResponse(request, "admin/crm/write.html", context).render()


class WritesToMany(WritesToOne):
    """A list of fans: whoever may add campaigns may write to those who are chosen in it."""

    def has_write_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.add_campaign")

    @admin.action(description=gettext_lazy("Message selected fans"), permissions=["write"])
    def message_selected(self, request: HttpRequest, fans: "QuerySet[Fan]") -> HttpResponse | None:
        """A page with the form; posted, it makes a campaign of these fans and goes to it."""
        site = cast("admin.ModelAdmin[Fan]", self)
        needed = fans.order_by("pk").only("public_id", "platform_id", "name", "handle", "blocked_at", "creator")
        chosen = list(needed[: FANS_MAX + 1])
        if words := _not_these(chosen):
            messages.error(request, words)
            return None
        creator = Creator.objects.get(pk=chosen[0].creator_id)
        form = ChosenFansForm(request.POST if "written" in request.POST else None, number=len(chosen))
        if "written" in request.POST and (campaign := form.send(creator, chosen, request=request)):
            cast(Any, site).log_addition(request, campaign, _for_chosen(len(chosen)))
            said = {"name": campaign.name, "status": campaign.get_status_display()}
            messages.success(request, _("“%(name)s”: %(status)s.") % said)
            return redirect("admin:crm_campaign_change", campaign.pk)
        context = {
            **site.admin_site.each_context(request),
            "title": _title(len(chosen), creator),
            "form": form,
            "opts": site.opts,
            "action_checkbox_name": ACTION_CHECKBOX_NAME,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
            "back": reverse("admin:crm_fan_changelist"),
        }
        return TemplateResponse(request, "admin/crm/write_to_chosen.html", context)


def may_write(request: HttpRequest) -> bool:
    return request.user.has_perm("crm.add_message")


def _queue(fan: Fan, form: ReplyForm, request: HttpRequest) -> Message | None:
    """As the inbox does it; a conversation that was begun for a message that is refused has not begun."""
    with transaction.atomic():
        message = form.send(Conversation.objects.with_fan(fan), author=who(request))
        if message is None:
            transaction.set_rollback(True)
    return message


def _not_these(chosen: list[Fan]) -> str:
    if len(chosen) > FANS_MAX:
        return _("At most %(max)s fans in one campaign. Choose fewer.") % {"max": grouped(FANS_MAX)}
    if len({fan.creator_id for fan in chosen}) > 1:
        return _("These fans belong to several creators. Filter by one of them first.")
    return ""


def _title(many: int, creator: Creator) -> str:
    words = ngettext("Message %(number)s fan of %(creator)s", "Message %(number)s fans of %(creator)s", many)
    return words % {"number": grouped(many), "creator": creator}


def _for_chosen(many: int) -> str:
    return ngettext("For %(number)s chosen fan.", "For %(number)s chosen fans.", many) % {"number": grouped(many)}
