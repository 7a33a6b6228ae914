"""The inbox: the list, one conversation, and the parts of both that refresh themselves."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, Q, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm.clock import database_now
from crm.forms import ReplyForm
from crm.models import Conversation, Creator, Dispatch, Line, Message, StateForbids, User
from crm.views.access import SignedInRequest, see_other, signed_in
from crm.views.notices import Notice, notices_for
from crm.views.thread import held_stamp, thread_of

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

    class Permission(TypedDict):
        may_send: bool
        may_decide: bool

    Found = WithAnnotations[Conversation, Permission]

PAGE = 50
UNREAD_COUNTED_MAX = 1000
TEMPLATE = "crm/conversations/detail.html"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Context = dict[str, Any]

#: What a person may do about one message. Decisions are about an outcome that nobody else can know.
ACTS: Mapping[str, Callable[[Message, User], None]] = {
    "cancel": lambda message, user: message.cancel(by=user),
    "retry": lambda message, user: message.retry(by=user),
    "not_sent": lambda message, user: message.retry(by=user, not_sent=True),
    "sent": lambda message, user: message.it_was_sent(by=user),
}
DECISIONS = ("not_sent", "sent")


@require_safe
@signed_in
def inbox(request: SignedInRequest) -> HttpResponse:
    """The list, nothing opened."""
    with timezone.override(_zone(Creator.objects.for_user(request.user).first())):
        return render(request, TEMPLATE, _list(request, None, _overview(request)))


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def conversation(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """One conversation: GET shows it, POST writes to the fan."""
    chosen = _find(request, public_id)
    with timezone.override(_zone(chosen.creator)):
        if request.method == "POST":
            return _reply(request, chosen)
        return _page(request, chosen, ReplyForm())


@require_safe
@signed_in
def conversations(request: SignedInRequest) -> HttpResponse:
    """The list alone; 204 while nothing in it can have changed since ``after``."""
    mine, opened = Conversation.objects.for_user(request.user), _uuid(request.GET.get("chosen"))
    chosen = mine.select_related("creator").filter(public_id=opened).first() if opened else None
    with timezone.override(_zone(chosen.creator if chosen else Creator.objects.for_user(request.user).first())):
        overview = _overview(request)
        if request.GET.get("after") == overview.stamp:
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return render(request, f"{TEMPLATE}#list_update", _list(request, chosen, overview) | {"conversation": chosen})


@require_safe
@signed_in
def messages(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The thread alone; 204 while nothing in it can have changed since ``after``."""
    chosen = _find(request, public_id)
    with timezone.override(_zone(chosen.creator)):
        known, dispatch = (request.GET.get("after"), request.GET.get("held")), Dispatch.current()
        if known == _stamps(chosen, dispatch):
            return HttpResponse(status=HTTPStatus.NO_CONTENT)
        return _thread_alone(request, chosen, dispatch)


