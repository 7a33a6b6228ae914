"""Writing a campaign: the form, and beside it who would get it now."""

from datetime import timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import audiences, personalising
from crm.audiences import Audience, Preview
from crm.clock import database_now
from crm.forms.campaigns import CampaignForm
from crm.models import Campaign, Creator, IllegalCampaignMove, Recipient
from crm.models.campaigns import EDITABLE, CampaignStatus
from crm.views.access import SignedInRequest, chosen_creator, require_manager, see_other, signed_in

EDIT = "crm/campaigns/edit.html"

Context = dict[str, Any]


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: SignedInRequest) -> HttpResponse:
    """A new campaign, for the fans that the address names, if it names any."""
    creator = chosen_creator(request)
    require_manager(request, creator)
    with timezone.override(creator.zone):
        is_post = request.method == "POST"
        form = CampaignForm(creator, request.POST) if is_post else CampaignForm.asked(creator, request.GET)
        return _write(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def edit(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """A campaign that has not begun, written differently."""
    mine = Campaign.objects.for_user(request.user).select_related("creator").prefetch_related("attachments")
    campaign = get_object_or_404(mine, public_id=public_id)
    require_manager(request, campaign.creator)
    if campaign.status not in EDITABLE:
        messages.error(request, _("It has begun: its message cannot change. You may copy it as a new draft."))
        return redirect("campaign", public_id=public_id)
    with timezone.override(campaign.creator.zone):
        return _write(request, CampaignForm.of(campaign, request.POST or None), campaign)


def _write(request: SignedInRequest, form: CampaignForm, campaign: Campaign | None) -> HttpResponse:
    wants_to_save = request.method == "POST" and "preview" not in request.POST
    try:
        if wants_to_save and (saved := form.save(campaign, author=request.user)):
            messages.success(request, _kept(saved))
            return see_other(reverse("campaign", args=[saved.public_id]))
    except IllegalCampaignMove as error:
        messages.error(request, str(error))
        return redirect("campaigns")
    context = {"form": form, "campaign": campaign, "creator": form.creator}
    if not wants_to_save:
        context |= _previewed(form)
    status = HTTPStatus.BAD_REQUEST if wants_to_save else HTTPStatus.OK
    return render(request, EDIT, context, status=status)


def _kept(campaign: Campaign) -> str:
    if campaign.status == CampaignStatus.SCHEDULED:
        return _("Kept. It is still scheduled.")
    return _("Kept. Nothing is sent before you launch it.")


@require_POST
@signed_in
def preview(request: SignedInRequest) -> HttpResponse:
    """The part of the form's page that counts its fans and reads the message to some of them."""
    creator = chosen_creator(request)
    with timezone.override(creator.zone):
        form = CampaignForm(creator, request.POST)
        return render(request, f"{EDIT}#preview", {"form": form, "creator": creator, **_previewed(form)})


def _previewed(form: CampaignForm) -> Context:
    if not form.is_bound and not form.initial.get("source"):
        return {}
    bound = form if form.is_bound else form.as_sent()
    audience = bound.chosen_audience()
    if audience is None:
        problems = [error for errors in bound.errors.values() for error in errors]
        return {"cannot_preview": problems[0] if problems else ""}
    return preview_of(audience, str(bound.data.get("text", "")), bound.creator)


def preview_of(audience: Audience, text: str, creator: Creator) -> Context:
    seen = audiences.preview(audience, now=database_now())
    return {
        "seen": seen,
        "reasons": _reasons(seen),
        "too_many": seen.total > Campaign.RECIPIENTS_MAX,
        "recipients_max": Campaign.RECIPIENTS_MAX,
        "letters": [(fan, personalising.fill_in(text, fan)) for fan in seen.sample] if text.strip() else [],
        "to_nobody_known": personalising.fill_in(text, personalising.NOBODY),
        "has_variables": personalising.fill_in(text, personalising.NOBODY) != text,
        "takes": _takes(seen.reached, creator),
    }


def _reasons(seen: Preview) -> list[tuple[str, int]]:
    return [
        (str(Recipient.Exclusion(reason).label), number)
        for reason, number in sorted(seen.excluded.items(), key=lambda pair: -pair[1])
    ]


def _takes(reached: int, creator: Creator) -> timedelta | None:
    """How long so many messages take at the creator's pace, with nothing in front of them."""
    interval = creator.seconds_between_messages
    return timedelta(seconds=round((reached - 1) * interval)) if interval and reached else None
