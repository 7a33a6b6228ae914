"""Addresses of the ledger's API; each works with and without a trailing slash."""

from django.urls import re_path

from crm.api import conversations
from crm.api.shapes import UUID

CONVERSATION = rf"crm/conversations/(?P<conversation_id>{UUID})"

urlpatterns = [
    re_path(r"^crm/conversations/?$", conversations.ConversationList.as_view(), name="api-conversations"),
    re_path(
        rf"^{CONVERSATION}/messages/?$", conversations.ConversationMessages.as_view(), name="api-conversation-messages"
    ),
    re_path(rf"^{CONVERSATION}/read/?$", conversations.ConversationRead.as_view(), name="api-conversation-read"),
]
