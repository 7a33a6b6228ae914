"""The courier's pages, and what Prometheus reads."""

from django.urls import path, re_path

from onlyfans import views
from onlyfans.api.monitoring import Metrics

urlpatterns = [
    path("messages/assisted/", views.assisted),
    path("messages/assisted", views.assisted, name="assisted"),
    path("messages/assisted/<uuid:message_id>", views.assist, name="assist"),
    path("platforms/connect/onlyfans/account/<uuid:creator_id>/", views.account),
    path("platforms/connect/onlyfans/account/<uuid:creator_id>", views.account, name="account"),
    re_path(r"^metrics/?$", Metrics.as_view(), name="metrics"),
]
