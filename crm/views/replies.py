"""Writing to a fan: the composer's post, its draft, snippets for it, and what a person does about one message."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from crm import composing, personalising
from crm.forms import DraftForm, ReplyForm
from crm.forms.replies import DRAFTED
from crm.models import Message, Snippet, StateForbids, User
from crm.views.access import SignedInRequest, see_other, signed_in
from crm.views.inbox import TEMPLATE, Found, address_of, as_uuid, find, thread_alone, whole_page

SNIPPETS_SHOWN = 50

#: What a person may do about one message. Decisions are about an outcome that nobody else can know.
ACTS: Mapping[str, Callable[[Message, User], object]] = {
    "cancel": lambda message, user: message.cancel(by=user),
    "undo": lambda message, user: composing.take_back(message, by=user),
    "retry": lambda message, user: message.retry(by=user),
    "not_sent": lambda message, user: message.retry(by=user, not_sent=True),
    "sent": lambda message, user: message.it_was_sent(by=user),
}
DECISIONS = ("not_sent", "sent")


def reply(request: SignedInRequest, chosen: Found) -> HttpResponse:
    if not chosen.may_send:
        raise PermissionDenied
    form = ReplyForm(request.POST)
    message = form.send(chosen, author=request.user)
    if message is None:
        return _refused(request, chosen, form)
    if request.htmx:
        return thread_alone(request, find(request, chosen.public_id))
    return see_other(f"{address_of(request, chosen)}#m-{message.public_id}")


def _refused(request: SignedInRequest, chosen: Found, form: ReplyForm) -> HttpResponse:
    """The composer again with all that was typed, each error at its field; beside what somebody else has answered."""
    status = HTTPStatus.CONFLICT if form.answered else HTTPStatus.BAD_REQUEST
    if not request.htmx:
        return whole_page(request, chosen, form, status=status)
    if form.answered:
        return _thread_and_composer(request, chosen, form, status=status)
    context = {"conversation": chosen, "form": form, "address": address_of(request, chosen)}
    return render(request, f"{TEMPLATE}#composer", context, status=status)


@require_POST
@signed_in
def draft(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Keep what stands in the composer, and put a snippet at its end if one is asked for. 400 for what is too long."""
    chosen = find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    typed = request.POST.copy()
    if "text" not in typed and chosen.draft:
        typed.update({name: str(getattr(chosen.draft, name)) for name in DRAFTED})
    if named := typed.get("snippet"):
        snippet = get_object_or_404(_snippets_of(chosen), public_id=as_uuid(named))
        filled = personalising.fill_in(snippet.text, chosen.fan)
        typed["text"] = "\n".join(filter(str.strip, [typed.get("text", ""), filled]))
    kept = DraftForm(typed).keep(chosen, request.user)
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT if kept else HTTPStatus.BAD_REQUEST)
    if not kept:
        form = ReplyForm(typed)
        form.add_error(None, _("This is too long to be kept. Shorten it first."))
        with timezone.override(chosen.creator.zone):
            return whole_page(request, chosen, form, status=HTTPStatus.BAD_REQUEST)
    if "choose" in typed:
        return see_other(reverse("composer_snippets", args=[chosen.public_id]))
    return see_other(f"{address_of(request, chosen)}#composer")


@require_safe
@signed_in
def snippets(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The snippets whose names or texts have ``q`` in them, as this fan would read them."""
    chosen = find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    found = _snippets_of(chosen)
    if words := request.GET.get("q", "").strip():
        found = found.filter(name__icontains=words) | found.filter(text__icontains=words)
    first = found.order_by("name")[:SNIPPETS_SHOWN]
    shown = [(snippet, personalising.fill_in(snippet.text, chosen.fan)) for snippet in first]
    context = {"conversation": chosen, "snippets": shown, "address": address_of(request, chosen)}
    return render(request, f"crm/conversations/{'_snippets' if request.htmx else 'snippets'}.html", context)


@require_POST
@signed_in
def settle(request: SignedInRequest, public_id: UUID, message_id: UUID) -> HttpResponse:
    """A button below a message: cancel it, take it back, send it again, or say what became of it. The thread shows what
    is true now, also when somebody was faster."""
    chosen = find(request, public_id)
    message = get_object_or_404(chosen.messages, public_id=message_id)
    act = request.POST.get("act", "")
    allowed = chosen.may_decide if act in DECISIONS else chosen.may_send
    if not allowed:
        raise PermissionDenied
    if act not in ACTS:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    with timezone.override(chosen.creator.zone):
        with suppress(StateForbids):
            ACTS[act](message, request.user)
        if request.htmx:
            settled = find(request, public_id)
            if act == "undo":
                return _thread_and_composer(request, settled, ReplyForm.of(settled.draft))
            return thread_alone(request, settled)
    return see_other(f"{address_of(request, chosen)}#m-{message.public_id}")


def _thread_and_composer(
    request: SignedInRequest, chosen: Found, form: ReplyForm, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    """Both parts that changed at once; the page takes the composer out for itself."""
    response = thread_alone(request, find(request, chosen.public_id))
    context = {"conversation": chosen, "form": form, "address": address_of(request, chosen)}
    response.content += render(request, f"{TEMPLATE}#composer", context).content
    response.status_code = status
    return response


def _snippets_of(chosen: Found) -> QuerySet[Snippet]:
    return Snippet.objects.filter(creator=chosen.creator_id)
