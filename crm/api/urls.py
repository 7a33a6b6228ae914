"""Addresses of the ledger's API; each works with and without a trailing slash."""

from django.urls import re_path

from crm.api import conversations

UUID = r"(?P<conversation_id>[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})"

urlpatterns = [
    re_path(r"^crm/conversations/?$", conversations.ConversationList.as_view(), name="api-conversations"),
    re_path(
        rf"^crm/conversations/{UUID}/messages/?$",
        conversations.ConversationMessages.as_view(),
        name="api-conversation-messages",
    ),
    re_path(
        rf"^crm/conversations/{UUID}/read/?$", conversations.ConversationRead.as_view(), name="api-conversation-read"
    ),
]
