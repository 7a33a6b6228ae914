"""The courier's pages."""

from django.urls import path

from onlyfans import views

urlpatterns = [
    path("messages/assisted/", views.assisted),
    path("messages/assisted", views.assisted, name="assisted"),
    path("messages/assisted/<uuid:message_id>", views.assist, name="assist"),
]
