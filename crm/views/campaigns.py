"""Campaigns: the list, and one with how far it is and what may be decided about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import Count, Exists, OuterRef
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import HttpResponseClientRefresh

from crm import analytics, audiences, campaigning, rehearsing
from crm.analytics import Money
from crm.clock import database_now
from crm.forecast import completion
from crm.limiting import BULK, limited
from crm.models import Campaign, Creator, Dispatch, IllegalCampaignMove, Line, Segment
from crm.models.campaigns import CampaignStatus
from crm.models.messages import Status
from crm.numbers import grouped
from crm.paging import always, page_of, sortings
from crm.progress import Progress
from crm.views.access import SignedInRequest, chosen_creator, manages, require_manager, see_other, signed_in
from crm.views.composing import preview_of
from crm.views.notices import notices_for
from crm.wording import exclusions_in_words, rule_in_words

LIST = "crm/campaigns/list.html"
DETAIL = "crm/campaigns/detail.html"
NEWEST = always(sortings(createdAt="created_at"))["-createdAt"]
CAUSES_SHOWN = 5

Context = dict[str, Any]


# --- The list


@dataclass(frozen=True, slots=True)
class Row:
    campaign: Campaign
    progress: Progress
    money: "list[Money]"
    purchases: int


@require_safe
@signed_in
def campaigns(request: SignedInRequest) -> HttpResponse:
    """A creator's campaigns, newest first, a page at a time."""
    creator = chosen_creator(request)
    rows = Campaign.objects.filter(creator=creator).prefetch_related("tallies")
    chosen = request.GET.get("status", "")
    if chosen in CampaignStatus.values:
        rows = rows.filter(status=chosen)
    try:
        page = page_of(rows, NEWEST, cursor=request.GET.get("cursor", ""))
    except ValidationError as error:
        raise Http404(str(error)) from error
    money, bought = analytics.earned(page.rows), analytics.purchases(page.rows)
    context = {
        "rows": [
            Row(each, _progress(each), list(money.get(each.pk, ())), bought.get(each.pk, 0)) for each in page.rows
        ],
        "status": chosen,
        "statuses": CampaignStatus.choices,
        "may_write": manages(request, creator),
        "newer": _at(page.previous, status=chosen),
        "older": _at(page.next, status=chosen),
    }
    with timezone.override(creator.zone):
        return render(request, LIST, context)


def _at(cursor: str, **carried: str) -> str:
    if not cursor:
        return ""
    return f"?{urlencode({name: value for name, value in carried.items() if value} | {'cursor': cursor})}"


