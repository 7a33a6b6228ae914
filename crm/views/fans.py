"""The fans of a creator: the list."""

from django.core.exceptions import ValidationError
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from crm.listing import NEWEST, SORTINGS
from crm.models import Fan
from crm.paging import page_of
from crm.searching import QUERY_MAX
from crm.views.access import SignedInRequest, chosen_creator, signed_in


@require_safe
@signed_in
def fans(request: SignedInRequest) -> HttpResponse:
    """The list, a page at a time."""
    creator = chosen_creator(request)
    rows = Fan.objects.filter(creator=creator)
    if search := request.GET.get("search", "").strip()[:QUERY_MAX]:
        rows = rows.filter(search_text__has_words=search)
    sort = request.GET.get("sort", NEWEST)
    shown = rows.annotate(unread=F("conversation__unread_count")).prefetch_related("tags")
    try:
        page = page_of(shown, SORTINGS.get(sort, SORTINGS[NEWEST]), cursor=request.GET.get("cursor", ""))
    except ValidationError as error:
        raise Http404(str(error)) from error
    with timezone.override(creator.zone):
        return render(request, "crm/fans/list.html", {"page": page, "search": search, "sort": sort})
