"""Addresses of the ledger's API; each works with and without a trailing slash."""

from typing import Any

from django.urls import URLPattern, re_path

from crm.api import conversations, fans
from crm.api.shapes import UUID


def address(route: str, view: Any, name: str) -> URLPattern:
    """``route`` has the names of ids in braces."""
    pattern = route.replace("{", "(?P<").replace("}", f">{UUID})")
    return re_path(f"^crm/{pattern}/?$", view.as_view(), name=name)


urlpatterns = [
    address("fans", fans.FanList, "api-fans"),
    address("fans/{fan_id}", fans.FanDetail, "api-fan"),
    address("conversations", conversations.ConversationList, "api-conversations"),
    address(
        "conversations/{conversation_id}/messages", conversations.ConversationMessages, "api-conversation-messages"
    ),
    address("conversations/{conversation_id}/read", conversations.ConversationRead, "api-conversation-read"),
]
