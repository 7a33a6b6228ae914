"""Who works for a creator, and as what."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import teaming
from crm.forms.settings import InviteForm
from crm.models import Creator, Membership
from crm.views.access import SignedInRequest, chosen_creator, signed_in
from crm.views.settings.addresses import back_to


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def team(request: SignedInRequest) -> HttpResponse:
    """GET lists the team; POST invites somebody and shows their link, this once."""
    chosen = chosen_creator(request)
    roles = teaming.may_give(request.user, chosen)
    if request.method != "POST":
        return _page(request, chosen, InviteForm(None, roles=roles))
    if not roles:
        raise PermissionDenied
    form = InviteForm(request.POST, roles=roles)
    membership = form.invite(chosen, by=request.user)
    if membership is None:
        return _page(request, chosen, form, status=HTTPStatus.BAD_REQUEST)
    return _with_link(request, membership)


@require_POST
@signed_in
def member(request: SignedInRequest, user_id: UUID) -> HttpResponse:
    """``act``: role, remove, or link, which shows a new one."""
    chosen = chosen_creator(request)
    membership = get_object_or_404(chosen.memberships.select_related("creator", "user"), user__public_id=user_id)
    try:
        match request.POST.get("act"):
            case "role" if request.POST.get("role") in Membership.Role.values:
                teaming.change_role(membership, request.POST["role"], by=request.user)
                messages.success(request, _("Saved."))
            case "remove":
                teaming.remove(membership, by=request.user)
                messages.success(request, _("%(name)s is no member any more.") % {"name": membership.user})
            case "link":
                return _with_link(request, membership)
            case _:
                return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    except ValidationError as refusal:
        roles = teaming.may_give(request.user, chosen)
        trouble = " ".join(refusal.messages)
        return _page(request, chosen, InviteForm(None, roles=roles), trouble=trouble, status=HTTPStatus.CONFLICT)
    return back_to("team", chosen)


def _with_link(request: SignedInRequest, membership: Membership) -> HttpResponse:
    chosen, token = membership.creator, teaming.invitation(membership, by=request.user)
    if not token:
        words = _("%(name)s has an account already and signs in with their own password.")
        messages.success(request, words % {"name": membership.user})
        return back_to("team", chosen)
    address = reverse("welcome", args=[membership.user.public_id, token])
    form = InviteForm(None, roles=teaming.may_give(request.user, chosen))
    more = {"invited": membership, "link": request.build_absolute_uri(address)}
    return _page(request, chosen, form, status=HTTPStatus.CREATED, **more)


def _page(
    request: SignedInRequest, chosen: Creator, form: InviteForm, *, status: HTTPStatus = HTTPStatus.OK, **more: Any
) -> HttpResponse:
    roles = teaming.may_give(request.user, chosen)
    memberships = chosen.memberships.select_related("user", "creator").order_by("created_at", "pk")
    members = [
        {
            "membership": membership,
            "may_change": membership.role in roles,
            "is_pending": not membership.user.has_usable_password(),
        }
        for membership in memberships
    ]
    return render(
        request, "crm/settings/team.html", {"form": form, "members": members, "roles": roles} | more, status=status
    )
