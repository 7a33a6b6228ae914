"""What is done with conversations besides answering them, with one or with those that are selected in the list."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from crm import tagging
from crm.clock import database_now
from crm.forms import ReplyForm, SnoozeForm
from crm.inbox import VIEWS, after
from crm.models import Conversation, Creator, User, WrittenMeanwhile
from crm.models.conversations import ConversationQuerySet
from crm.templatetags.inbox import full_moment
from crm.templatetags.shell import called
from crm.views import done
from crm.views.access import SignedInRequest, chosen_creator, see_other, signed_in
from crm.views.inbox import (
    Found,
    address_of,
    as_uuid,
    carried,
    find,
    inbox_address,
    query_string,
    scope_of,
    view_name,
    whole_page,
)

#: As many as two pages of the list show.
MANY_MAX = 100
#: Beside words on what a fan did meanwhile.
NEWS = "message-square"


@require_POST
@signed_in
def close(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Closed, it leads to the next conversation of the list. ``act`` reopen takes it back.

    ``seen`` is the number of the latest change that the page shows: where the fan has written since, nothing is closed.
    """
    chosen = _find_for_writing(request, public_id)
    if request.POST.get("act") == "reopen":
        chosen.reopen(by=request.user)
        return see_other(address_of(request, chosen))
    next_one = address_after(request, chosen)
    try:
        closed = chosen.close(by=request.user, seen=_seen(request))
    except WrittenMeanwhile:
        words = _("%(fan)s has just written, so it stays open.") % {"fan": chosen.fan.display_name}
        done.tell(request, words, icon=NEWS)
        return see_other(address_of(request, chosen))
    done.keep(request, closed)
    words = _("%(fan)s is closed.") % {"fan": chosen.fan.display_name}
    done.tell(request, words, act="undo_closing", about=[chosen.public_id])
    return see_other(next_one)


