"""One fan: who they are, what happened with them, what the team knows about them."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, QuerySet, Sum, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm import erasing
from crm.forms.fans import EraseForm, FanForm, NoteForm, WornTagsForm
from crm.models import Conversation, Creator, Fan, Note, Recipient, Transaction
from crm.timeline import KINDS, timeline_of
from crm.views.access import (
    SignedInRequest,
    chosen_creator,
    manages,
    require_manager,
    require_writer,
    see_other,
    signed_in,
    writes,
)

CAMPAIGNS_SHOWN = 10
#: All of them are in the timeline.
NOTES_SHOWN = 20


@require_safe
@signed_in
def fan(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The fan's page."""
    return _page(request, _find(request, public_id))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: SignedInRequest) -> HttpResponse:
    """Add a fan by hand."""
    creator = chosen_creator(request)
    require_writer(request, creator)
    with timezone.override(creator.zone):
        form = FanForm(creator, request.POST if request.method == "POST" else None)
        if request.method == "POST" and (added := form.save()):
            messages.success(request, _("%(fan)s is added.") % {"fan": added})
            return see_other(_address(added))
        return _form(request, form, creator)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def edit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Change what is known of a fan."""
    found = _find(request, public_id)
    require_writer(request, found.creator)
    with timezone.override(found.creator.zone):
        form = FanForm(found.creator, request.POST if request.method == "POST" else None, fan=found)
        if request.method == "POST" and form.save():
            messages.success(request, _("Saved."))
            return see_other(_address(found))
        return _form(request, form, found.creator)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def erase(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Forget a person for good, after somebody has typed their name."""
    found = _find(request, public_id)
    require_manager(request, found.creator)
    form = EraseForm(found, request.POST if request.method == "POST" else None)
    status = HTTPStatus.OK
    if request.method == "POST":
        status = HTTPStatus.BAD_REQUEST
        if form.is_valid():
            try:
                erasing.erase_fan(found)
            except erasing.OnItsWay as error:
                form.add_error(None, str(error))
                status = HTTPStatus.CONFLICT
            else:
                messages.success(request, _("The fan is erased."))
                return see_other(reverse("fans"))
    return render(request, "crm/fans/erase.html", {"fan": found, "form": form}, status=status)


@require_POST
@signed_in
def tags(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The fan has the tags that are named and no other."""
    found = _find(request, public_id)
    require_writer(request, found.creator)
    form = WornTagsForm(found, request.POST)
    if form.save():
        return see_other(_address(found))
    return _page(request, found, tags_form=form)


@require_POST
@signed_in
def write_note(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """A new note."""
    found = _find(request, public_id)
    require_writer(request, found.creator)
    form = NoteForm(request.POST)
    if form.save(found, author=request.user):
        return see_other(_address(found) + "#notes")
    return _page(request, found, note_form=form)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def note(request: SignedInRequest, public_id: UUID, note_id: UUID) -> HttpResponse:
    """Write a note differently, or take it away: its author may, and an owner or a manager."""
    found = _find(request, public_id)
    chosen = get_object_or_404(Note.objects.filter(fan=found).select_related("author", "fan"), public_id=note_id)
    require_writer(request, found.creator)
    if not (chosen.author_id == request.user.pk or manages(request, found.creator)):
        raise PermissionDenied(_("Only its author, or an owner or a manager of this creator, may change a note."))
    if request.POST.get("act") == "delete":
        chosen.erase()
        messages.success(request, _("The note is deleted."))
        return see_other(_address(found) + "#notes")
    form = NoteForm(request.POST if request.method == "POST" else None, note=chosen)
    if request.method == "POST" and form.save(found, author=request.user):
        return see_other(_address(found) + "#notes")
    status = HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    return render(request, "crm/fans/note.html", {"fan": found, "form": form}, status=status)


@require_POST
@signed_in
def talk(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Open the conversation, which begins now if there was none."""
    found = _find(request, public_id)
    require_writer(request, found.creator)
    conversation = Conversation.objects.with_fan(found)
    return see_other(reverse("conversation", args=[conversation.public_id]))


def _page(
    request: SignedInRequest,
    found: Fan,
    *,
    note_form: NoteForm | None = None,
    tags_form: WornTagsForm | None = None,
) -> HttpResponse:
    kind = request.GET.get("kind", "")
    kind = kind if kind in KINDS else ""
    try:
        stretch = timeline_of(found, kind=kind, cursor=request.GET.get("before", ""))
    except ValidationError:
        return redirect(_address(found))
    prefetch_related_objects([found], "tags")
    notes = found.notes.select_related("author")
    context = {
        "fan": found,
        "creator": found.creator,
        "conversation_of_fan": getattr(found, "conversation", None),
        "figures": _figures(found),
        "timeline": stretch,
        "kind": kind,
        "kinds": [("", _("Everything")), *((key, words) for key, (words, _column) in KINDS.items())],
        "is_first_page": "before" not in request.GET,
        "notes": list(notes[:NOTES_SHOWN]),
        "campaigns": _campaigns(found),
        "note_form": note_form or NoteForm(),
        "tags_form": tags_form or WornTagsForm(found),
        "may_write": writes(request, found.creator),
        "may_manage": manages(request, found.creator),
    }
    refused = (note_form and note_form.errors) or (tags_form and tags_form.errors)
    with timezone.override(found.creator.zone):
        return render(
            request, "crm/fans/detail.html", context, status=HTTPStatus.BAD_REQUEST if refused else HTTPStatus.OK
        )


def _figures(found: Fan) -> dict[str, Any]:
    """Money by kind, in the creator's currency alone: amounts of several currencies have no sum."""
    paid = Transaction.objects.filter(fan=found).order_by().values_list("currency", "kind")
    summed = list(paid.annotate(Sum("amount_cents"), Count("pk")))
    by_kind = {kind: (cents, many) for currency, kind, cents, many in summed if currency == found.creator.currency}
    kinds = [(words, *by_kind[kind]) for kind, words in Transaction.Kind.choices if kind in by_kind]
    others = sum(many for currency, _kind, _cents, many in summed if currency != found.creator.currency)
    return {"kinds": kinds, "in_other_currencies": others}


def _campaigns(found: Fan) -> "QuerySet[Recipient]":
    return found.campaign_recipients.select_related("campaign", "message").order_by("-pk")[:CAMPAIGNS_SHOWN]


def _form(request: SignedInRequest, form: FanForm, creator: Creator) -> HttpResponse:
    context = {"form": form, "fan": form.fan, "creator": creator}
    return render(
        request, "crm/fans/form.html", context, status=HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    )


def _find(request: SignedInRequest, public_id: UUID) -> Fan:
    mine = Fan.objects.for_user(request.user).select_related("creator", "conversation")
    return get_object_or_404(mine, public_id=public_id)


def _address(found: Fan) -> str:
    return reverse("fan", args=[found.public_id])
