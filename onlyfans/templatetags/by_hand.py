"""What every page needs to know of the courier."""

from django import template

from crm.models import User
from onlyfans import assisting

register = template.Library()


@register.filter
def sends_by_hand(user: User) -> bool:
    return assisting.sends_by_hand(user)
