"""What stands around every page: the navigation's present entry, and the name of whoever is signed in."""

from django import template
from django.template import RequestContext
from django.utils.safestring import SafeString, mark_safe

from crm.correlation import current_correlation_id
from crm.models import User

register = template.Library()


@register.simple_tag(takes_context=True)
def current(context: RequestContext, *names: str) -> SafeString:
    """``aria-current`` for a link of the navigation: ``names`` are its page's and those of the pages below it."""
    match = getattr(context.get("request"), "resolver_match", None)
    if match is None or match.url_name not in names:
        return SafeString("")
    return mark_safe(f' aria-current="{"page" if match.url_name == names[0] else "true"}"')  # noqa: S308 - no input


@register.filter
def called(user: User) -> str:
    return user.get_full_name() or user.get_username()


@register.simple_tag
def correlation_id() -> str:
    """By which the log knows this request; an error page asks nothing else, which may be broken, too."""
    return current_correlation_id()
