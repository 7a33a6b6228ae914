"""Who else is looking at a conversation."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from crm.clock import database_now
from crm.models import Presence
from crm.views.access import SignedInRequest, signed_in
from crm.views.inbox import find


@require_POST
@signed_in
def presence(request: SignedInRequest, public_id: UUID) -> HttpResponse:
    """The page says that somebody looks at it, now and then, and shows who else does. ``writing=1`` while they type."""
    chosen, now = find(request, public_id), database_now()
    Presence.objects.note(request.user, chosen, is_writing=request.POST.get("writing") == "1", now=now)
    beside = Presence.objects.beside(request.user, chosen, now=now)
    return render(request, "crm/conversations/_beside.html", {"beside": list(beside)})
