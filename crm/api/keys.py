"""Keys for other programs: made, listed and revoked by a person, never by a key."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import found, user_of
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.shapes import Shape, page_of
from crm.models import ApiKey, Creator
from crm.models.keys import ApiKeyQuerySet
from crm.paging import sortings


class NewKeyShape(Shape):
    example = {"name": "Shop", "scopes": ["read", "send"]}

    name = serializers.CharField(max_length=ApiKey.NAME_MAX)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiKey.Scope.choices), allow_empty=False)
    creatorId = serializers.UUIDField(required=False, allow_null=True, default=None)
    expiresAt = serializers.DateTimeField(source="expires_at", required=False, allow_null=True, default=None)


class KeyShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField()
    prefix = serializers.CharField()
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=ApiKey.Scope.choices))
    creatorId = serializers.UUIDField(source="creator.public_id", default=None, allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    expiresAt = serializers.DateTimeField(source="expires_at")
    usedAt = serializers.DateTimeField(source="used_at", allow_null=True)


class ShownKeyShape(KeyShape):
    key = serializers.CharField(
        help_text="Shown this once, and to who asks again with the same Idempotency-Key within 24 hours."
    )


class KeyQuery(ListQuery):
    sortings = sortings(createdAt="created_at")
    default_sort = "-createdAt"


class Keys(APIView):
    """GET: the user's keys that were not revoked. POST: a new one; the answer shows it, this once."""

    key_scope = None
    input_shape = NewKeyShape
    shows_secret = True

    @extend_schema(parameters=[KeyQuery], responses={200: page_of(KeyShape)})
    def get(self, request: Request) -> Response:
        return KeyQuery.of(request).reply(
            request, _mine(request).select_related("creator"), lambda rows: list(KeyShape(rows, many=True).data)
        )

    @extend_schema(responses={201: ShownKeyShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewKeyShape(data=request.data)
        shape.is_valid(raise_exception=True)
        wanted = shape.validated_data
        creator_id = wanted.pop("creatorId")
        creator = found(Creator.objects.for_user(request.user), creator_id) if creator_id else None
        key, secret = ApiKey.issue(user_of(request), creator=creator, **wanted)
        return Response({**KeyShape(key).data, "key": secret}, status=status.HTTP_201_CREATED)


class OneKey(APIView):
    """DELETE: revoke it. What it opened is closed with the next request."""

    key_scope = None

    @extend_schema(responses={204: None})
    def delete(self, request: Request, key_id: str) -> Response:
        found(_mine(request), key_id).revoke()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _mine(request: Request) -> ApiKeyQuerySet:
    return ApiKey.objects.filter(user=user_of(request), revoked_at=None)
