"""What the inbox's pages share: the conversation somebody asks for, the list beside it, and the whole page."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Exists, FilteredRelation, OuterRef, Q, Subquery
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from crm.conditions import Scope
from crm.finding import find_in_inbox
from crm.forms import ReplyForm, SnoozeForm
from crm.inbox import ALL, COUNTED_MAX, VIEWS, counts, listed, tags_of, with_tags
from crm.models import Conversation, Creator, Dispatch, Draft, Line, State, Tag
from crm.views import done
from crm.views.access import SignedInRequest, chosen_creator, creators_of, writes
from crm.views.notices import Notice, notices_for
from crm.views.thread import held, thread_of

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Permission(TypedDict):
        may_send: bool
        may_decide: bool
        draft: Draft | None

    #: As ``find`` gives it.
    Found = WithAnnotations[Conversation, Permission]
else:
    Found = Conversation

PAGE = 50
TEMPLATE = "crm/conversations/detail.html"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Context = dict[str, Any]


def find(request: SignedInRequest, public_id: UUID) -> Found:
    """The conversation with its creator's line as it was before all else is read: what changes later, the next poll
    sees. It becomes the page of its creator."""
    writers, managers = (
        creators.filter(pk=OuterRef("creator_id"))
        for creators in (Creator.objects.sendable_by(request.user), Creator.objects.managed_by(request.user))
    )
    mine = with_tags(Conversation.objects.for_user(request.user)).annotate(
        draft=FilteredRelation("drafts", condition=Q(drafts__user=request.user)),
        may_send=Exists(writers),
        may_decide=Exists(managers),
    )
    shown = mine.select_related("fan", "creator__line", "draft", "assigned_to")
    chosen = get_object_or_404(shown, public_id=public_id)
    # Where there is none, Django leaves the name unset.
    chosen.draft = getattr(chosen, "draft", None)
    request.creator = chosen.creator
    return chosen


@dataclass(frozen=True)
class Overview:
    """Where the creator whose page it is stands: read first, so that nothing after it is missed.

    ``seq`` is the number of the latest change, ``stamp`` a sum over whatever else changes the page's words. A part
    of the page that was made from both is as new as they are.
    """

    now: datetime
    dispatch: Dispatch
    notices: Sequence[Notice]
    seq: int
    stamp: str


def overview(request: SignedInRequest) -> Overview:
    """The notices are of all the user's creators: a stop is news whichever of them is looked at."""
    dispatch, now = Dispatch.at_this_moment()
    line = line_of(request.creator)
    notices = notices_for(filter(None, map(line_of, creators_of(request))), dispatch, now=now)
    # No change is stamped when a snooze ends by itself.
    woken = [getattr(each, "woken_at", None) for each in creators_of(request) if each == request.creator]
    beside = zlib.crc32(repr((held(line, dispatch, now=now), notices, woken)).encode())
    return Overview(now, dispatch, notices, seq=line.seq if line else 0, stamp=f"{beside:08x}")


def look_at(request: SignedInRequest) -> None:
    """A part of a page asks, and says ``of`` which creator it is: what another tab has chosen changes nothing here.

    Raises Http404 for an id that is foreign or unknown.
    """
    if named := request.GET.get("of"):
        found = [creator for creator in creators_of(request) if str(creator.public_id) == named]
        if not found:
            raise Http404
        request.creator = found[0]
    else:
        chosen_creator(request)


def line_of(creator: Creator) -> Line | None:
    line: Line | None = getattr(creator, "line", None)
    if line:
        # Their words name it; read with it, it needs no query.
        line.creator = creator
    return line


def list_context(request: SignedInRequest, chosen: Conversation | None, seen: Overview) -> Context:
    """The list, or what was found by ``q`` in its place."""
    if query := request.GET.get("q", "").strip():
        found = find_in_inbox(request.creator, query)
        return {"query": query, "found": found, "carry": query_string(carried(request)), "notices": seen.notices}
    scope, name = scope_of(request, seen.now), view_name(request)
    rows = with_tags(listed(VIEWS[name], scope).newest_first()).select_related("fan", "assigned_to")
    page = list(rows.filter(_from_cursor(request.GET.get("before", "")))[: PAGE + 1])
    shown, is_first = page[:PAGE], "before" not in request.GET
    if chosen and chosen.listed_at and name != ALL:
        shown = _with_opened(page, chosen, is_first=is_first)
    numbers, kept = counts(scope), carried(request)
    opened = {"chosen": str(chosen.public_id)} if chosen else {}
    return {
        "rows": [(row, tags_of(row), _mark(row, seen.now)) for row in shown],
        "may_choose": writes(request, request.creator),
        "ticked": [row.public_id for row in shown] if "select" in request.GET else [],
        "all_selected": _place(chosen) + query_string(kept | {"select": "page"}),
        "older": query_string(kept | {"before": _cursor(page[PAGE - 1])}) if len(page) > PAGE else "",
        "is_first_page": is_first,
        "newest": query_string({key: value for key, value in kept.items() if key != "before"}),
        "view": VIEWS[name],
        "view_name": name,
        "views": [(key, view, numbers[key]) for key, view in VIEWS.items()],
        "counted_max": COUNTED_MAX,
        "carry": query_string(kept),
        "notices": seen.notices,
        "list_address": reverse("conversation_list")
        + query_string(kept | opened | {"of": str(request.creator.public_id)}),
        "seen": seen,
    }


