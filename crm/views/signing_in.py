"""Signing in and out by a page, and the language of the pages."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST
from django.views.i18n import set_language


@require_POST
def choose_language(request: HttpRequest) -> HttpResponse:
    """Back to the page, in the language that was asked for; a cookie keeps it."""
    return set_language(request)
