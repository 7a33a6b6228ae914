"""Who is asking: every page of the ledger is for somebody who signed in."""

from collections.abc import Callable
from datetime import UTC, tzinfo
from functools import wraps
from http import HTTPStatus
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Now
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from crm.models import Conversation, Creator, Membership, User

P = ParamSpec("P")
#: Where the session keeps the public id of the creator whose pages were looked at last.
CHOSEN = "creator"


class NoCreator(Exception):
    """The user is a member of no creator, so there is no page to show."""


class SignedInRequest(HttpRequest):
    """A request as ``signed_in`` hands it on; with what was asked of it by now: creators, the user's roles."""

    user: User
    htmx: HtmxDetails
    creator: Creator
    creators: list[Creator]
    roles: dict[int, str]


def signed_in(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let in who has signed in; the answer is private and never cached. Who has no creator is told so.

    Everybody else goes to the sign-in page. A part of a page that refreshes itself gets a bare 401 instead:
    following a redirect it would put the sign-in form into the middle of the thread.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        asking = cast(SignedInRequest, request)
        response: HttpResponseBase
        if request.user.is_authenticated:
            try:
                response = view(asking, *args, **kwargs)
            except NoCreator:
                response = _without_creator(asking)
        elif asking.htmx.boosted:
            response = HttpResponseClientRedirect(redirect_to_login(request.get_full_path()).url)
        elif asking.htmx:
            response = HttpResponse(status=401)
        else:
            response = redirect_to_login(_page_of(request))
        add_never_cache_headers(response)
        return response

    return guarded


def _page_of(request: HttpRequest) -> str:
    """The page that somebody is on: what only takes a form's POST shows nothing to who comes back to it."""
    if request.method in ("GET", "HEAD"):
        return request.get_full_path()
    origin, referrer = request.build_absolute_uri("/"), request.headers.get("Referer", "")
    return f"/{referrer.removeprefix(origin)}" if referrer.startswith(origin) else "/"


def chosen_creator(request: SignedInRequest) -> Creator:
    """The creator whose page this is: ``?creator=<public id>``, else the one looked at last, else the first by name.

    What is asked for is remembered in the session. ``components/_creator_switch.html`` shows the choice. Raises
    Http404 for an id that is foreign or unknown, and NoCreator, which ``signed_in`` answers.
    """
    creators = creators_of(request)
    if not creators:
        raise NoCreator
    by_id = {str(creator.public_id): creator for creator in creators}
    if asked := request.GET.get("creator"):
        if asked not in by_id:
            raise Http404
        choose(request, by_id[asked])
    request.creator = by_id.get(asked or request.session.get(CHOSEN, ""), creators[0])
    return request.creator


def clock_of(request: SignedInRequest) -> tzinfo:
    """That of the creator whose pages the user looks at; UTC for who has none."""
    try:
        return chosen_creator(request).zone
    except NoCreator:
        return UTC


def choose(request: SignedInRequest, creator: Creator) -> None:
    """This page and the next ones are of ``creator``, one of the user's."""
    request.creator, asked = creator, str(creator.public_id)
    if len(creators_of(request)) > 1 and request.session.get(CHOSEN) != asked:
        request.session[CHOSEN] = asked


def creators_of(request: SignedInRequest) -> list[Creator]:
    """The user's creators, each with its line, when a snooze ended last (``woken_at``) and the user's role with each;
    read once a request."""
    if not hasattr(request, "creators"):
        theirs = Conversation.objects.filter(creator=OuterRef("pk")).woken(Now())
        mine = (
            Creator.objects.for_user(request.user)
            .select_related("line")
            .annotate(own_role=F("memberships__role"), woken_at=Subquery(theirs.values("snoozed_until")[:1]))
        )
        request.creators, request.roles = list(mine), {creator.pk: creator.own_role for creator in mine}
    return request.creators


def writes(request: SignedInRequest, creator: Creator) -> bool:
    return _role(request, creator) in Membership.WRITERS


def manages(request: SignedInRequest, creator: Creator) -> bool:
    return _role(request, creator) in Membership.MANAGERS


def _role(request: SignedInRequest, creator: Creator) -> str:
    """The user's role with this creator, empty for none; read once a request."""
    if not hasattr(request, "roles"):
        request.roles = {}
    if creator.pk not in request.roles:
        mine = Creator.objects.for_user(request.user).filter(pk=creator.pk)
        request.roles[creator.pk] = mine.values_list("memberships__role", flat=True).first() or ""
    return request.roles[creator.pk]


def require_writer(request: SignedInRequest, creator: Creator) -> None:
    """Refuse who may only look on."""
    if not writes(request, creator):
        raise PermissionDenied(_("Your role with this creator does not include writing."))


def require_manager(request: SignedInRequest, creator: Creator) -> None:
    """Refuse who is neither owner nor manager."""
    if not manages(request, creator):
        raise PermissionDenied(_("Only an owner or a manager of this creator may do this."))


def _without_creator(request: SignedInRequest) -> HttpResponse:
    if request.method not in ("GET", "HEAD"):
        raise PermissionDenied(_("You are not a member of any creator."))
    return render(request, "crm/no_creator.html", status=HTTPStatus.OK)


def see_other(address: str) -> HttpResponse:
    """To another page, after a POST that was done."""
    response = redirect(address)
    response.status_code = HTTPStatus.SEE_OTHER
    return response
