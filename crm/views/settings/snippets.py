"""A creator's canned texts: whoever writes to fans writes them, whoever manages the creator takes them away."""

from http import HTTPStatus
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm import personalising
from crm.forms.settings import SnippetForm
from crm.models import Creator, Fan, Membership, Snippet
from crm.views.access import SignedInRequest, chosen_creator, signed_in
from crm.views.settings.addresses import back_to


@require_safe
@signed_in
def snippets(request: SignedInRequest) -> HttpResponse:
    chosen = chosen_creator(request)
    context = {"snippets": chosen.snippets.all(), "may_write": _may(request, chosen, Membership.WRITERS)}
    return render(request, "crm/settings/snippets.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: SignedInRequest) -> HttpResponse:
    return _edit(request, Snippet(creator=chosen_creator(request)))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def snippet(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """GET shows it; POST keeps it, or with ``delete`` takes it away."""
    mine = Snippet.objects.for_user(request.user).select_related("creator")
    return _edit(request, get_object_or_404(mine, public_id=public_id))


def _edit(request: SignedInRequest, chosen: Snippet) -> HttpResponse:
    """With ``check`` the page only says how it reads."""
    form = SnippetForm(request.POST if request.method == "POST" else None, snippet=chosen)
    if not _may(request, chosen.creator, Membership.WRITERS):
        raise PermissionDenied
    if request.method == "POST":
        if "delete" in request.POST:
            return _delete(request, chosen)
        if "check" not in request.POST and form.save():
            messages.success(request, _("Saved."))
            return back_to("snippets", chosen.creator)
    text = form.cleaned_data.get("text", "") if form.is_bound and form.is_valid() else chosen.text
    context = {
        "form": form,
        "snippet": chosen,
        "readings": _readings(text) if not form.errors else [],
        "may_delete": not chosen._state.adding and _may(request, chosen.creator, Membership.MANAGERS),
    }
    status = HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    return render(request, "crm/settings/snippet.html", context, status=status)


def _delete(request: SignedInRequest, chosen: Snippet) -> HttpResponse:
    if chosen._state.adding or not _may(request, chosen.creator, Membership.MANAGERS):
        raise PermissionDenied
    chosen.delete()
    messages.success(request, _("The snippet is deleted."))
    return back_to("snippets", chosen.creator)


def _readings(text: str) -> list[tuple[str, str]]:
    """How it reads to two fans: one with a name, and one of whom nothing is known."""
    if not text:
        return []
    known, unknown = Fan(name="Daniel Moreau", handle="danielm"), Fan()
    return [
        (_("To Daniel Moreau, @danielm"), personalising.fill_in(text, known)),
        (_("To a fan without a name"), personalising.fill_in(text, unknown)),
    ]


def _may(request: SignedInRequest, creator: Creator, roles: tuple[Membership.Role, ...]) -> bool:
    return creator.memberships.filter(user=request.user, role__in=roles).exists()