# --- One campaign


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def detail(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One campaign and how far it is; POST decides about it."""
    campaign = _find(request, public_id)
    with timezone.override(campaign.creator.zone):
        if request.method != "POST":
            return render(request, DETAIL, _shown(request, campaign))
        require_manager(request, campaign.creator)
        act = ACTS.get(request.POST.get("act", ""))
        if act is None:
            return _refused(request, campaign, _("There is no such button."), HTTPStatus.BAD_REQUEST)
        try:
            return act(request, campaign)
        except IllegalCampaignMove as error:
            return _refused(request, campaign, str(error), HTTPStatus.CONFLICT)
        except ValidationError as error:
            return _refused(request, campaign, " ".join(error.messages), HTTPStatus.BAD_REQUEST)


@require_safe
@signed_in
def progress(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The part of the page that changes while it runs, nothing before; the whole page once its buttons are others."""
    campaign = _find(request, public_id)
    if request.GET.get("status") != campaign.status:
        return HttpResponseClientRefresh()
    if campaign.launched_at is None:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    with timezone.override(campaign.creator.zone):
        return render(request, f"{DETAIL}#progress", _shown(request, campaign))


def _refused(request: SignedInRequest, campaign: Campaign, words: str, status: HTTPStatus) -> HttpResponse:
    fresh = _find(request, campaign.public_id)
    return render(request, DETAIL, _shown(request, fresh) | {"error": words}, status=status)


def _shown(request: SignedInRequest, campaign: Campaign) -> Context:
    now, dispatch = database_now(), Dispatch.current()
    tally = {each.state: each.number for each in campaign.tallies.all()}
    line = getattr(campaign.creator, "line", None) or Line(creator=campaign.creator)
    begun = campaign.launched_at is not None
    expected = completion(campaign, now=now, tally=tally, line=line, dispatch=dispatch) if begun else None
    context = {
        "campaign": campaign,
        "creator": campaign.creator,
        "begun": begun,
        "progress": _progress(campaign),
        "expected": expected if campaign.status == CampaignStatus.RUNNING else None,
        "quiet_until": campaign.held_until if campaign.held_until and campaign.held_until > now else None,
        "notices": notices_for([line], dispatch, now=now) if campaign.status == CampaignStatus.RUNNING else [],
        "may_write": getattr(campaign, "may_write", False),
        "money": analytics.earned([campaign]).get(campaign.pk, ()) if begun else (),
        "purchases": analytics.purchases([campaign]).get(campaign.pk, 0) if begun else 0,
        "causes": _causes(campaign) if tally.get(Status.FAILED) else [],
        "whom": _whom(campaign),
        "left_out": exclusions_in_words(campaign.exclusions, creator=campaign.creator),
        "test_key": uuid4(),
        "test_max": rehearsing.FANS_MAX,
        "test_fans": request.POST.get("fans", ""),
        "is_overdue": campaign.status == CampaignStatus.NEEDS_REVIEW,
        "goes_later": bool(campaign.scheduled_at and campaign.scheduled_at > now),
    }
    return context if begun else context | _review(campaign)


def _review(campaign: Campaign) -> Context:
    """What launching it would do now."""
    try:
        return preview_of(audiences.audience_of(campaign), campaign.text, campaign.creator)
    except ValidationError as error:
        return {"cannot_preview": " ".join(error.messages)}


def _causes(campaign: Campaign) -> list[tuple[str, int]]:
    """Why messages of it failed, the most frequent first."""
    failed = campaign.messages.filter(status=Status.FAILED).order_by().values_list("cause")
    return list(failed.annotate(number=Count("pk")).order_by("-number", "cause")[:CAUSES_SHOWN])


def _whom(campaign: Campaign) -> str:
    """Its audience in words."""
    document = campaign.audience
    if "segment" in document:
        segment = Segment.objects.filter(creator=campaign.creator, public_id=document["segment"]).first()
        return _("The segment “%(name)s”") % {"name": segment} if segment else _("A segment that is no longer there")
    if "fans" in document:
        number = len(document["fans"])
        return ngettext("%(number)s fan, by name", "%(number)s fans, by name", number) % {"number": grouped(number)}
    if "rule" in document:
        return rule_in_words(document["rule"], creator=campaign.creator)
    return _("Nobody yet")


# --- What a person may decide


def _launch(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    with limited(request, BULK, creator=campaign.creator):
        campaigning.launch(campaign)
    if campaign.status == CampaignStatus.SCHEDULED:
        messages.success(request, _("It is scheduled."))
    else:
        messages.success(request, _("It runs. Answers that you write to fans go before it."))
    return _to("campaign", campaign)


def _pause(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    campaigning.pause(campaign)
    return _to("campaign", campaign)


def _resume(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    campaigning.resume(campaign)
    return _to("campaign", campaign)


def _cancel(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    begun = campaign.launched_at is not None
    stopped = campaigning.cancel(campaign)
    if begun:
        left = _progress(_find(request, campaign.public_id))
        words = ngettext(
            "Cancelled. %(stopped)s fan will not get it. %(sent)s have it, and %(going)s were on their way: neither"
            " can be called back.",
            "Cancelled. %(stopped)s fans will not get it. %(sent)s have it, and %(going)s were on their way: neither"
            " can be called back.",
            stopped,
        )
        going = left.number("going") + left.number("open")
        numbers = {"stopped": stopped, "sent": left.sent, "going": going}
        messages.success(request, words % {name: grouped(number) for name, number in numbers.items()})
    return _to("campaign", campaign)


def _retry(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    number = campaigning.retry_failed(campaign)
    words = ngettext("%(number)s message waits again.", "%(number)s messages wait again.", number)
    messages.success(request, words % {"number": grouped(number)})
    return _to("campaign", campaign)


def _to_draft(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    campaigning.back_to_draft(campaign)
    messages.success(request, _("It is a draft again, and is not sent at any time."))
    return _to("campaign", campaign)


def _discard(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    campaigning.discard(campaign)
    messages.success(request, _("“%(name)s” is thrown away.") % {"name": campaign.name})
    return _to("campaigns")


def _copy(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    draft = campaigning.copy(campaign, author=request.user)
    messages.success(request, _("This is a new draft. Nothing is sent before you launch it."))
    return _to("edit_campaign", draft)


def _test(request: SignedInRequest, campaign: Campaign) -> HttpResponse:
    found, missing = audiences.named(campaign.creator, request.POST.get("fans", "").replace(",", "\n").splitlines())
    if missing:
        raise ValidationError(
            _("No fans of this creator: %(ids)s") % {"ids": ", ".join(missing[: audiences.NAMED_MAX])}
        )
    sent = rehearsing.rehearse(campaign, found, author=request.user, key=_key(request))
    number = len(sent)
    words = ngettext("A test goes to %(number)d fan.", "A test goes to %(number)d fans.", number)
    messages.success(request, words % {"number": number})
    return _to("campaign", campaign)


ACTS: Mapping[str, Callable[[SignedInRequest, Campaign], HttpResponse]] = {
    "launch": _launch,
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "retry": _retry,
    "unschedule": _to_draft,
    "discard": _discard,
    "copy": _copy,
    "test": _test,
}


# --- Shared


def _find(request: SignedInRequest, public_id: UUID) -> Campaign:
    """With its creator's line, its numbers and whether this user may decide about it; else 404."""
    managed = Creator.objects.managed_by(request.user).filter(pk=OuterRef("creator_id"))
    mine = (
        Campaign.objects.for_user(request.user)
        .select_related("creator__line")
        .prefetch_related("tallies", "attachments")
    )
    return get_object_or_404(mine.annotate(may_write=Exists(managed)), public_id=public_id)


def _progress(campaign: Campaign) -> Progress:
    return Progress.of({each.state: each.number for each in campaign.tallies.all()})


def _key(request: SignedInRequest) -> UUID | None:
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return None


def _to(name: str, campaign: Campaign | None = None) -> HttpResponse:
    return see_other(reverse(name, args=[campaign.public_id] if campaign else []))
