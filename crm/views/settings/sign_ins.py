"""Where the user is signed in, and how to end it."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from crm import sign_ins
from crm.clock import database_now
from crm.models import Session, TokenFamily
from crm.views.access import SignedInRequest, clock_of, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def list_of(request: SignedInRequest) -> HttpResponse:
    """GET shows browsers and API sign-ins; POST ends the one that is named, or all but this browser's."""
    if request.method == "POST":
        _end(request)
        return redirect("sign_ins")
    now, clock = database_now(), clock_of(request)
    context = {
        "clock": clock,
        "sessions": Session.objects.of(request.user, now),
        "this_one": request.session.session_key,
        "families": TokenFamily.objects.alive(request.user, now),
    }
    with timezone.override(clock):
        return render(request, "crm/settings/sign_ins.html", context)


def _end(request: SignedInRequest) -> None:
    if session := request.POST.get("session"):
        if not sign_ins.end_session(request.user, session):
            raise Http404
        messages.success(request, _("It is signed out."))
    elif family := request.POST.get("family"):
        mine = {str(each.public_id): each for each in TokenFamily.objects.filter(user=request.user)}
        if family not in mine:
            raise Http404
        mine[family].finish(TokenFamily.End.SIGNED_OUT)
        messages.success(request, _("It is signed out."))
    else:
        ended = sign_ins.end_all(request.user, but=request.session.session_key or "")
        words = ngettext("%(count)d sign-in has ended.", "%(count)d sign-ins have ended.", ended)
        messages.success(request, words % {"count": ended})
