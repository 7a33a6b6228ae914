"""Addresses of the courier's API; each works with and without a trailing slash."""

from django.urls import re_path

from onlyfans.api import messages, status

UUID = r"(?P<message_id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"

urlpatterns = [
    re_path(r"^onlyfans/messages/send/?$", messages.SendMessage.as_view(), name="api-send"),
    re_path(r"^onlyfans/messages/status/?$", status.QueueStatus.as_view(), name="api-queue-status"),
    re_path(rf"^onlyfans/messages/{UUID}/?$", messages.MessageDetail.as_view(), name="api-message"),
]
