"""The kill switch, for staff who may use it: no call for anybody begins while it is on."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm.clock import database_now
from crm.forms.settings import PauseForm
from crm.models import Dispatch
from crm.views.access import SignedInRequest, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def sending(request: SignedInRequest) -> HttpResponse:
    """GET says how it is; POST with ``act`` stop, which needs a reason, or resume."""
    if not request.user.has_perm("crm.change_dispatch"):
        raise PermissionDenied
    form = PauseForm(request.POST if request.POST.get("act") == "stop" else None)
    if request.method == "POST":
        if request.POST.get("act") == "resume":
            Dispatch.resume_sending()
            messages.success(request, _("Sending goes on."))
            return redirect("sending")
        if form.is_valid():
            Dispatch.stop_sending(reason=form.cleaned_data["reason"], now=database_now())
            messages.success(request, _("All sending is stopped."))
            return redirect("sending")
    dispatch = Dispatch.current()
    context = {"form": form, "dispatch": dispatch, "is_silent": dispatch.is_silent(database_now())}
    status = HTTPStatus.BAD_REQUEST if request.method == "POST" else HTTPStatus.OK
    return render(request, "crm/settings/sending.html", context, status=status)
