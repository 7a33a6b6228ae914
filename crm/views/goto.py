"""The palette: what can be gone to or done from here, narrowed by words."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from crm import personalising
from crm.finding import fans_named
from crm.models import Conversation, Creator, Snippet
from crm.searching import fold
from crm.views.access import SignedInRequest, chosen_creator, signed_in
from crm.views.inbox import as_uuid

SNIPPETS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Option:
    """One line: an ``address`` to go to, a ``key`` to press, or a ``text`` to insert."""

    kind: str
    icon: str
    words: str
    address: str = ""
    key: str = ""
    text: str = ""


@require_safe
@signed_in
def goto(request: SignedInRequest) -> HttpResponse:
    """Options for ``q``; ``conversation`` is the one that is open."""
    creator, query = chosen_creator(request), request.GET.get("q", "").strip()
    mine = Conversation.objects.for_user(request.user).select_related("fan", "creator")
    named = as_uuid(request.GET.get("conversation"))
    opened = mine.filter(public_id=named).first() if named else None
    wanted = fold(query)
    options = [
        *(option for option in [*_acts(opened), *_pages()] if wanted in fold(option.words)),
        *_fans(creator if opened is None else opened.creator, query),
        *(_snippets(opened, query) if opened and query else ()),
    ]
    return render(request, "crm/conversations/_options.html", {"options": options})


def _acts(opened: Conversation | None) -> Iterator[Option]:
    if opened:
        yield Option(_("Do"), "send", _("Reply"), key="r")
        yield Option(_("Do"), "sticky-note", _("Write a note"), key="n")
        yield Option(_("Do"), "tag", _("Add a tag"), key="t")
        yield Option(_("Do"), "circle-check", _("Close it, or take it back"), key="e")
        yield Option(_("Do"), "alarm-clock", _("Snooze it"), key="s")
        yield Option(_("Do"), "user-plus", _("Assign to me, or give it back"), key="a")
        yield Option(_("Do"), "inbox", _("Mark as unread"), key="u")
    yield Option(_("Do"), "search", _("Search fans and messages"), key="/")
    yield Option(_("Do"), "keyboard", _("Keys and preferences"), key="?")


def _pages() -> Iterator[Option]:
    for name, icon, words in (
        ("inbox", "messages-square", _("Messages")),
        ("fans", "users", _("Fans")),
        ("segments", "bookmark", _("Segments")),
        ("campaigns", "megaphone", _("Campaigns")),
        ("new_campaign", "plus", _("New campaign")),
        ("analytics", "chart-line", _("Analytics")),
        ("connect", "plug", _("Connect")),
        ("settings", "settings", _("Settings")),
    ):
        yield Option(_("Go to"), icon, words, address=reverse(name))


def _fans(creator: Creator, query: str) -> Iterator[Option]:
    for talk in fans_named(creator, query):
        yield Option(_("Fan"), "user", talk.fan.display_name, address=reverse("conversation", args=[talk.public_id]))


def _snippets(opened: Conversation, query: str) -> Iterator[Option]:
    for snippet in Snippet.objects.filter(creator=opened.creator_id, name__icontains=query)[:SNIPPETS_SHOWN]:
        yield Option(_("Snippet"), "file-text", snippet.name, text=personalising.fill_in(snippet.text, opened.fan))
