"""The list of a creator's fans: filters, columns, pages, and what is done to many of them at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import F, QuerySet
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_safe

from crm import exporting, segments, tagging
from crm.forms.filters import FilterForm, ids_in
from crm.listing import SORTINGS
from crm.models import Fan, ImportKind, Tag
from crm.numbers import grouped
from crm.paging import Page, page_of
from crm.sorting import sorting_of, usual_sort
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

TEMPLATE = "crm/fans/list.html"
#: Counted no further unless somebody asks for more than a look.
COUNTED_MAX = 10_000
#: Columns beside the name, by key: their words, and the sorting that they are headed by.
COLUMNS = {
    "value": (gettext_lazy("Spent"), "valueCents"),
    "subscription": (gettext_lazy("Subscription"), ""),
    "lastSeen": (gettext_lazy("Last seen"), "lastSeenAt"),
    "tags": (gettext_lazy("Tags"), ""),
    "lastPurchase": (gettext_lazy("Last purchase"), "lastPurchaseAt"),
    "joined": (gettext_lazy("Joined"), "joinedAt"),
    "added": (gettext_lazy("Added"), "createdAt"),
    "platformId": (gettext_lazy("Platform id"), ""),
    "email": (gettext_lazy("E-mail"), ""),
}
USUAL_COLUMNS = ("value", "subscription", "lastSeen", "tags")
CHOSEN_COLUMNS = "fan_columns"
#: A condition that holds for every fan: an address without any would say nobody.
EVERYBODY = "valueMin=0"
#: What a sorting looks like that is clicked for the first time: names upwards, money and dates downwards.
UPWARDS_FIRST = ("name",)


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of one column. ``query`` sorts by it, the other way round when it does already."""

    key: str
    words: str
    query: str = ""
    direction: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def fans(request: SignedInRequest) -> HttpResponse:
    """GET: a page of the list. POST: do something to the fans who are ticked, on the page, or found."""
    creator = chosen_creator(request)
    form = FilterForm(request.GET, creator=creator)
    with timezone.override(creator.zone):
        if request.method != "POST":
            return _shown(request, form)
        if request.POST.get("act") == "columns":
            request.session[CHOSEN_COLUMNS] = [key for key in request.POST.getlist("column") if key in COLUMNS]
            return see_other(request.get_full_path())
        require_writer(request, creator)
        return _act(request, form)


