"""Snippets: canned texts, and how one reads to a fan."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import personalising
from crm.api.access import creators_of, found, one_creator, require_manager, require_writer
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery, Query
from crm.api.rows import RowShape
from crm.api.shapes import Shape, page_of
from crm.models import Fan, Message, Snippet
from crm.paging import sortings


class SnippetShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    name = serializers.CharField()
    text = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")
    updatedAt = serializers.DateTimeField(source="updated_at")


class SnippetValues(Shape):
    example = {"name": "Welcome", "text": "Hello {name|there}!"}

    name = serializers.CharField(max_length=Snippet.NAME_MAX)
    text = serializers.CharField(max_length=Message.TEXT_MAX, trim_whitespace=False)


class NewSnippet(SnippetValues):
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)


class SnippetQuery(ListQuery):
    sortings = sortings(name="name", createdAt="created_at")
    default_sort = "name"

    creatorId = serializers.UUIDField(required=False)


class FilledInShape(serializers.Serializer[Any]):
    text = serializers.CharField()


class FanQuery(Query):
    fanId = serializers.UUIDField()


class SnippetList(APIView):
    """GET: the snippets of the user's creators. POST: add one."""

    input_shape = NewSnippet

    @extend_schema(parameters=[SnippetQuery], responses={200: page_of(SnippetShape)})
    def get(self, request: Request) -> Response:
        query = SnippetQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        snippets = Snippet.objects.filter(creator__in=list(creators)).select_related("creator")
        return query.reply(request, snippets, lambda rows: list(SnippetShape(rows, many=True).data))

    @extend_schema(responses={201: SnippetShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewSnippet(data=request.data)
        shape.is_valid(raise_exception=True)
        values = shape.validated_data
        snippet = Snippet(creator=one_creator(request, values.pop("creator")))
        require_writer(request, snippet.creator_id)
        personalising.write_snippet(snippet, **values)
        return Response(SnippetShape(snippet).data, status=status.HTTP_201_CREATED)


class SnippetDetail(APIView):
    """GET: one snippet. PATCH: write it differently. DELETE: take it away."""

    input_shape = SnippetValues

    @extend_schema(responses={200: SnippetShape})
    def get(self, request: Request, snippet_id: str) -> Response:
        return Response(SnippetShape(_find(request, snippet_id)).data)

    @extend_schema(responses={200: SnippetShape})
    def patch(self, request: Request, snippet_id: str) -> Response:
        snippet = _find(request, snippet_id)
        require_writer(request, snippet.creator_id)
        shape = SnippetValues(data=request.data, partial=True)
        shape.is_valid(raise_exception=True)
        personalising.write_snippet(snippet, **shape.validated_data)
        return Response(SnippetShape(snippet).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, snippet_id: str) -> Response:
        snippet = _find(request, snippet_id)
        require_manager(request, snippet.creator_id)
        snippet.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class SnippetText(APIView):
    """GET: the snippet as one fan would read it."""

    @extend_schema(parameters=[FanQuery], responses={200: FilledInShape})
    def get(self, request: Request, snippet_id: str) -> Response:
        snippet = _find(request, snippet_id)
        fans = Fan.objects.filter(creator=snippet.creator_id)
        return Response({"text": personalising.render(snippet.text, found(fans, FanQuery.of(request).get("fanId")))})


def _find(request: Request, snippet_id: str) -> Snippet:
    return found(Snippet.objects.for_user(request.user).select_related("creator"), snippet_id)
