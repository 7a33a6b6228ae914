"""Who is asking: every page of the ledger is for somebody who signed in."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from crm.models import User

P = ParamSpec("P")


class SignedInRequest(HttpRequest):
    """A request as ``signed_in`` hands it on."""

    user: User
    htmx: HtmxDetails


def signed_in(
    view: Callable[Concatenate[SignedInRequest, P], HttpResponseBase],
) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
    """Let in who has signed in; the answer is private and never cached.

    Everybody else goes to the sign-in page. A part of a page that refreshes itself gets a bare 401 instead:
    following a redirect it would put the sign-in form into the middle of the thread.
    """

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        asking = cast(SignedInRequest, request)
        response: HttpResponseBase
        if request.user.is_authenticated:
            response = view(asking, *args, **kwargs)
        elif asking.htmx.boosted:
            response = HttpResponseClientRedirect(redirect_to_login(request.get_full_path()).url)
        elif asking.htmx:
            response = HttpResponse(status=401)
        else:
            response = redirect_to_login(request.get_full_path())
        add_never_cache_headers(response)
        return response

    return guarded
