"""How a creator's account is connected, on the page where files come in."""

from typing import Any

from django import template

from crm.models import Creator
from onlyfans.models import Connection

register = template.Library()


@register.inclusion_tag("onlyfans/_account_card.html")
def account_card(creator: Creator, may_manage: bool) -> dict[str, Any]:
    connection = Connection.objects.filter(creator=creator).first()
    return {"creator": creator, "connection": connection, "may_manage": may_manage}
