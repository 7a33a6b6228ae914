"""CSV files into the ledger: at once, or kept and worked on by the process that runs imports."""

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.http import StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import exporting
from crm.api.access import Conflict, creators_of, found, one_creator, require_manager, user_of
from crm.api.idempotency import REPLAYED, idempotent
from crm.api.paging import ListQuery, Query
from crm.api.shapes import ProblemShape, Shape, page_of
from crm.clock import database_now
from crm.importing import accepting
from crm.importing.problems import CannotImport
from crm.importing.report import error_file, problems_of
from crm.importing.rows import Options
from crm.importing.running import work
from crm.importing.survey import FILE_MAX_BYTES, FILE_MAX_WORDS
from crm.importing.uploads import opener_of
from crm.limiting import IMPORTS
from crm.models import ApiKey, IllegalImportMove, Import, ImportKind, ImportState
from crm.paging import sortings

SHOWN_PROBLEMS = 100
#: What a form around a file of 10 MB may add.
FORM_MAX_BYTES = 64 * 1024
#: How long a request that finds its file being imported already waits for the end.
TWIN_WAITS = timedelta(seconds=20)


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"

    def __init__(self) -> None:
        super().__init__({"file": [str(FILE_MAX_WORDS)]})


@extend_schema_field({"type": "object", "additionalProperties": {"type": "string"}})
class MappingField(serializers.JSONField):
    """Fields by header; in a form it is JSON."""


class OptionsShape(Shape):
    """What a client says about a file. What is left out the file must show by itself."""

    example = {"dateOrder": "dmy", "mapping": {"Nick": "handle", "Shoe size": ""}}

    kind = serializers.ChoiceField(choices=ImportKind.choices, required=False)
    dateOrder = serializers.ChoiceField(choices=["dmy", "mdy"], required=False, help_text="What 03/04/2025 means.")
    decimal = serializers.ChoiceField(choices=[".", ","], required=False, help_text="If 1,234 leaves it open.")
    textRepair = serializers.ChoiceField(
        choices=["none", "cp1252", "cp1254"], required=False, help_text="For text that was encoded twice."
    )
    encoding = serializers.ChoiceField(choices=Options.ALLOWED["encoding"][1:], required=False)
    mapping = MappingField(required=False, help_text='Header to field; "" ignores the column.')

    def validate_mapping(self, said: Any) -> dict[str, str]:
        if isinstance(said, str):
            try:
                said = json.loads(said)
            except ValueError:
                said = None
        if not isinstance(said, Mapping) or not all(isinstance(field, str) for field in said.values()):
            raise serializers.ValidationError(_("An object of headers and fields, as in {“Nick”: “handle”}."))
        return dict(said)


class UploadShape(OptionsShape):
    example = {"file": "Fan ID,Username,Total Spent\n9007199254740993,ava,1.50\n", "decimal": "."}

    file = serializers.FileField(allow_empty_file=True, max_length=200)
    creatorId = serializers.UUIDField(required=False, default=None)


class ImportNowShape(UploadShape):
    example = UploadShape.example | {"dryRun": True}

    dryRun = serializers.BooleanField(default=False, help_text="Say what would happen; write nothing.")


class RowProblemShape(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="The header is row 1.")
    line = serializers.IntegerField()
    column = serializers.CharField()
    value = serializers.CharField()
    code = serializers.CharField()
    error = serializers.CharField(source="reason")


class QuestionShape(serializers.Serializer[Any]):
    option = serializers.CharField()
    choices = serializers.ListField(child=serializers.CharField())
    examples = serializers.ListField(child=serializers.CharField())


