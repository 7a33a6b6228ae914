"""The only place where the apps meet."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from huntaze import problems

handler400 = "huntaze.problems.bad_request"
handler403 = "huntaze.problems.permission_denied"
handler404 = "huntaze.problems.page_not_found"
handler500 = "huntaze.problems.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="inbox"), name="home"),
    path("admin/", admin.site.urls),
    path("", include("crm.urls")),
    path("", include("onlyfans.urls")),
    path("api/", include("crm.api.urls")),
    path("api/", include("onlyfans.api.urls")),
    # In DEBUG too a program gets a problem document, not Django's page for developers.
    re_path(r"^api(?:/.*)?$", problems.no_such_address),
]
