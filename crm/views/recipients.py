"""Everybody a campaign was launched for, and what became of each: the list, and the file."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from crm import exporting, listing
from crm.models import Campaign, Recipient
from crm.models.campaigns import EXCLUDED, WAITING
from crm.models.messages import Status
from crm.views.access import SignedInRequest, signed_in

TEMPLATE = "crm/campaigns/recipients.html"
#: What a recipient can be in, as the tally counts them.
STATES = (WAITING, *(state for state in Status.values if state != Status.RECEIVED), EXCLUDED)


@require_safe
@signed_in
def recipients(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The list, a page at a time, by state and by why somebody is left out."""
    campaign = _find(request, public_id)
    asked = _asked(request)
    try:
        page = listing.recipients(
            campaign,
            listing.RECIPIENTS["id"],
            state=asked.get("state", ""),
            reason=asked.get("reason", ""),
            cursor=request.GET.get("cursor", ""),
        )
    except ValidationError as error:
        raise Http404(str(error)) from error
    context = {
        "campaign": campaign,
        "rows": page.rows,
        "asked": asked,
        "states": _states(campaign, asked),
        "reasons": [(value, label) for value, label in Recipient.Exclusion.choices if value],
        "newer": _at(page.previous, asked),
        "older": _at(page.next, asked),
        "file": f"?{urlencode(asked)}" if asked else "",
    }
    with timezone.override(campaign.creator.zone):
        return render(request, TEMPLATE, context)


@require_safe
@signed_in
def file(request: SignedInRequest, public_id: UUID) -> StreamingHttpResponse:
    """The same as CSV, all of it."""
    campaign = _find(request, public_id)
    headers = {"Content-Disposition": f'attachment; filename="recipients-{campaign.public_id}.csv"'}
    lines = exporting.recipients(campaign, _chosen(campaign, _asked(request)))
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _find(request: SignedInRequest, public_id: UUID) -> Campaign:
    mine = Campaign.objects.for_user(request.user).select_related("creator").prefetch_related("tallies")
    return get_object_or_404(mine, public_id=public_id)


def _asked(request: SignedInRequest) -> dict[str, str]:
    """``state`` and ``reason`` as far as they mean something."""
    state, reason = request.GET.get("state", ""), request.GET.get("reason", "")
    known = {"state": state if state in STATES else "", "reason": reason if reason in Recipient.Exclusion else ""}
    return {name: value for name, value in known.items() if value}


def _chosen(campaign: Campaign, asked: dict[str, str]) -> "QuerySet[Recipient]":
    rows = campaign.recipients.select_related("fan", "message")
    if state := asked.get("state"):
        rows = rows.in_state(state)
    if reason := asked.get("reason"):
        # Said twice, so that SQLite sees that the index of those who are left out has them.
        rows = rows.in_state(EXCLUDED).filter(excluded=reason)
    return rows


def _states(campaign: Campaign, asked: dict[str, str]) -> Sequence[dict[str, Any]]:
    """Each state that somebody is in, with how many, and the one that is looked at."""
    numbers = {each.state: each.number for each in campaign.tallies.all() if each.number}
    names = {WAITING: _("Not begun"), EXCLUDED: _("Left out")} | dict(Status.choices)
    chosen = asked.get("state", "")
    shown = [state for state in STATES if numbers.get(state) or state == chosen]
    everybody = {"value": "", "label": _("All"), "number": sum(numbers.values()), "current": not chosen}
    return [
        everybody,
        *(
            {"value": state, "label": names[state], "number": numbers.get(state, 0), "current": state == chosen}
            for state in shown
        ),
    ]


def _at(cursor: str, asked: dict[str, str]) -> str:
    return f"?{urlencode(asked | {'cursor': cursor})}" if cursor else ""
