"""One creator: name, clock, pace, and the pause of its line."""

from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm.clock import database_now
from crm.forms.settings import CreatorForm, PauseForm
from crm.models import Creator, Line, Membership
from crm.pace import in_words, pace_of
from crm.views.access import SignedInRequest, chosen_creator, signed_in
from crm.views.settings.addresses import back_to

TEMPLATE = "crm/settings/creator.html"


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def creator(request: SignedInRequest) -> HttpResponse:
    """GET shows it; POST keeps it, or with ``check`` only says what the pace would mean."""
    chosen = chosen_creator(request)
    if request.method != "POST":
        return _page(request, chosen, CreatorForm(None, creator=chosen))
    _require_manager(request, chosen)
    form = CreatorForm(request.POST, creator=chosen)
    if not form.is_valid():
        return _page(request, chosen, form, status=HTTPStatus.BAD_REQUEST)
    if "check" in request.POST:
        return _page(request, chosen, form, would_mean=in_words(pace_of(form.cleaned_data["pace"])))
    chosen.change(**form.cleaned_data)
    messages.success(request, _("Saved. %(pace)s") % {"pace": in_words(chosen.allowances)})
    return back_to("creator_settings", chosen)


@require_POST
@signed_in
def pause(request: SignedInRequest) -> HttpResponse:
    """``act``: pause, which needs a reason, or resume."""
    chosen = chosen_creator(request)
    _require_manager(request, chosen)
    line, _created = Line.objects.get_or_create(creator=chosen)
    if request.POST.get("act") == "resume":
        line.resume(now=database_now())
        messages.success(request, _("%(creator)s sends again.") % {"creator": chosen})
        return back_to("creator_settings", chosen)
    form = PauseForm(request.POST)
    if not form.is_valid():
        shown = CreatorForm(None, creator=chosen)
        return _page(request, chosen, shown, pause_form=form, status=HTTPStatus.BAD_REQUEST)
    line.pause(reason=form.cleaned_data["reason"], now=database_now(), by=request.user)
    messages.success(request, _("%(creator)s is paused. What waits stays.") % {"creator": chosen})
    return back_to("creator_settings", chosen)


def _page(
    request: SignedInRequest, chosen: Creator, form: CreatorForm, *, status: HTTPStatus = HTTPStatus.OK, **more: Any
) -> HttpResponse:
    may_change = _manages(request, chosen)
    if not may_change:
        for field in form.fields.values():
            field.disabled = True
    context = {
        "form": form,
        "pause_form": PauseForm(),
        "may_change": may_change,
        "line": Line.objects.select_related("paused_by").filter(creator=chosen).first(),
        "means": _meaning(chosen),
        "is_default": not chosen.pace,
    }
    return render(request, TEMPLATE, context | more, status=status)


def _meaning(chosen: Creator) -> str:
    try:
        return in_words(chosen.allowances)
    except ValidationError as error:
        return " ".join(error.messages)


def _manages(request: SignedInRequest, chosen: Creator) -> bool:
    return chosen.memberships.filter(user=request.user, role__in=Membership.MANAGERS).exists()


def _require_manager(request: SignedInRequest, chosen: Creator) -> None:
    if not _manages(request, chosen):
        raise PermissionDenied
