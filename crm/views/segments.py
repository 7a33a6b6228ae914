"""Segments: the list, the builder with its live count, and the ready-made ones."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from crm import segments as rules
from crm.forms.filters import READY, FilterForm
from crm.forms.rules import Builder
from crm.models import Creator, Fan, Segment
from crm.segments import READY_MADE, SAMPLE
from crm.views.access import SignedInRequest, chosen_creator, manages, require_manager, see_other, signed_in
from crm.wording import rule_in_words

BUILDER = "crm/segments/detail.html"


@require_safe
@signed_in
def segments(request: SignedInRequest) -> HttpResponse:
    """Those of the creator, and those that everybody has."""
    creator = chosen_creator(request)
    context = {
        "creator": creator,
        "segments": [_listed(segment, creator) for segment in creator.segments.all()],
        "ready_made": [
            {"id": f"{READY}{each.key}", "name": each.name, "words": rule_in_words(each.rule, creator=creator)}
            for each in READY_MADE
        ],
        "may_manage": manages(request, creator),
    }
    return render(request, "crm/segments/list.html", context)


@require_safe
@signed_in
def count(request: SignedInRequest) -> HttpResponse:
    """How many fans a segment has now, for the list: ``?segment=`` names it."""
    creator, asked = chosen_creator(request), request.GET.get("segment", "")
    by_id = {str(segment.public_id): segment.rule for segment in creator.segments.all()}
    by_id |= {f"{READY}{each.key}": each.rule for each in READY_MADE}
    if asked not in by_id:
        raise Http404
    chosen = rules.select(Fan.objects.all(), by_id[asked], creator=creator)
    return render(request, "crm/segments/count.html", {"how_many": chosen.count()})


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: SignedInRequest) -> HttpResponse:
    """A new one; from the filters of an address, which also name a segment that is to be copied."""
    creator = chosen_creator(request)
    require_manager(request, creator)
    if request.method == "POST":
        return _posted(request, Segment(creator=creator))
    asked = FilterForm(request.GET, creator=creator)
    rule = asked.rule if asked.is_valid() else {}
    name = _name_of_copy(creator, request.GET.get("segment", ""))
    return _shown(request, Segment(creator=creator, name=name), Builder.of_rule(rule, creator))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def segment(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One of them: whom it chooses now, and the rule."""
    mine = Segment.objects.for_user(request.user).select_related("creator")
    found = get_object_or_404(mine, public_id=public_id)
    if request.method != "POST":
        return _shown(request, found, Builder.of_rule(found.rule, found.creator))
    require_manager(request, found.creator)
    if request.POST.get("do") == "delete":
        found.delete()
        messages.success(request, _("The segment is deleted; its fans are still there."))
        return see_other(reverse("segments"))
    return _posted(request, found)


def _posted(request: SignedInRequest, found: Segment) -> HttpResponse:
    """A button of the builder: change the rule on the page, or save it."""
    builder, name = Builder.of_form(request.POST.dict(), found.creator), request.POST.get("name", "")
    if request.POST.get("do") != "save":
        found.name = name
        return _shown(request, found, builder)
    rule, errors = builder.rule(), {}
    if rule is not None:
        try:
            rules.write(found, name=name, rule=rule)
        except ValidationError as refusal:
            errors = refusal.message_dict
        else:
            messages.success(request, _("“%(segment)s” is saved.") % {"segment": found})
            return see_other(reverse("segment", args=[found.public_id]))
    found.name = name
    return _shown(request, found, builder, errors=errors, status=HTTPStatus.BAD_REQUEST)


def _shown(
    request: SignedInRequest,
    found: Segment,
    builder: Builder,
    *,
    errors: dict[str, Any] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    creator, errors = found.creator, errors or {}
    is_new = found._state.adding
    rule = builder.rule() if request.method == "POST" or is_new else found.rule
    chosen = None if rule is None else rules.select(Fan.objects.all(), rule, creator=creator)
    context = {
        "segment": found,
        "is_new": is_new,
        "creator": creator,
        "address": reverse("new_segment") if is_new else reverse("segment", args=[found.public_id]),
        "builder": builder,
        "words": "" if rule is None else rule_in_words(rule, creator=creator),
        "name_errors": errors.pop("name", []),
        "errors": [*builder.errors, *(words for words in errors.values())],
        "how_many": None if chosen is None else chosen.count(),
        "sample": [] if chosen is None else _sample(chosen),
        "sample_max": SAMPLE,
        "may_manage": manages(request, creator),
    }
    part = "#builder" if request.htmx else ""
    with timezone.override(creator.zone):
        return render(request, BUILDER + part, context, status=status)


def _sample(chosen: QuerySet[Fan]) -> list[Fan]:
    """Those who spent most."""
    return list(chosen.order_by("-value_cents", "-pk")[:SAMPLE])


def _listed(segment: Segment, creator: Creator) -> dict[str, Any]:
    words = rule_in_words(segment.rule, creator=creator)
    return {"id": str(segment.public_id), "public_id": segment.public_id, "name": segment.name, "words": words}


def _name_of_copy(creator: Creator, asked: str) -> str:
    ready = next((each for each in READY_MADE if f"{READY}{each.key}" == asked), None)
    if ready:
        return str(ready.name)
    copied = next((each for each in creator.segments.all() if str(each.public_id) == asked), None)
    return _("%(segment)s, copy") % {"segment": copied} if copied else ""
