"""How the inbox behaves for one person: how long Undo waits, and whether single keys act."""

from http import HTTPStatus

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm.forms.preferences import PreferencesForm
from crm.views.access import SignedInRequest, see_other, signed_in


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def preferences(request: SignedInRequest) -> HttpResponse:
    """A page of the settings; the inbox shows it in its sheet of keys."""
    if request.method != "POST":
        return _page(request, PreferencesForm(instance=request.user))
    form = PreferencesForm(request.POST, instance=request.user)
    if not form.is_valid():
        return _page(request, form, status=HTTPStatus.BAD_REQUEST)
    form.save()
    if request.htmx:
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    messages.success(request, _("Saved."))
    return see_other(reverse("inbox_preferences"))


def _page(request: SignedInRequest, form: PreferencesForm, status: HTTPStatus = HTTPStatus.OK) -> HttpResponse:
    template = "crm/conversations/preferences.html" + ("#sheet" if request.htmx else "")
    return render(request, template, {"form": form}, status=status)
