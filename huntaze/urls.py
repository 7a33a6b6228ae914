"""The only place where the apps meet."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView
from rest_framework_simplejwt import views as jwt

from huntaze import problems

handler400 = "huntaze.problems.bad_request"
handler403 = "huntaze.problems.permission_denied"
handler404 = "huntaze.problems.page_not_found"
handler500 = "huntaze.problems.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="inbox"), name="home"),
    path("admin/", admin.site.urls),
    path("", include("crm.urls")),
    # Who may try how often is up to huntaze.signing_in, which counts failures only.
    re_path(r"^api/auth/token/?$", jwt.TokenObtainPairView.as_view(throttle_classes=()), name="api-token"),
    re_path(r"^api/auth/refresh/?$", jwt.TokenRefreshView.as_view(), name="api-token-refresh"),
    re_path(r"^api/auth/logout/?$", jwt.TokenBlacklistView.as_view(), name="api-logout"),
    path("api/", include("crm.api.urls")),
    path("api/", include("onlyfans.api.urls")),
    # In DEBUG too a program gets a problem document, not Django's page for developers.
    re_path(r"^api(?:/.*)?$", problems.no_such_address),
]
