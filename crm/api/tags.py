"""Tags, and which fans have them."""

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import Conflict, creators_of, found, one_creator, require_manager, require_writer
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import ProblemShape, Shape, page_of
from crm.models import Creator, Fan, Tag
from crm.models.tags import TagInUse
from crm.paging import sortings

FANS_AT_ONCE = 100


class TagShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    name = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")


class TagValues(Shape):
    example = {"name": "vip"}

    name = serializers.CharField(max_length=Tag.NAME_MAX)


class NewTag(TagValues):
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)


class MergeTag(Shape):
    into = serializers.UUIDField()


class FansOfTag(Shape):
    fanIds = serializers.ListField(
        source="fans", child=serializers.UUIDField(), min_length=1, max_length=FANS_AT_ONCE, required=True
    )


class TagQuery(ListQuery):
    sortings = sortings(name="name", createdAt="created_at")
    default_sort = "name"

    creatorId = serializers.UUIDField(required=False)


class TagList(APIView):
    """GET: the tags of the user's creators. POST: add one."""

    input_shape = NewTag

    @extend_schema(parameters=[TagQuery], responses={200: page_of(TagShape)})
    def get(self, request: Request) -> Response:
        query = TagQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        tags = Tag.objects.filter(creator__in=list(creators)).select_related("creator")
        return query.reply(request, tags, lambda rows: list(TagShape(rows, many=True).data))

    @extend_schema(responses={201: TagShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewTag(data=request.data)
        shape.is_valid(raise_exception=True)
        creator = one_creator(request, shape.validated_data["creator"])
        require_writer(request, creator.pk)
        tag = Tag.objects.add(creator, name=shape.validated_data["name"])
        return Response(TagShape(tag).data, status=status.HTTP_201_CREATED)


class TagDetail(APIView):
    """GET: one tag. PATCH: rename it. DELETE: take it off everybody, and away."""

    input_shape = TagValues

    @extend_schema(responses={200: TagShape})
    def get(self, request: Request, tag_id: str) -> Response:
        return Response(TagShape(_find(request, tag_id)).data)

    @extend_schema(responses={200: TagShape})
    def patch(self, request: Request, tag_id: str) -> Response:
        tag = _find(request, tag_id)
        require_writer(request, tag.creator_id)
        shape = TagValues(data=request.data, partial=True)
        shape.is_valid(raise_exception=True)
        tag.rename(shape.validated_data.get("name", tag.name))
        return Response(TagShape(tag).data)

    @extend_schema(responses={204: None, 409: ProblemShape})
    def delete(self, request: Request, tag_id: str) -> Response:
        tag = _find(request, tag_id)
        require_manager(request, tag.creator_id)
        try:
            tag.remove()
        except TagInUse as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class TagMerge(APIView):
    """POST: whoever has this tag has the other one, and this one goes."""

    input_shape = MergeTag

    @extend_schema(responses={200: TagShape})
    def post(self, request: Request, tag_id: str) -> Response:
        tag = _find(request, tag_id)
        require_manager(request, tag.creator_id)
        shape = MergeTag(data=request.data)
        shape.is_valid(raise_exception=True)
        other = found(Tag.objects.filter(creator=tag.creator).select_related("creator"), shape.validated_data["into"])
        tag.merge_into(other)
        return Response(TagShape(other).data)


class TagFans(APIView):
    """POST: these fans have the tag, all of them or, when one is not the creator's, none."""

    input_shape = FansOfTag

    @extend_schema(responses={204: None})
    def post(self, request: Request, tag_id: str) -> Response:
        tag = _find(request, tag_id)
        require_writer(request, tag.creator_id)
        tag.put_on(_fans(request, tag.creator))
        return Response(status=status.HTTP_204_NO_CONTENT)


class TagFansRemove(APIView):
    """POST: these fans do not have the tag."""

    input_shape = FansOfTag

    @extend_schema(responses={204: None})
    def post(self, request: Request, tag_id: str) -> Response:
        tag = _find(request, tag_id)
        require_writer(request, tag.creator_id)
        tag.take_off(_fans(request, tag.creator))
        return Response(status=status.HTTP_204_NO_CONTENT)


class FanTagDetail(APIView):
    """PUT: the fan has the tag. DELETE: the fan does not. Both may be said twice."""

    @extend_schema(request=None, responses={204: None})
    def put(self, request: Request, fan_id: str, tag_id: str) -> Response:
        fan, tag = self._find(request, fan_id, tag_id)
        tag.put_on([fan])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, fan_id: str, tag_id: str) -> Response:
        fan, tag = self._find(request, fan_id, tag_id)
        tag.take_off([fan])
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _find(self, request: Request, fan_id: str, tag_id: str) -> tuple[Fan, Tag]:
        fan = found(Fan.objects.for_user(request.user), fan_id)
        tag = found(Tag.objects.filter(creator=fan.creator_id), tag_id)
        require_writer(request, fan.creator_id)
        return fan, tag


def _find(request: Request, tag_id: str) -> Tag:
    return found(Tag.objects.for_user(request.user).select_related("creator"), tag_id)


def _fans(request: Request, creator: Creator) -> list[Fan]:
    """The fans named in the body, all of them the creator's; 400 names those that are not."""
    shape = FansOfTag(data=request.data)
    shape.is_valid(raise_exception=True)
    wanted = set(shape.validated_data["fans"])
    fans = list(Fan.objects.filter(creator=creator, public_id__in=wanted))
    if missing := wanted - {fan.public_id for fan in fans}:
        named = ", ".join(sorted(map(str, missing)))
        raise ValidationError({"fanIds": _("No fans of this creator: %(ids)s") % {"ids": named}})
    return fans
