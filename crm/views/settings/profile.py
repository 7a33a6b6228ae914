"""How the user is called and signs in."""

from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm import sign_ins
from crm.forms.settings import NewPasswordForm, ProfileForm
from crm.views.access import SignedInRequest, signed_in

TEMPLATE = "crm/settings/profile.html"


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def profile(request: SignedInRequest) -> HttpResponse:
    """GET shows both forms; POST keeps the profile."""
    form = ProfileForm(request.POST if request.method == "POST" else None, user=request.user)
    if request.method == "POST" and form.is_valid():
        request.user.save(update_fields=form.Meta.fields)
        messages.success(request, _("Saved."))
        return redirect("settings")
    if form.errors:
        # The bar above names the user as they are, not as they have just typed.
        request.user.refresh_from_db()
    context = {"form": form, "password_form": _password_form(request)}
    return render(request, TEMPLATE, context, status=_status(form.errors))


@require_POST
@signed_in
def password(request: SignedInRequest) -> HttpResponse:
    """Another password signs the user out everywhere else, programs with keys apart."""
    form = _password_form(request)
    if not form.is_valid():
        context = {"form": ProfileForm(None, user=request.user), "password_form": form}
        return render(request, TEMPLATE, context, status=HTTPStatus.BAD_REQUEST)
    form.save()
    update_session_auth_hash(request, request.user)
    sign_ins.end_all(request.user, but=request.session.session_key or "")
    messages.success(request, _("Your password has changed. Everywhere else you are signed out."))
    return redirect("settings")


def _password_form(request: SignedInRequest) -> NewPasswordForm:
    return NewPasswordForm(request.user, request.POST if "new_password1" in request.POST else None)


def _status(errors: object) -> HTTPStatus:
    return HTTPStatus.BAD_REQUEST if errors else HTTPStatus.OK
