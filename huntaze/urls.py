"""The only place where the apps meet."""

from csp.decorators import csp_update
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from huntaze import problems

handler400 = "huntaze.problems.bad_request"
handler403 = "huntaze.problems.permission_denied"
handler404 = "huntaze.problems.page_not_found"
handler500 = "huntaze.problems.server_error"

# Swagger's own style sheet has its icons in it.
api_docs = csp_update({"img-src": "data:"})(SpectacularSwaggerSplitView.as_view(url_name="api-schema"))

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="inbox"), name="home"),
    path("admin/", admin.site.urls),
    path("", include("crm.urls")),
    path("", include("onlyfans.urls")),
    re_path(r"^api/schema/?$", SpectacularAPIView.as_view(), name="api-schema"),
    re_path(r"^api/docs/?$", api_docs, name="api-docs"),
    path("api/", include("crm.api.urls")),
    path("api/", include("onlyfans.api.urls")),
    # In DEBUG too a program gets a problem document, not Django's page for developers.
    re_path(r"^api(?:/.*)?$", csrf_exempt(problems.no_such_address)),
]
