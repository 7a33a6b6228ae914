"""Signing in and out by a page, the first password, and the language of the pages."""

from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import LoginView, LogoutView, PasswordResetConfirmView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django.views.i18n import set_language

from crm.forms.settings import FirstPasswordForm
from crm.forms.signing_in import SignInForm
from crm.models import User
from crm.models.sessions import BROWSER, BROWSER_MAX


class SignInView(LoginView):
    """Back to the page that asked for it, in the language that this person chose the last time.

    The session keeps what the browser calls itself, so that its owner knows it among others.
    """

    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        response = super().form_valid(form)
        self.request.session[BROWSER] = self.request.headers.get("User-Agent", "")[:BROWSER_MAX]
        user: User = form.get_user()
        if user.language:
            _keep(response, user.language)
        return response


class SignOutView(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        messages.success(request, _("You are signed out."))
        return response


class Welcome(PasswordResetConfirmView):
    """The link of an invitation: its owner chooses a password and is signed in. It is good once, for three days."""

    template_name = "registration/welcome.html"
    form_class = FirstPasswordForm
    success_url = reverse_lazy("inbox")
    post_reset_login = True
    reset_url_token = "choose"  # noqa: S105, a word in an address

    def get_user(self, uidb64: str) -> User | None:
        """By our public id: no integer key leaves the server."""
        try:
            user = User.objects.get(public_id=uidb64)
        except (User.DoesNotExist, ValidationError):
            return None
        return user if user.may_sign_in else None

    def render_to_response(self, context: dict[str, Any], **options: Any) -> HttpResponse:
        """A link that is used up, too old or made up leads nowhere."""
        if not self.validlink:
            return render(self.request, "registration/welcome_over.html", status=HTTPStatus.NOT_FOUND)
        return super().render_to_response(context, **options)


welcome = require_http_methods(["GET", "HEAD", "POST"])(Welcome.as_view())


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Back to the page, in the language that was asked for. This browser keeps it, and the person's next one."""
    response = set_language(request)
    chosen = request.POST.get("language", "")
    if isinstance(request.user, User) and chosen in dict(settings.LANGUAGES):
        User.objects.filter(pk=request.user.pk).update(language=chosen)
    return response


def _keep(response: HttpResponse, language: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
    )
