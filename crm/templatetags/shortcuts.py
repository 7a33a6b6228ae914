"""The keys of the inbox, as its sheet lists them; static/js/keys.js acts on them."""

from django import template
from django.utils.translation import gettext as _

register = template.Library()


@register.simple_tag
def shortcuts() -> list[tuple[tuple[str, ...], str]]:
    return [
        (("j", "k"), _("Next and previous conversation")),
        (("o", "Enter"), _("Open it")),
        (("x",), _("Select it; then e, a, t and u are about all selected ones")),
        (("Esc",), _("Select none")),
        (("r",), _("Reply")),
        (("n",), _("Write a note")),
        (("t",), _("Add a tag")),
        (("e",), _("Close it, or take it back")),
        (("s",), _("Snooze it")),
        (("a",), _("Assign to me, or give it back")),
        (("u",), _("Mark as unread")),
        (("/",), _("Search")),
        (("?",), _("These keys")),
        (("Ctrl K", "⌘ K"), _("Go to a fan or a page, or do something")),
        (("Ctrl ↵", "⌘ ↵"), _("Send")),
    ]
