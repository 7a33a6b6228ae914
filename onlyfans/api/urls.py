"""Addresses of the courier's API; each works with and without a trailing slash."""

from django.urls import re_path

from crm.api.shapes import UUID
from onlyfans.api import messages, monitoring, outcomes, status
from onlyfans.webhooks import receive_webhook

urlpatterns = [
    re_path(r"^onlyfans/messages/send/?$", messages.SendMessage.as_view(), name="api-send"),
    re_path(r"^onlyfans/messages/status/?$", status.QueueStatus.as_view(), name="api-queue-status"),
    re_path(r"^onlyfans/messages/failed/?$", outcomes.FailedMessages.as_view(), name="api-failed"),
    re_path(rf"^onlyfans/messages/(?P<message_id>{UUID})/?$", messages.MessageDetail.as_view(), name="api-message"),
    re_path(rf"^onlyfans/messages/(?P<message_id>{UUID})/retry/?$", outcomes.RetryMessage.as_view(), name="api-retry"),
    re_path(
        rf"^onlyfans/messages/(?P<message_id>{UUID})/cancel/?$", outcomes.CancelMessage.as_view(), name="api-cancel"
    ),
    re_path(r"^monitoring/onlyfans/?$", monitoring.Monitoring.as_view(), name="api-monitoring"),
    re_path(rf"^onlyfans/webhooks/(?P<connection_id>{UUID})/?$", receive_webhook, name="api-webhook"),
]