class ImportShape(serializers.Serializer[Any]):
    """An import. The counts are of rows; of a dry run, what would become of them."""

    example: ClassVar[Mapping[str, Any]] = {
        "id": "0f0f7a36-6d5c-4a0e-9d5e-0f3d5b1c7a11",
        "creatorId": "f55b7eb9-c105-4060-a699-ba6ae94682ab",
        "state": "asking",
        "reason": "",
        "kind": "fans",
        "name": "fans.csv",
        "size": 48211,
        "format": "house",
        "encoding": "utf-8",
        "options": {},
        "questions": [{"option": "dateOrder", "choices": ["dmy", "mdy"], "examples": ["03/04/2025"]}],
        "ignoredColumns": ["Shoe size"],
        "totalRows": 812,
        "rowsDone": 0,
        "successfulInserts": 0,
        "updated": 0,
        "unchanged": 0,
        "skipped": 0,
        "undone": 0,
        "notUndone": 0,
        "keptUntil": "2026-12-23T10:00:00Z",
        "createdAt": "2026-11-23T10:00:00Z",
        "finishedAt": None,
    }

    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    state = serializers.CharField()
    reason = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    size = serializers.IntegerField()
    format = serializers.CharField(source="survey.format", default="")
    encoding = serializers.CharField(source="survey.encoding", default="")
    options = serializers.JSONField()
    questions = QuestionShape(source="survey.questions", many=True, default=list)
    ignoredColumns = serializers.ListField(source="ignored_columns", child=serializers.CharField())
    totalRows = serializers.IntegerField(source="rows_total")
    rowsDone = serializers.IntegerField(source="rows_done")
    successfulInserts = serializers.IntegerField(source="created_count")
    updated = serializers.IntegerField(source="updated_count")
    unchanged = serializers.IntegerField(source="unchanged_count")
    skipped = serializers.IntegerField(source="skipped_count")
    undone = serializers.IntegerField(source="undone_count")
    notUndone = serializers.IntegerField(source="not_undone_count")
    keptUntil = serializers.DateTimeField(source="kept_until", allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    finishedAt = serializers.DateTimeField(source="finished_at", allow_null=True)


class ImportedShape(serializers.Serializer[Any]):
    """What became of the file; the first hundred problems, and where all of them are."""

    example: ClassVar[Mapping[str, Any]] = {
        "importId": "0f0f7a36-6d5c-4a0e-9d5e-0f3d5b1c7a11",
        "dryRun": False,
        "state": "done",
        "kind": "fans",
        "format": "house",
        "encoding": "utf-8",
        "ignoredColumns": [],
        "totalRows": 3,
        "successfulInserts": 1,
        "updated": 1,
        "unchanged": 0,
        "skipped": 1,
        "reason": "",
        "errors": [
            {
                "row": 4,
                "line": 4,
                "column": "Fan ID",
                "value": "1.2E+15",
                "code": "scientific",
                "error": "A spreadsheet has rounded this number (scientific notation): export it again as text.",
            }
        ],
        "errorsUrl": "https://crm.example.com/api/crm/imports/0f0f7a36-6d5c-4a0e-9d5e-0f3d5b1c7a11/errors",
    }

    importId = serializers.UUIDField()
    dryRun = serializers.BooleanField()
    state = serializers.CharField()
    kind = serializers.CharField()
    format = serializers.CharField()
    encoding = serializers.CharField()
    ignoredColumns = serializers.ListField(child=serializers.CharField())
    totalRows = serializers.IntegerField()
    successfulInserts = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    skipped = serializers.IntegerField()
    reason = serializers.CharField()
    errors = RowProblemShape(many=True)  # type: ignore[assignment]
    errorsUrl = serializers.CharField(allow_null=True)


class ImportNow(APIView):
    """POST: import a CSV file of at most 10 MB, and wait for the end."""

    parser_classes = (MultiPartParser,)
    throttle_scope = IMPORTS
    key_scope = ApiKey.Scope.IMPORT
    input_shape = ImportNowShape
    is_idempotent = True

    @extend_schema(responses={200: ImportedShape, 409: ProblemShape, 413: ProblemShape})
    def post(self, request: Request) -> Response:
        accepted = self._accept(request)
        job = Import.objects.select_related("creator").get(public_id=accepted.data["importId"])
        _work_to_the_end(job)
        headers = {REPLAYED: accepted.headers[REPLAYED]} if REPLAYED in accepted.headers else {}
        return Response(_summary(request, job), headers=headers)

    @idempotent
    def _accept(self, request: Request) -> Response:
        """What is kept for a twin is the id alone: the file is imported outside of this transaction."""
        values = _read(request, ImportNowShape)
        job = _accepted(request, values, may_ask=False)
        state = ImportState.CHECKING if values["dryRun"] else ImportState.RUNNING
        job.move(state, now=database_now())
        return Response({"importId": str(job.public_id)})


class ImportQuery(ListQuery):
    sortings = sortings(createdAt="created_at")
    default_sort = "-createdAt"

    creatorId = serializers.UUIDField(required=False)


class ImportList(APIView):
    """GET: the imports of the user's creators, newest first. POST: keep a file; nothing is imported yet."""

    parser_classes = (MultiPartParser,)
    throttle_scope = IMPORTS
    key_scope = ApiKey.Scope.IMPORT
    input_shape = UploadShape

    @extend_schema(parameters=[ImportQuery], responses={200: page_of(ImportShape)})
    def get(self, request: Request) -> Response:
        query = ImportQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        imports = Import.objects.filter(creator__in=list(creators)).select_related("creator")
        return query.reply(request, imports, lambda rows: list(ImportShape(rows, many=True).data))

    @extend_schema(responses={201: ImportShape, 413: ProblemShape})
    @idempotent
    def post(self, request: Request) -> Response:
        job = _accepted(request, _read(request, UploadShape), may_ask=True)
        address = request.build_absolute_uri(reverse("api-import", args=[job.public_id]))
        return Response(ImportShape(job).data, status=status.HTTP_201_CREATED, headers={"Location": address})


class ImportDetail(APIView):
    """GET: how far it has come. PATCH: answer its questions, map its columns. DELETE: forget the file."""

    parser_classes = (JSONParser,)
    input_shape = OptionsShape
    key_scope = ApiKey.Scope.IMPORT

    @extend_schema(responses={200: ImportShape})
    def get(self, request: Request, import_id: str) -> Response:
        return Response(ImportShape(_find(request, import_id)).data)

    @extend_schema(responses={200: ImportShape, 409: ProblemShape})
    def patch(self, request: Request, import_id: str) -> Response:
        job = _find_to_change(request, import_id)
        shape = OptionsShape(data=request.data)
        shape.is_valid(raise_exception=True)
        _refusing(lambda: accepting.answer(job, Options.read({**job.options, **shape.validated_data})))
        return Response(ImportShape(job).data)

    @extend_schema(responses={204: None, 409: ProblemShape})
    def delete(self, request: Request, import_id: str) -> Response:
        job = _find_to_change(request, import_id)
        if job.is_at_work:
            raise Conflict(_("It is being worked on: cancel it first."))
        job.forget()
        return Response(status=status.HTTP_204_NO_CONTENT)


class ImportAct(APIView):
    """POST: ask for a check, a run, an undo, or an end. The process that runs imports does the first three."""

    ABOUT: ClassVar[Mapping[ImportState, str]] = {
        ImportState.CHECKING: "Go through it and say what would become of each row; nothing is written.",
        ImportState.RUNNING: "Import it. The process that runs imports begins within a second.",
        ImportState.UNDOING: "Take back what it did. What was changed since stays, and is counted in notUndone.",
        ImportState.CANCELLED: "End it after the rows that are being written; what is done stays.",
    }

    parser_classes = (JSONParser, FormParser, MultiPartParser)
    key_scope = ApiKey.Scope.IMPORT
    act = ImportState.RUNNING
    has_several_addresses = True

    @property
    def about(self) -> str:
        return self.ABOUT[self.act]

    @extend_schema(request=None, responses={200: ImportShape, 202: ImportShape, 409: ProblemShape})
    def post(self, request: Request, import_id: str) -> Response:
        job = _find_to_change(request, import_id)
        _refusing(lambda: job.move(self.act, now=database_now()))
        code = status.HTTP_200_OK if self.act == ImportState.CANCELLED else status.HTTP_202_ACCEPTED
        return Response(ImportShape(job).data, status=code)


class CsvRenderer(BaseRenderer):
    """For clients that accept CSV only; a refusal is a problem document for them, too."""

    media_type = "text/csv"
    format = "csv"

    def render(self, data: Any, media_type: str | None = None, context: Mapping[str, Any] | None = None) -> bytes:
        return JSONRenderer().render(data)


class ImportErrors(APIView):
    """GET: the rows that were left out, and why, as CSV to be corrected and imported again."""

    renderer_classes = (CsvRenderer, JSONRenderer)

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, import_id: str) -> StreamingHttpResponse:
        job = _find(request, import_id)
        require_manager(request, job.creator_id)
        return csv_response(error_file(job), f"errors-{job.public_id}.csv")