@require_safe
@signed_in
def export(request: SignedInRequest) -> HttpResponse | StreamingHttpResponse:
    """The fans whom the filter finds, as a CSV file that imports back."""
    creator = chosen_creator(request)
    require_manager(request, creator)
    form = FilterForm(request.GET, creator=creator)
    if not form.is_valid():
        return _shown(request, form)
    lines = exporting.export(creator, ImportKind.FANS, fans=_found(form))
    headers = {"Content-Disposition": f'attachment; filename="fans-{timezone.localdate():%Y-%m-%d}.csv"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _found(form: FilterForm) -> QuerySet[Fan]:
    return segments.select(Fan.objects.all(), form.rule, creator=form.creator)


def _shown(request: SignedInRequest, form: FilterForm, *, errors: Sequence[str] = ()) -> HttpResponse:
    good = form.is_valid()
    found = _found(form)
    sort = request.GET.get("sort", "")
    narrowed_by = list(segments.conditions_of_all(form.rule))
    sorting = sorting_of(sort if sort in SORTINGS else usual_sort(narrowed_by), narrowed_by)
    rows = found.annotate(unread=F("conversation__unread_count")).prefetch_related("tags")
    try:
        page = page_of(rows, sorting, cursor=request.GET.get("cursor", ""))
    except ValidationError:
        # A bookmark of a list that was sorted otherwise, say: its beginning is better than nothing.
        return redirect(request.path + _query(request.GET, cursor="", total=""))
    columns = [key for key in request.session.get(CHOSEN_COLUMNS, USUAL_COLUMNS) if key in COLUMNS]
    context = {
        "form": form,
        "page": page,
        "total": _total(request, found, page),
        "counted_max": COUNTED_MAX,
        "columns": [(key, words, key in columns) for key, (words, _sort) in COLUMNS.items()],
        "name_heading": _heading(request.GET, "name", _("Fan"), "name", sorting.name),
        "headings": [_heading(request.GET, key, *COLUMNS[key], sorting.name) for key in columns],
        "sort": sort,
        "ticked": request.POST.getlist("fan"),
        "tags": form.creator.tags.all(),
        "page_ids": ",".join(str(fan.public_id) for fan in page.rows),
        "may_write": writes(request, form.creator),
        "may_export": manages(request, form.creator),
        "query": _query(request.GET, cursor="", total=""),
        "total_query": _query(request.GET, total="1"),
        "older": page.next and _query(request.GET, cursor=page.next, total=""),
        "newer": page.previous and _query(request.GET, cursor=page.previous, total=""),
        "errors": errors,
    }
    part = "#total" if request.htmx and "total" in request.GET else ""
    status = HTTPStatus.OK if good and not errors else HTTPStatus.BAD_REQUEST
    return render(request, TEMPLATE + part, context, status=status)


def _total(request: SignedInRequest, found: QuerySet[Fan], page: Page[Any]) -> int | None:
    """How many there are: known when all are shown, else counted when asked for, up to one beyond the most."""
    if not page.next and not page.previous:
        return len(page.rows)
    return found.order_by()[: COUNTED_MAX + 1].count() if "total" in request.GET else None


def _heading(query: QueryDict, key: str, words: Any, sort: str, sorted_by: str) -> Heading:
    if not sort:
        return Heading(key, str(words))
    up, down = sort, f"-{sort}"
    first, second = (up, down) if sort in UPWARDS_FIRST else (down, up)
    wanted = second if sorted_by == first else first
    direction = {up: "ascending", down: "descending"}.get(sorted_by, "")
    return Heading(key, str(words), _query(query, sort=wanted, cursor="", total=""), direction)


def _query(query: QueryDict, **changes: str) -> str:
    """The query string with these changes; an empty value takes the name away."""
    changed = query.copy()
    for name, value in changes.items():
        changed.pop(name, None)
        if value:
            changed[name] = value
    return f"?{changed.urlencode()}"


# --- Many at once


def _act(request: SignedInRequest, form: FilterForm) -> HttpResponse:
    act, which = request.POST.get("act", ""), request.POST.get("which", "")
    if act not in ("tag", "untag", "message") or which not in ("ticked", "page", "all") or not form.is_valid():
        return _shown(request, form, errors=[_("Choose fans, and what to do with them.")])
    if act == "message":
        return _write_to(request, form, which)
    chosen = _chosen(request, form, which)
    name = request.POST.get("tag", "").strip()
    if not name:
        return _shown(request, form, errors=[_("Name the tag.")])
    if which == "all" and "confirmed" not in request.POST:
        return _asked_again(request, form, chosen, act, name)
    try:
        return _tagged(request, form, chosen, act, name)
    except ValidationError as refusal:
        return _shown(request, form, errors=refusal.messages)


def _chosen(request: SignedInRequest, form: FilterForm, which: str) -> QuerySet[Fan]:
    if which == "all":
        return _found(form)
    ids = request.POST.getlist("fan") if which == "ticked" else request.POST.get("page", "").split(",")
    return Fan.objects.filter(creator=form.creator, public_id__in=ids_in(ids)[: exporting.PAGE])


def _tagged(request: SignedInRequest, form: FilterForm, chosen: QuerySet[Fan], act: str, name: str) -> HttpResponse:
    if act == "untag":
        tag = form.creator.tags.filter(name__iexact=name).first()
        if tag is None:
            raise ValidationError(_("There is no such tag."))
        many = tagging.take_off_all(tag, chosen)
        words = ngettext("“%(tag)s” is taken off %(many)s fan.", "“%(tag)s” is taken off %(many)s fans.", many)
    else:
        if not chosen.exists():
            raise ValidationError(_("No fan is chosen."))
        [tag] = Tag.objects.named(form.creator, [name])
        many = tagging.put_on_all(tag, chosen)
        words = ngettext("%(many)s more fan has “%(tag)s” now.", "%(many)s more fans have “%(tag)s” now.", many)
    messages.success(request, words % {"tag": tag, "many": grouped(many)})
    return see_other(request.get_full_path())


def _asked_again(
    request: SignedInRequest, form: FilterForm, chosen: QuerySet[Fan], act: str, name: str
) -> HttpResponse:
    context = {"form": form, "act": act, "tag": name, "how_many": chosen.order_by().count()}
    context["back"] = request.get_full_path()
    return render(request, "crm/fans/confirm.html", context)


def _write_to(request: SignedInRequest, form: FilterForm, which: str) -> HttpResponse:
    """To the page where a campaign is written. What its address cannot say becomes a segment first."""
    if which == "all":
        if form.is_plain:
            return see_other(f"{reverse('new_campaign')}?{form.query or EVERYBODY}")
        messages.info(request, _("Save this choice of fans as a segment; then you can write to it."))
        return see_other(f"{reverse('new_segment')}?{form.query}")
    ids = _chosen(request, form, which).values_list("public_id", flat=True)
    if not ids:
        return _shown(request, form, errors=[_("No fan is chosen.")])
    return see_other(f"{reverse('new_campaign')}?fans={','.join(map(str, ids))}")
