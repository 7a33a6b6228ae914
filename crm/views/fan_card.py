"""The card beside a thread: who the fan is, what the team knows, and what they bought and were sent."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from crm.forms.fans import NoteForm
from crm.models import Note, Tag
from crm.views.access import SignedInRequest, see_other, signed_in
from crm.views.inbox import Found, address_of, as_uuid, find

SHOWN, NOTES_SHOWN = 10, 50
TEMPLATE = "crm/conversations/card.html"


@require_safe
@signed_in
def card(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """A page of its own; the inbox takes the card out of it."""
    return _card(request, find(request, public_id))


@require_POST
@signed_in
def tags(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """``add``: a name, of a tag that is there or a new one; ``remove``: a tag's id."""
    chosen = _for_writing(request, public_id)
    try:
        if removed := request.POST.get("remove"):
            get_object_or_404(Tag, creator=chosen.creator_id, public_id=as_uuid(removed)).take_off([chosen.fan])
        else:
            for tag in Tag.objects.named(chosen.creator, [request.POST.get("add", "")]):
                tag.put_on([chosen.fan])
    except ValidationError as error:
        return _card(request, chosen, tag_errors=error.messages)
    return _done(request, chosen)


@require_POST
@signed_in
def notes(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """A new note."""
    chosen = _for_writing(request, public_id)
    form = NoteForm(request.POST)
    if not form.save(chosen.fan, author=request.user):
        return _card(request, chosen, note_form=form)
    return _done(request, chosen)


@require_POST
@signed_in
def note(request: SignedInRequest, public_id: UUID, note_id: UUID) -> HttpResponse:
    """``act`` delete, or the note's new words. By its author, or an owner or a manager."""
    chosen = _for_writing(request, public_id)
    written = get_object_or_404(chosen.fan.notes.select_related("fan"), public_id=note_id)
    if written.author_id != request.user.pk and not chosen.may_decide:
        raise PermissionDenied
    if request.POST.get("act") == "delete":
        written.erase()
        return _done(request, chosen)
    form = NoteForm(request.POST, note=written)
    if not form.save(chosen.fan, author=request.user):
        return _card(request, chosen, changed=written, change_form=form)
    return _done(request, chosen)


def _for_writing(request: SignedInRequest, public_id: UUID) -> Found:
    chosen = find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    return chosen


def _done(request: SignedInRequest, chosen: Found) -> HttpResponse:
    if request.htmx:
        return _card(request, chosen)
    return see_other(reverse("fan_card", args=[chosen.public_id]))


def _card(request: SignedInRequest, chosen: Found, **tried: Any) -> HttpResponse:
    """The card; with what was tried and refused it is a 400."""
    fan, is_part = chosen.fan, bool(request.htmx)
    status = HTTPStatus.BAD_REQUEST if tried else HTTPStatus.OK
    note_form = tried.pop("note_form", None) or NoteForm()
    # The composer beside the card has a field of the same name.
    note_form.auto_id = "id_note_%s"
    paid = fan.transactions.select_related("message").order_by("-occurred_at", "-id")
    mass = chosen.messages.filter(campaign__isnull=False).select_related("campaign").order_by("-send_at", "-id")
    context = {
        "conversation": chosen,
        "address": address_of(request, chosen),
        "worn": [each.tag for each in fan.fan_tags.select_related("tag").order_by("tag__name")],
        "known_tags": Tag.objects.filter(creator=chosen.creator_id).order_by("name")[: Tag.PER_CREATOR_MAX],
        "tag_max": Tag.NAME_MAX,
        "notes": [
            (each, _apart(tried["change_form"] if each == tried.get("changed") else NoteForm(note=each), each))
            for each in fan.notes.select_related("author")[:NOTES_SHOWN]
        ],
        "note_form": note_form,
        "paid": list(paid[:SHOWN]),
        "mass": list(mass[:SHOWN]),
        "team": chosen.creator.writers(),
    }
    with timezone.override(chosen.creator.zone):
        return render(request, f"{TEMPLATE}#card" if is_part else TEMPLATE, context | tried, status=status)


def _apart(form: NoteForm, written: Note) -> NoteForm:
    """There are several on one page: its fields have ids of their own."""
    form.auto_id = f"id_{written.public_id}_%s"
    return form