class ExportQuery(Query):
    creatorId = serializers.UUIDField(required=False, default=None)


class Export(APIView):
    """GET: all fans or all transactions of a creator as CSV, which imports back unchanged."""

    renderer_classes = (CsvRenderer, JSONRenderer)
    kind = ImportKind.FANS
    has_several_addresses = True

    @property
    def about(self) -> str:
        return f"All {self.kind} of a creator as CSV, which imports back unchanged. No cell of it is a formula."

    @extend_schema(parameters=[ExportQuery], responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request) -> StreamingHttpResponse:
        creator = one_creator(request, ExportQuery.of(request).get("creatorId"))
        require_manager(request, creator.pk)
        return csv_response(exporting.export(creator, self.kind), f"{self.kind}-{creator.public_id}.csv")


def csv_response(lines: Any, name: str) -> StreamingHttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def _read(request: Request, shape_class: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    if int(request.META.get("CONTENT_LENGTH") or 0) > FILE_MAX_BYTES + FORM_MAX_BYTES:
        # Before a byte of it is read.
        raise TooLarge
    shape = shape_class(data=request.data)
    shape.is_valid(raise_exception=True)
    return dict(shape.validated_data)


def _accepted(request: Request, values: dict[str, Any], *, may_ask: bool) -> Import:
    creator = one_creator(request, values["creatorId"])
    require_manager(request, creator.pk)
    file = values["file"]
    job: Import = _refusing(
        lambda: accepting.accept(
            creator,
            opener_of(file),
            name=file.name,
            options=Options.read(values),
            by=user_of(request),
            now=database_now(),
            may_ask=may_ask,
        )
    )
    return job


def _refusing(act: Any) -> Any:
    """Call the verb; its refusals are refusals of the request."""
    try:
        return act()
    except accepting.Unanswered as error:
        words = {asked.option: [ErrorDetail(asked.words_and_choices, "question")] for asked in error.questions}
        raise ValidationError(words) from error
    except CannotImport as error:
        if error.code == "too_large":
            raise TooLarge from error
        raise ValidationError({error.option: [ErrorDetail(str(error), error.code)]}) from error
    except IllegalImportMove as error:
        raise Conflict(_("The import is “%(state)s”: this cannot be done now.") % {"state": error.was}) from error


def _work_to_the_end(job: Import) -> None:
    """Here and now; when somebody else is at it, say after a request that was sent twice, wait a little."""
    until = time.monotonic() + TWIN_WAITS.total_seconds()
    while job.is_at_work and not work(job) and time.monotonic() < until:
        time.sleep(0.1)
        job.refresh_from_db()


def _summary(request: Request, job: Import) -> dict[str, Any]:
    """Design: totalRows, successfulInserts, updated, skipped, errors; and where the rest of the errors is."""
    shown = ImportShape(job).data
    names = ("state", "kind", "format", "encoding", "ignoredColumns", "totalRows", "successfulInserts", "updated")
    return {
        "importId": shown["id"],
        "dryRun": job.state == ImportState.CHECKED,
        **{name: shown[name] for name in (*names, "unchanged", "skipped", "reason")},
        "errors": list(RowProblemShape(problems_of(job, SHOWN_PROBLEMS), many=True).data),
        "errorsUrl": request.build_absolute_uri(reverse("api-import-errors", args=[job.public_id]))
        if job.skipped_count
        else None,
    }


def _find(request: Request, import_id: str) -> Import:
    return found(Import.objects.for_user(request.user).select_related("creator"), import_id)


def _find_to_change(request: Request, import_id: str) -> Import:
    job = _find(request, import_id)
    require_manager(request, job.creator_id)
    return job
