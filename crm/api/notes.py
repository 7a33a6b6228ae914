"""Notes: what the team should know about a fan."""

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import found, manages, require_writer, user_of
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import Shape, page_of
from crm.models import Fan, Note
from crm.paging import sortings


class AuthorShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField(source="username")


class NoteShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    fanId = serializers.UUIDField(source="fan.public_id")
    author = AuthorShape(allow_null=True)
    category = serializers.CharField()
    text = serializers.CharField()
    createdAt = serializers.DateTimeField(source="created_at")
    updatedAt = serializers.DateTimeField(source="updated_at")


class NoteValues(Shape):
    example = {"text": "Likes sunsets", "category": "interests"}

    category = serializers.ChoiceField(choices=Note.Category.choices, default=Note.Category.IMPORTANT)
    text = serializers.CharField(max_length=Note.TEXT_MAX, trim_whitespace=False)


class NewNote(NoteValues):
    example = {**NoteValues.example, "fanId": "aeee336e-9739-4fd6-a229-adfee54e495d"}

    fanId = serializers.UUIDField(source="fan")


class NoteQuery(ListQuery):
    sortings = sortings(createdAt="created_at")
    default_sort = "-createdAt"

    fanId = serializers.UUIDField()
    category = serializers.ChoiceField(choices=Note.Category.choices, required=False)


class NoteList(APIView):
    """GET: the notes about one fan, newest first. POST: write one."""

    input_shape = NewNote

    @extend_schema(parameters=[NoteQuery], responses={200: page_of(NoteShape)})
    def get(self, request: Request) -> Response:
        query = NoteQuery.of(request)
        fan = found(Fan.objects.for_user(request.user), query.get("fanId"))
        notes = Note.objects.filter(fan=fan).select_related("fan", "author")
        if category := query.get("category"):
            notes = notes.filter(category=category)
        return query.reply(request, notes, lambda rows: list(NoteShape(rows, many=True).data))

    @extend_schema(responses={201: NoteShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewNote(data=request.data)
        shape.is_valid(raise_exception=True)
        values = shape.validated_data
        fan = found(Fan.objects.for_user(request.user), values.pop("fan"))
        require_writer(request, fan.creator_id)
        note = Note.objects.write(fan, author=user_of(request), **values)
        return Response(NoteShape(note).data, status=status.HTTP_201_CREATED)


class NoteDetail(APIView):
    """GET: one note. PATCH: write it differently. DELETE: take it away. By its author, or an owner or a manager."""

    input_shape = NoteValues

    @extend_schema(responses={200: NoteShape})
    def get(self, request: Request, note_id: str) -> Response:
        return Response(NoteShape(_find(request, note_id)).data)

    @extend_schema(responses={200: NoteShape})
    def patch(self, request: Request, note_id: str) -> Response:
        note = _find_for_writing(request, note_id)
        shape = NoteValues(data=request.data, partial=True)
        shape.is_valid(raise_exception=True)
        note.change(**shape.validated_data)
        return Response(NoteShape(note).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, note_id: str) -> Response:
        _find_for_writing(request, note_id).erase()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _find(request: Request, note_id: str) -> Note:
    return found(Note.objects.for_user(request.user).select_related("fan", "author"), note_id)


def _find_for_writing(request: Request, note_id: str) -> Note:
    note = _find(request, note_id)
    require_writer(request, note.fan.creator_id)
    if note.author_id != request.user.pk and not manages(request, note.fan.creator_id):
        raise PermissionDenied(_("Only its author, or an owner or a manager of this creator, may change a note."))
    return note