@require_POST
@signed_in
def snooze(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """``until`` names a choice, or ``at`` a moment; it leads to the next conversation. 400 is the page, saying why."""
    chosen = _find_for_writing(request, public_id)
    with timezone.override(chosen.creator.zone):
        now, next_one = database_now(), address_after(request, chosen)
        form = SnoozeForm(request.POST, now=now, zone=chosen.creator.zone)
        if not form.snooze(Conversation.objects.filter(pk=chosen.pk), by=request.user):
            reply = ReplyForm.of(chosen.draft)
            return whole_page(request, chosen, reply, status=HTTPStatus.BAD_REQUEST, snoozing=form)
        words = _("%(fan)s is snoozed until %(moment)s.")
        names = {"fan": chosen.fan.display_name, "moment": full_moment(form.moment)}
        done.tell(request, words % names, act="reopen", about=form.snoozed)
    return see_other(next_one)


@require_POST
@signed_in
def many(request: SignedInRequest) -> HttpResponse:
    """``act`` on all whose ids are ``about``, or ``to`` whom they go; ``opened`` stays open if it stays in the list.

    ``seen`` is as for one.

    400 is the page again, with what was ticked, and says what is wrong: none are chosen, or more than ``MANY_MAX``, or
    the act's own reason. One that is foreign or unknown is 404. What fails for one is done to none.
    """
    act = ACTS.get("assign" if "to" in request.POST else request.POST.get("act", ""))
    named = [as_uuid(each) for each in request.POST.getlist("about")]
    wanted = {each for each in named if each}
    if act is None or not 0 < len(named) <= MANY_MAX:
        words = _("Choose from 1 to %(max)d conversations, and what to do with them.") % {"max": MANY_MAX}
        return _refused(request, words)
    chosen = Conversation.objects.for_user(request.user).filter(public_id__in=wanted)
    creators = Counter(chosen.values_list("creator_id", flat=True))
    if None in named or sum(creators.values()) < len(wanted):
        raise Http404
    if Creator.objects.sendable_by(request.user).filter(pk__in=creators).count() < len(creators):
        raise PermissionDenied
    try:
        with transaction.atomic():
            return act(request, chosen)
    except ValidationError as refusal:
        return _refused(request, " ".join(refusal.messages))


def _refused(request: SignedInRequest, words: str) -> HttpResponse:
    opened = as_uuid(request.POST.get("opened"))
    chosen = find(request, opened) if opened else None
    if chosen is None:
        chosen_creator(request)
    tried = {
        "done": {"words": words, "icon": "circle-alert"},
        "ticked": [as_uuid(each) for each in request.POST.getlist("about")],
        "tried_tag": request.POST.get("tag", ""),
    }
    with timezone.override(request.creator.zone):
        form = ReplyForm.of(chosen.draft) if chosen else None
        response = whole_page(request, chosen, form, status=HTTPStatus.BAD_REQUEST, **tried)
    # Nobody can come back to the address of this answer.
    response["HX-Replace-Url"] = "false"
    return response


def _close(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    closed = chosen.close(by=request.user, seen=_seen(request))
    open_still = chosen.filter(closed_at=None).count()
    words = []
    if closed:
        said = ngettext("%(count)d conversation is closed.", "%(count)d conversations are closed.", len(closed))
        words.append(said % {"count": len(closed)})
        done.keep(request, closed)
    if open_still:
        said = ngettext(
            "%(count)d stays open: the fan has just written.",
            "%(count)d stay open: their fans have just written.",
            open_still,
        )
        words.append(said % {"count": open_still})
    if closed:
        done.tell(request, " ".join(words), act="undo_closing", about=closed)
    elif words:
        done.tell(request, " ".join(words), icon=NEWS)
    return see_other(_back(request, left=closed))


def _reopen(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    return _opened_again(request, chosen.reopen(by=request.user))


def _undo_closing(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    """Of closing: also what was unread is so again. Of one that was not the last to be closed only that it is open."""
    closings = done.take(request, chosen.values_list("public_id", flat=True))
    reopened = chosen.filter(public_id__in=closings).undo_closing(closings, by=request.user)
    reopened += chosen.exclude(public_id__in=closings).reopen(by=request.user)
    return _opened_again(request, reopened)


def _opened_again(request: SignedInRequest, reopened: list[UUID]) -> HttpResponse:
    if len(reopened) == 1:
        return see_other(reverse("conversation", args=reopened) + query_string(carried(request)))
    return see_other(_back(request))


def _read(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    chosen.mark_read()
    many = chosen.count()
    words = ngettext("%(count)d conversation is marked as read.", "%(count)d conversations are marked as read.", many)
    done.tell(request, words % {"count": many})
    return see_other(_back(request))


def _unread(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    chosen.mark_unread()
    named = list(chosen.values_list("public_id", flat=True))
    words = ngettext(
        "%(count)d conversation is marked as unread.", "%(count)d conversations are marked as unread.", len(named)
    )
    done.tell(request, words % {"count": len(named)})
    # Looking at the one that is open would read it again.
    return see_other(_back(request, left=named))


def _assign(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    """``to`` is somebody's id, or empty for nobody."""
    named = request.POST["to"]
    to = get_object_or_404(User, public_id=as_uuid(named)) if named else None
    chosen.assign(to)
    many, name = chosen.count(), called(to) if to else _("nobody")
    words = ngettext(
        "%(count)d conversation is assigned to %(name)s.", "%(count)d conversations are assigned to %(name)s.", many
    )
    done.tell(request, words % {"count": many, "name": name})
    return see_other(_back(request))


def _tag(request: SignedInRequest, chosen: ConversationQuerySet) -> HttpResponse:
    name = request.POST.get("tag", "").strip()
    many = tagging.put_on_fans_of(chosen, name=name)
    words = ngettext("%(many)s more fan has “%(tag)s” now.", "%(many)s more fans have “%(tag)s” now.", many)
    done.tell(request, words % {"many": many, "tag": name})
    return see_other(_back(request))


ACTS: Mapping[str, Callable[[SignedInRequest, ConversationQuerySet], HttpResponse]] = {
    "read": _read,
    "unread": _unread,
    "assign": _assign,
    "tag": _tag,
    "close": _close,
    "reopen": _reopen,
    "undo_closing": _undo_closing,
}


def _back(request: SignedInRequest, left: Collection[UUID] = ()) -> str:
    """To the conversation that is open, unless it has left the list."""
    opened = as_uuid(request.POST.get("opened"))
    if opened is None or opened in left:
        return inbox_address(request)
    return reverse("conversation", args=[opened]) + query_string(carried(request))


def address_after(request: SignedInRequest, left: Conversation) -> str:
    """Where to go on once ``left`` is out of the list. Beside what was searched it stays open."""
    if request.GET.get("q"):
        return address_of(request, left)
    next_one = after(VIEWS[view_name(request)], scope_of(request, database_now()), left)
    return address_of(request, next_one) if next_one else inbox_address(request)


def _seen(request: SignedInRequest) -> int | None:
    try:
        return int(request.POST.get("seen", "")[:18])
    except ValueError:
        return None


def _find_for_writing(request: SignedInRequest, public_id: UUID) -> Found:
    chosen = find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    return chosen
