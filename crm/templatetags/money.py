"""Amounts of money on pages."""

from django import template

from crm.wording import amount

register = template.Library()


@register.filter
def money(minor: int, currency: str) -> str:
    """Minor units of ``currency`` as people write them."""
    return amount(minor, currency)