def _with_opened(page: list[Conversation], chosen: Conversation, *, is_first: bool) -> list[Conversation]:
    """A page's rows, and the opened one in its place although opening it made it read."""
    rows = page[:PAGE]
    if chosen in rows:
        return rows
    with_it = sorted([*rows, chosen], key=_age, reverse=True)
    is_newer, is_older = not is_first and with_it[0] == chosen, len(page) > PAGE and with_it[-1] == chosen
    return rows if is_newer or is_older else with_it


def _mark(row: Conversation, now: datetime) -> str:
    """What a row says of where it was, or is: closed, snoozed, or back from a snooze since which nothing was said."""
    if (state := row.state(now)) != State.OPEN:
        return state.value
    return "back" if row.snoozed_until and row.listed_at == row.snoozed_until else ""


def _age(row: Conversation) -> Any:
    return row.listed_at, row.pk


def scope_of(request: SignedInRequest, now: datetime) -> Scope:
    return Scope(frozenset([request.creator.pk]), now, request.user.pk, fan="fan__", talk="")


def view_name(request: SignedInRequest) -> str:
    name = request.GET.get("show", ALL)
    return name if name in VIEWS else ALL


def thread_context(request: SignedInRequest, chosen: Found, seen: Overview) -> Context:
    # A reply posts the start along, so that the answer covers what the page shows.
    start = as_uuid(request.POST.get("from") or request.GET.get("from"))
    older, around = as_uuid(request.GET.get("older")), as_uuid(request.GET.get("message"))
    thread = thread_of(
        chosen, seen.dispatch, now=seen.now, start=start, older=older, around=around, reader=request.user
    )
    stretch = {"from": str(thread.start.public_id)} if thread.start else {}
    return {
        "conversation": chosen,
        "is_snoozed": chosen.state(seen.now) == State.SNOOZED,
        "address": address_of(request, chosen),
        "thread": thread,
        "seen": seen,
        "thread_address": reverse("messages", args=[chosen.public_id]) + query_string(carried(request) | stretch),
        "older_address": reverse("messages", args=[chosen.public_id]),
        "carry": query_string(carried(request)),
        "acts_query": query_string(carried(request) | stretch),
    }


def whole_page(
    request: SignedInRequest,
    chosen: Found | None,
    form: ReplyForm | None,
    status: HTTPStatus = HTTPStatus.OK,
    **more: Any,
) -> HttpResponse:
    """The list, and beside it the conversation that is ``chosen``, if one is."""
    seen = overview(request)
    context: Context = {"done": done.told(request)} | list_context(request, chosen, seen)
    if context.get("may_choose"):
        context |= {"team": request.creator.writers(), "tag_max": Tag.NAME_MAX}
    if chosen:
        context |= thread_context(request, chosen, seen) | {"form": form}
        context["snoozing"] = SnoozeForm(now=seen.now, zone=chosen.creator.zone)
    return render(request, TEMPLATE, context | more, status=status)


def thread_alone(request: SignedInRequest, chosen: Found, **more: Any) -> HttpResponse:
    seen = overview(request)
    response = render(request, f"{TEMPLATE}#thread_update", thread_context(request, chosen, seen) | more)
    # The page drops an answer that is older than what it shows.
    response["Huntaze-Seq"] = str(seen.seq)
    return response


def address_of(request: SignedInRequest, chosen: Conversation) -> str:
    return _place(chosen) + query_string(carried(request))


def inbox_address(request: SignedInRequest) -> str:
    return _place(None) + query_string(carried(request))


def _place(chosen: Conversation | None) -> str:
    return reverse("conversation", args=[chosen.public_id]) if chosen else reverse("inbox")


def carried(request: SignedInRequest) -> dict[str, str]:
    """The view and the page of the list, or the words looked for, which every link within the inbox keeps."""
    return {name: request.GET[name] for name in ("show", "before", "q") if request.GET.get(name)}


def query_string(values: dict[str, str]) -> str:
    return f"?{urlencode(values)}" if values else ""


def as_uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _cursor(row: Conversation) -> str:
    """Where the next page begins: by value, so a row that moves up meanwhile moves no page."""
    assert row.listed_at, "the list shows no other"
    return f"{(row.listed_at - EPOCH) // timedelta(microseconds=1)}.{row.public_id}"


def _from_cursor(cursor: str) -> Q:
    microseconds, _dot, public_id = cursor.partition(".")
    try:
        at, last = EPOCH + timedelta(microseconds=int(microseconds)), UUID(public_id)
    except (ValueError, OverflowError):
        return Q()
    same = Conversation.objects.filter(public_id=last).values("id")
    return Q(listed_at__lte=at) & (Q(listed_at__lt=at) | Q(id__lt=Subquery(same)))
