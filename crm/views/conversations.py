"""The inbox: the list, one conversation, and the parts of both that refresh themselves."""

from http import HTTPStatus
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm.forms import ReplyForm
from crm.inbox import with_tags
from crm.models import Conversation, User
from crm.views import replies
from crm.views.access import SignedInRequest, choose, chosen_creator, see_other, signed_in
from crm.views.inbox import (
    TEMPLATE,
    address_of,
    as_uuid,
    find,
    list_context,
    look_at,
    overview,
    thread_alone,
    whole_page,
)


@require_safe
@signed_in
def inbox(request: SignedInRequest) -> HttpResponse:
    """The list, nothing opened."""
    with timezone.override(chosen_creator(request).zone):
        return whole_page(request, None, None)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def conversation(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One conversation: GET shows it, POST writes to the fan."""
    chosen = find(request, public_id)
    with timezone.override(chosen.creator.zone):
        if request.method == "POST":
            return replies.reply(request, chosen)
        if request.GET.get("creator", str(chosen.creator.public_id)) != str(chosen.creator.public_id):
            # The switch above the list, which stands on every page.
            return redirect(f"{reverse('inbox')}?creator={request.GET['creator']}")
        choose(request, chosen.creator)
        return whole_page(request, chosen, ReplyForm.of(chosen.draft))


@require_safe
@signed_in
def conversations(request: SignedInRequest) -> HttpResponse:
    """The list alone, with the notices above it."""
    opened = as_uuid(request.GET.get("chosen"))
    mine = with_tags(Conversation.objects.for_user(request.user))
    chosen = (
        mine.select_related("creator__line", "fan", "assigned_to").filter(public_id=opened).first() if opened else None
    )
    if chosen:
        request.creator = chosen.creator
    else:
        look_at(request)
    with timezone.override(request.creator.zone):
        context = list_context(request, chosen, overview(request))
        return render(request, f"{TEMPLATE}#list_update", context | {"conversation": chosen})


@require_safe
@signed_in
def messages(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The thread alone."""
    chosen = find(request, public_id)
    with timezone.override(chosen.creator.zone):
        return thread_alone(request, chosen)


@require_safe
@signed_in
def changes(request: SignedInRequest) -> HttpResponse:
    """What the page asks every few seconds: 304 while nothing is newer than ``after`` and all else is as its ETag says.

    Else the number of the latest change, and an ETag, with which the page asks the next time; the parts of it that were
    made before that are stale.
    """
    look_at(request)
    with timezone.override(request.creator.zone):
        seen = overview(request)
    tag = f'W/"{seen.stamp}"'
    if request.GET.get("after") == str(seen.seq) and request.headers.get("If-None-Match") == tag:
        return HttpResponse(status=HTTPStatus.NOT_MODIFIED, headers={"ETag": tag})
    return JsonResponse({"after": seen.seq}, headers={"ETag": tag})


@require_POST
@signed_in
def mark_read(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Posted by the page once somebody looks at it, or by its button without JavaScript. ``act`` unread takes it back.

    A GET alone, say of a prefetching browser, reads nothing. Somebody who may only look on leaves it unread
    for those who answer.
    """
    chosen = find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    if request.POST.get("act") == "unread":
        chosen.mark_unread()
        # Back on its page, looking at it would read it again.
        return see_other(reverse("inbox"))
    chosen.mark_read()
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return see_other(address_of(request, chosen))


@require_POST
@signed_in
def assign(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """``to``: somebody's id, or nothing for nobody. 400 for who may not write for this creator."""
    chosen = find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    named = as_uuid(request.POST.get("to"))
    somebody = User.objects.filter(public_id=named).first() if named else None
    if request.POST.get("to") and somebody is None:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    try:
        chosen.assign(somebody)
    except ValidationError:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    return see_other(address_of(request, chosen))
