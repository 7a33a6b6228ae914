"""The page of those who send by hand."""

from typing import cast
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from crm.models import Creator, Message, User
from onlyfans import assisting
from onlyfans.models import Provider


class HttpResponseSeeOther(HttpResponseRedirect):
    status_code = 303


@require_safe
@never_cache
@login_required
def assisted(request: HttpRequest) -> HttpResponse:
    """What is due, one desk for each creator."""
    return _page(request)


@require_POST
@never_cache
@login_required
def assist(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """``act``: take, sent, not_sent or cancel. Back to the list; 409 says why it was not done."""
    user = cast(User, request.user)
    message = (
        Message.objects.for_user(user)
        .select_related("creator__line", "creator__connection", "conversation")
        .filter(public_id=message_id, creator__connection__provider=Provider.ASSISTED)
        .first()
    )
    if message is None:
        raise Http404
    if not Creator.objects.sendable_by(user).filter(pk=message.creator_id).exists():
        raise PermissionDenied
    try:
        match request.POST.get("act"):
            case "take":
                assisting.take(message, user)
            case "sent":
                assisting.sent(message, user)
            case "not_sent":
                assisting.not_sent(message, user)
            case "cancel":
                assisting.not_sent(message, user, cancel=True)
            case _:
                return _page(request, trouble="", status=400)
    except assisting.NotNow as error:
        return _page(request, trouble=str(error), status=409)
    return HttpResponseSeeOther(reverse("assisted"))


def _page(request: HttpRequest, *, trouble: str = "", status: int = 200) -> HttpResponse:
    context = {"desks": assisting.desks(cast(User, request.user)), "trouble": trouble}
    return render(request, "onlyfans/assisted.html", context, status=status)