@require_POST
@signed_in
def mark_read(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """Posted by the page once somebody looks at it, or by its button without JavaScript.

    A GET alone, say of a prefetching browser, reads nothing. Somebody who may only look on leaves it unread
    for those who answer.
    """
    chosen = _find(request, public_id)
    if not chosen.may_send:
        raise PermissionDenied
    chosen.mark_read()
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return see_other(_address(request, chosen))


@require_POST
@signed_in
def settle(request: SignedInRequest, public_id: UUID, message_id: UUID) -> HttpResponse:
    """A button below a message: cancel it, send it again, or say what became of it. The thread shows what is true now,
    also when somebody was faster."""
    chosen = _find(request, public_id)
    message = get_object_or_404(chosen.messages, public_id=message_id)
    act = request.POST.get("act", "")
    allowed = chosen.may_decide if act in DECISIONS else chosen.may_send
    if not allowed:
        raise PermissionDenied
    if act not in ACTS:
        return HttpResponse(status=HTTPStatus.BAD_REQUEST)
    with suppress(StateForbids):
        ACTS[act](message, request.user)
    if request.htmx:
        with timezone.override(_zone(chosen.creator)):
            return _thread_alone(request, _find(request, public_id), Dispatch.current())
    return see_other(f"{_address(request, chosen)}#m-{message.public_id}")


def _reply(request: SignedInRequest, chosen: "Found") -> HttpResponse:
    if not chosen.may_send:
        raise PermissionDenied
    form = ReplyForm(request.POST)
    message = form.send(chosen, author=request.user)
    if message is None:
        return _refused(request, chosen, form)
    # Whoever answers has read it.
    chosen.mark_read()
    if request.htmx:
        return _thread_alone(request, _find(request, chosen.public_id), Dispatch.current())
    return see_other(f"{_address(request, chosen)}#m-{message.public_id}")


def _refused(request: SignedInRequest, chosen: "Found", form: ReplyForm) -> HttpResponse:
    """The composer again with all that was typed, each error at its field."""
    if request.htmx:
        context = {"conversation": chosen, "form": form, "address": _address(request, chosen)}
        return render(request, f"{TEMPLATE}#composer", context, status=HTTPStatus.BAD_REQUEST)
    return _page(request, chosen, form, status=HTTPStatus.BAD_REQUEST)


def _page(
    request: SignedInRequest, chosen: "Found", form: ReplyForm, status: HTTPStatus = HTTPStatus.OK
) -> HttpResponse:
    overview = _overview(request)
    context = _list(request, chosen, overview) | _thread(request, chosen, overview.dispatch) | {"form": form}
    return render(request, TEMPLATE, context, status=status)


def _find(request: SignedInRequest, public_id: UUID) -> "Found":
    """With its creator's line as it was before all else is read: what changes later, the next poll sees."""
    writers, managers = (
        creators.filter(pk=OuterRef("creator_id"))
        for creators in (Creator.objects.sendable_by(request.user), Creator.objects.managed_by(request.user))
    )
    mine = Conversation.objects.for_user(request.user).select_related("fan", "creator__line")
    return get_object_or_404(mine.annotate(may_send=Exists(writers), may_decide=Exists(managers)), public_id=public_id)


@dataclass(frozen=True)
class Overview:
    """What the list's page says beside the list: read first, so that nothing after it is missed."""

    dispatch: Dispatch
    notices: Sequence[Notice]
    stamp: str


def _overview(request: SignedInRequest) -> Overview:
    now, dispatch = database_now(), Dispatch.current()
    lines = list(Line.objects.filter(creator__memberships__user=request.user).select_related("creator"))
    notices = notices_for(lines, dispatch, now=now)
    # Each line's number only grows, so their sum changes whenever one of them does.
    seen = sum(line.seq for line in lines), notices, timezone.localdate(now)
    return Overview(dispatch, notices, stamp=f"{zlib.crc32(repr(seen).encode()):08x}")


def _list(request: SignedInRequest, chosen: Conversation | None, overview: Overview) -> Context:
    mine, unread = Conversation.objects.for_user(request.user), Q(unread_count__gt=0)
    only_unread = request.GET.get("show") == "unread"
    rows = mine.select_related("fan", "creator").newest_first().filter(_from_cursor(request.GET.get("before", "")))
    if only_unread:
        # The opened one stays although opening it made it read.
        rows = rows.filter(unread | Q(pk=chosen.pk) if chosen else unread)
    page = list(rows[: PAGE + 1])
    opened = {"chosen": str(chosen.public_id)} if chosen else {}
    return {
        "rows": page[:PAGE],
        "older": _cursor(page[PAGE - 1]) if len(page) > PAGE else "",
        "is_first_page": "before" not in request.GET,
        "only_unread": only_unread,
        "unread": mine.filter(unread)[:UNREAD_COUNTED_MAX].count(),
        "unread_counted_max": UNREAD_COUNTED_MAX,
        "carry": _query(_carried(request)),
        "notices": overview.notices,
        "list_address": reverse("conversation_list") + _query(_carried(request) | opened | {"after": overview.stamp}),
    }


def _thread(request: SignedInRequest, chosen: "Found", dispatch: Dispatch) -> Context:
    after, held = _stamps(chosen, dispatch)
    # A reply posts the start along, so that the answer covers what the page shows.
    start = _uuid(request.POST.get("from") or request.GET.get("from"))
    thread = thread_of(chosen, dispatch, start=start, older=_uuid(request.GET.get("older")))
    stretch = {"from": str(thread.start.public_id)} if thread.start else {}
    return {
        "conversation": chosen,
        "address": _address(request, chosen),
        "thread": thread,
        "seq": after,
        "thread_address": reverse("messages", args=[chosen.public_id])
        + _query(_carried(request) | {"after": after, "held": held} | stretch),
        "older_address": reverse("messages", args=[chosen.public_id]),
        "acts_query": _query(_carried(request) | stretch),
    }


def _thread_alone(request: SignedInRequest, chosen: "Found", dispatch: Dispatch) -> HttpResponse:
    context = _thread(request, chosen, dispatch)
    response = render(request, f"{TEMPLATE}#thread", context)
    # The page drops an answer that is older than what it shows.
    response["Huntaze-Seq"] = context["seq"]
    return response


def _stamps(chosen: Conversation, dispatch: Dispatch) -> tuple[str, str]:
    """The creator's change number, and what else the words below a waiting message depend on."""
    line: Line | None = getattr(chosen.creator, "line", None)
    return str(line.seq if line else 0), held_stamp(line, dispatch, now=database_now())


def _zone(creator: Creator | None) -> ZoneInfo:
    """Times on a page are the creator's."""
    return creator.zone if creator else ZoneInfo("UTC")


def _address(request: SignedInRequest, chosen: Conversation) -> str:
    return reverse("conversation", args=[chosen.public_id]) + _query(_carried(request))


def _carried(request: SignedInRequest) -> dict[str, str]:
    """The filter and the page of the list, which every link within the inbox keeps."""
    return {name: request.GET[name] for name in ("show", "before") if request.GET.get(name)}


def _query(values: dict[str, str]) -> str:
    return f"?{urlencode(values)}" if values else ""


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text or "")
    except ValueError:
        return None


def _cursor(row: Conversation) -> str:
    """Where the next page begins: by value, so a row that moves up meanwhile moves no page."""
    assert row.last_message_at, "the list shows no other"
    return f"{(row.last_message_at - EPOCH) // timedelta(microseconds=1)}.{row.public_id}"


def _from_cursor(cursor: str) -> Q:
    microseconds, _dot, public_id = cursor.partition(".")
    try:
        at, last = EPOCH + timedelta(microseconds=int(microseconds)), UUID(public_id)
    except (ValueError, OverflowError):
        return Q()
    same = Conversation.objects.filter(public_id=last).values("id")
    return Q(last_message_at__lte=at) & (Q(last_message_at__lt=at) | Q(id__lt=Subquery(same)))
