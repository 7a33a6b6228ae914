"""The user's keys for other programs. A new one is shown in the answer that makes it, and never again."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm.clock import database_now
from crm.forms.settings import KeyForm
from crm.models import ApiKey
from crm.views.access import SignedInRequest, clock_of, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def keys(request: SignedInRequest) -> HttpResponse:
    """GET lists them; POST makes one."""
    form = KeyForm(request.POST if request.method == "POST" else None, user=request.user)
    issued = form.issue() if request.method == "POST" else None
    status = HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    context: dict[str, object] = {"form": form}
    if issued:
        status = HTTPStatus.CREATED
        context = {"form": KeyForm(None, user=request.user), "issued": issued[0], "secret": issued[1]}
    mine = ApiKey.objects.filter(user=request.user, revoked_at=None).select_related("creator").order_by("-id")
    with timezone.override(clock := clock_of(request)):
        shown = {"keys": mine, "now": database_now(), "clock": clock}
        return render(request, "crm/settings/keys.html", context | shown, status=status)


@require_POST
@signed_in
def revoke(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """What it opened is closed with the next request."""
    get_object_or_404(ApiKey, user=request.user, revoked_at=None, public_id=public_id).revoke()
    messages.success(request, _("The key is revoked."))
    return redirect("api_keys")
