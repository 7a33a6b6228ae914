"""For those who watch: staff, and programs with the monitoring token."""

import os
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.utils.cache import add_never_cache_headers
from django.utils.crypto import constant_time_compare
from drf_spectacular.utils import extend_schema
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.shapes import ProblemShape
from crm.models import ApiKey, Dispatch
from onlyfans.metrics import FromRows
from onlyfans.monitoring import State, components
from ratelimit.throttles import UNAVAILABLE

#: What ``request.auth`` is for a program that showed the token.
PROBE = "monitoring token"


class MonitoringToken(BaseAuthentication):
    """``Authorization: Bearer`` and MONITORING_TOKEN; what is not that token may be somebody's access token."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, str] | None:
        scheme, _space, given = request.headers.get("Authorization", "").partition(" ")
        token = settings.MONITORING_TOKEN
        if token and scheme.lower() == "bearer" and constant_time_compare(given.strip(), token):
            return AnonymousUser(), PROBE
        return None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class MayWatch(BasePermission):
    """Staff as people, and whoever has the token. A key of a staff user is for that user's creators, not for this."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if isinstance(request.auth, ApiKey):
            return False
        return request.auth == PROBE or bool(request.user.is_authenticated and request.user.is_staff)


class Watched(APIView):
    authentication_classes = (MonitoringToken, *APIView.authentication_classes)
    permission_classes = (MayWatch,)
    key_scope = None
    # A watcher that is told to wait sees nothing; the token and the staff are trusted with the cost.
    throttle_classes = ()
    without_database = (
        "The database does not answer. Without it no sign-in can be checked and no message be counted."
        " With the monitoring token, /api/monitoring/onlyfans says how every component is."
    )

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        add_never_cache_headers(response)
        return super().finalize_response(request, response, *args, **kwargs)


class ComponentShape(serializers.Serializer[Any]):
    state = serializers.ChoiceField(choices=[state.value for state in State])
    latencyMs = serializers.FloatField(allow_null=True)
    words = serializers.CharField()


class WarningShape(serializers.Serializer[Any]):
    code = serializers.CharField()
    words = serializers.CharField()


class MonitoringShape(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=[state.value for state in State])
    components = serializers.DictField(child=ComponentShape())
    warnings = WarningShape(many=True)


class Monitoring(Watched):
    """GET: how every component is; 503 when one is down.

    While the database is, only the monitoring token is answered so: who has signed in cannot be told.
    """

    @extend_schema(
        responses={
            200: MonitoringShape,
            (503, "application/json"): MonitoringShape,
            (503, "application/problem+json"): ProblemShape,
        }
    )
    def get(self, request: Request) -> Response:
        found = components()
        states = {component.state for component in found.values()}
        worst = next((state for state in (State.DOWN, State.DEGRADED) if state in states), State.OK)
        warnings = Dispatch.current().warnings if found["database"].state == State.OK else {}
        return Response(
            {
                "status": worst,
                "components": {
                    name: {
                        "state": component.state,
                        "latencyMs": component.latency_ms,
                        "words": component.words,
                    }
                    for name, component in found.items()
                },
                "warnings": [{"code": code, "words": words} for code, words in warnings.items()],
            },
            status=HTTPStatus.SERVICE_UNAVAILABLE if worst == State.DOWN else HTTPStatus.OK,
        )


class Metrics(Watched):
    """GET: the metrics in the format of Prometheus."""

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        """Prometheus asks for its own formats; a refusal is JSON whatever was asked for."""
        return super().perform_content_negotiation(request, force=True)

    @extend_schema(exclude=True)
    def get(self, request: Request) -> HttpResponse:
        registry = CollectorRegistry()
        registry.register(FromRows())
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            # What no row says; this process knows its own part of it only.
            registry.register(UNAVAILABLE)
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(registry), content_type=content_type)
