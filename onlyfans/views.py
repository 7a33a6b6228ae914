"""The page of those who send by hand, and the one where an account is connected."""

from http import HTTPStatus
from typing import cast
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from crm.clock import database_now
from crm.models import Creator, Message, User
from onlyfans import assisting, connecting
from onlyfans.forms import ConnectForm
from onlyfans.models import Connection, Provider


class HttpResponseSeeOther(HttpResponseRedirect):
    status_code = 303


@require_safe
@never_cache
@login_required
def assisted(request: HttpRequest) -> HttpResponse:
    """What is due, one desk for each creator."""
    return _page(request)


@require_POST
@never_cache
@login_required
def assist(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """``act``: take, sent, not_sent or cancel. Back to the list; 409 says why it was not done."""
    user = cast(User, request.user)
    message = (
        Message.objects.for_user(user)
        .select_related("creator__line", "creator__connection", "conversation")
        .filter(public_id=message_id, creator__connection__provider=Provider.ASSISTED)
        .first()
    )
    if message is None:
        raise Http404
    if not Creator.objects.sendable_by(user).filter(pk=message.creator_id).exists():
        raise PermissionDenied
    try:
        match request.POST.get("act"):
            case "take":
                assisting.take(message, user)
            case "sent":
                assisting.sent(message, user)
            case "not_sent":
                assisting.not_sent(message, user)
            case "cancel":
                assisting.not_sent(message, user, cancel=True)
            case _:
                return _page(request, trouble="", status=400)
    except assisting.NotNow as error:
        return _page(request, trouble=str(error), status=409)
    return HttpResponseSeeOther(reverse("assisted"))


def _page(request: HttpRequest, *, trouble: str = "", status: int = 200) -> HttpResponse:
    context = {"desks": assisting.desks(cast(User, request.user)), "trouble": trouble}
    return render(request, "onlyfans/assisted.html", context, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@login_required
def account(request: HttpRequest, creator_id: UUID) -> HttpResponse:
    """How one creator's account is reached; ``act``: save, test, secret, works or disconnect."""
    user = cast(User, request.user)
    creator = get_object_or_404(Creator.objects.for_user(user), public_id=creator_id)
    if not Creator.objects.managed_by(user).filter(pk=creator.pk).exists():
        raise PermissionDenied(_("Only an owner or a manager of this creator may do this."))
    connection = Connection.objects.filter(creator=creator).first()
    if request.method != "POST":
        return _account(request, creator, connection, ConnectForm(creator, connection))
    act = request.POST.get("act", "save")
    if act == "save":
        return _save(request, creator, connection)
    if connection is None:
        raise Http404
    form = ConnectForm(creator, connection)
    match act:
        case "test":
            return _account(request, creator, connection, form, tested=connecting.test(connection))
        case "secret":
            return _account(request, creator, connection, form, secret=connecting.new_webhook_secret(connection, user))
        case "works":
            connection.reconnected(now=database_now())
            messages.success(request, _("Messages go out again."))
        case "disconnect":
            connecting.disconnect(connection, user)
            messages.success(request, _("The account is disconnected and its key is deleted. Messages wait."))
        case _:
            return _account(request, creator, connection, form, status=HTTPStatus.BAD_REQUEST)
    return HttpResponseSeeOther(reverse("account", args=[creator.public_id]))


def _save(request: HttpRequest, creator: Creator, connection: Connection | None) -> HttpResponse:
    form = ConnectForm(creator, connection, request.POST)
    if form.save(cast(User, request.user)):
        messages.success(request, _("Saved. Test the connection to see whether it works."))
        return HttpResponseSeeOther(reverse("account", args=[creator.public_id]))
    return _account(request, creator, connection, form, status=HTTPStatus.BAD_REQUEST)


def _account(
    request: HttpRequest,
    creator: Creator,
    connection: Connection | None,
    form: ConnectForm,
    *,
    tested: connecting.Tested | None = None,
    secret: str = "",
    status: HTTPStatus = HTTPStatus.OK,
) -> HttpResponse:
    """``secret`` is shown this once: it is stored encrypted, and no page reads it back."""
    address = connection and reverse("api-webhook", kwargs={"connection_id": connection.public_id})
    context = {
        "creator": creator,
        "connection": connection,
        "form": form,
        "tested": tested,
        "secret": secret,
        "webhook_address": address and request.build_absolute_uri(address),
        "is_by_provider": connection and connection.provider in connecting.BY_KEY,
        "deadline": connecting.TEST_SECONDS,
    }
    return render(request, "onlyfans/account.html", context, status=status)
