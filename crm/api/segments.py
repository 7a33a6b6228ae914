"""Segments: saved rules, whom they choose, and the ready-made ones."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import segments
from crm.api.access import creators_of, found, one_creator, require_manager
from crm.api.fans import FanShape, shown, with_what_is_shown
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import Shape, page_of
from crm.models import Creator, Fan, Segment
from crm.paging import sortings


class SegmentShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    name = serializers.CharField()
    rule = serializers.JSONField()
    createdAt = serializers.DateTimeField(source="created_at")
    updatedAt = serializers.DateTimeField(source="updated_at")


@extend_schema_field({"type": "object", "additionalProperties": True})
class RuleField(serializers.JSONField):
    """``crm/segments.py`` says what a rule looks like."""


class SegmentValues(Shape):
    """The ledger reads the rule; what is wrong in it is named by its path."""

    shown_as = SegmentShape

    name = serializers.CharField(max_length=Segment.NAME_MAX)
    rule = RuleField()


class NewSegment(SegmentValues):
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)


class RulePreview(Shape):
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)
    rule = RuleField()


class CountShape(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class SampleShape(serializers.Serializer[Any]):
    results = FanShape(many=True)


class ChosenShape(CountShape, SampleShape):
    rule = serializers.JSONField()


class ReadyMadeShape(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    rule = serializers.JSONField()


class ReadyMadeListShape(serializers.Serializer[Any]):
    results = ReadyMadeShape(many=True)


class SegmentQuery(ListQuery):
    sortings = sortings(name="name", createdAt="created_at")
    default_sort = "name"

    creatorId = serializers.UUIDField(required=False)


class SegmentList(APIView):
    """GET: the segments of the user's creators. POST: add one."""

    input_shape = NewSegment

    @extend_schema(parameters=[SegmentQuery], responses={200: page_of(SegmentShape)})
    def get(self, request: Request) -> Response:
        query = SegmentQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        mine = Segment.objects.filter(creator__in=list(creators)).select_related("creator")
        return query.reply(request, mine, lambda rows: list(SegmentShape(rows, many=True).data))

    @extend_schema(responses={201: SegmentShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewSegment(data=request.data)
        shape.is_valid(raise_exception=True)
        values = shape.validated_data
        segment = Segment(creator=one_creator(request, values.pop("creator")))
        require_manager(request, segment.creator_id)
        segments.write(segment, **values)
        return Response(SegmentShape(segment).data, status=status.HTTP_201_CREATED)


class SegmentDetail(APIView):
    """GET: one segment. PUT: all of it. PATCH: what is named. DELETE: take it away."""

    input_shape = SegmentValues

    @extend_schema(responses={200: SegmentShape})
    def get(self, request: Request, segment_id: str) -> Response:
        return Response(SegmentShape(_find(request, segment_id)).data)

    @extend_schema(responses={200: SegmentShape})
    def put(self, request: Request, segment_id: str) -> Response:
        return self._change(request, segment_id, partial=False)

    @extend_schema(responses={200: SegmentShape})
    def patch(self, request: Request, segment_id: str) -> Response:
        return self._change(request, segment_id, partial=True)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, segment_id: str) -> Response:
        segment = _find(request, segment_id)
        require_manager(request, segment.creator_id)
        segment.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _change(self, request: Request, segment_id: str, *, partial: bool) -> Response:
        segment = _find(request, segment_id)
        require_manager(request, segment.creator_id)
        shape = SegmentValues(data=request.data, partial=partial)
        shape.is_valid(raise_exception=True)
        segments.write(segment, **shape.validated_data)
        return Response(SegmentShape(segment).data)


class SegmentCount(APIView):
    """GET: how many fans it chooses now."""

    @extend_schema(responses={200: CountShape})
    def get(self, request: Request, segment_id: str) -> Response:
        segment = _find(request, segment_id)
        return Response({"count": segments.select(Fan.objects.all(), segment.rule, creator=segment.creator).count()})


class SegmentSample(APIView):
    """GET: those of its fans who spent most. All of them are in the list of fans, by ``segment``."""

    @extend_schema(responses={200: SampleShape})
    def get(self, request: Request, segment_id: str) -> Response:
        segment = _find(request, segment_id)
        chosen = segments.select(Fan.objects.all(), segment.rule, creator=segment.creator)
        return Response({"results": _sample(chosen, segment.creator)})


class SegmentPreview(APIView):
    """POST: whom a rule would choose, before it is saved."""

    input_shape = RulePreview

    @extend_schema(responses={200: ChosenShape})
    def post(self, request: Request) -> Response:
        shape = RulePreview(data=request.data)
        shape.is_valid(raise_exception=True)
        creator = one_creator(request, shape.validated_data["creator"])
        rule = segments.check(shape.validated_data["rule"], creator=creator)
        chosen = segments.select(Fan.objects.all(), rule, creator=creator)
        return Response({"rule": rule, "count": chosen.count(), "results": _sample(chosen, creator)})


class ReadyMadeSegments(APIView):
    """GET: the rules that everybody has, to be used as they are or saved as a segment."""

    @extend_schema(responses={200: ReadyMadeListShape})
    def get(self, request: Request) -> Response:
        return Response(
            {"results": [{"key": each.key, "name": each.name, "rule": each.rule} for each in segments.READY_MADE]}
        )


def _find(request: Request, segment_id: str) -> Segment:
    return found(Segment.objects.for_user(request.user).select_related("creator"), segment_id)


def _sample(chosen: QuerySet[Fan], creator: Creator) -> list[dict[str, Any]]:
    best = with_what_is_shown(chosen.order_by("-value_cents", "-pk"))[: segments.SAMPLE]
    return shown(list(best), {creator.pk: creator})
