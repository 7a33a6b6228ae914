"""How values look on the wire, for every door of the API."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from crm.models import Attachment, Message

#: For addresses; ids in capitals are the same ids.
UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

#: Fields that would take something else and turn it into theirs: a number as a text, "yes" as true.
JSON_TYPES: tuple[tuple[tuple[type[serializers.Field], ...], tuple[type, ...], Promise], ...] = (
    ((serializers.BooleanField,), (bool,), gettext_lazy("true or false, without quotation marks.")),
    ((serializers.IntegerField,), (int, float), gettext_lazy("A number, without quotation marks.")),
    (
        (
            serializers.CharField,
            serializers.UUIDField,
            serializers.ChoiceField,
            serializers.DateTimeField,
            serializers.DateField,
        ),
        (str,),
        gettext_lazy("A text, in quotation marks."),
    ),
)


def iso(moment: datetime | None) -> str | None:
    """UTC in ISO 8601."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z") if moment else None


class Shape(serializers.Serializer[Any]):
    """A JSON object that a client sends; every body of the API is one.

    A field nobody knows is refused, and so is a value of another type than the field's: of a misspelt price, or of one
    in quotation marks, a client hears at once.
    """

    #: What the fields alone cannot say, in JSON Schema; for the API's description, the ledger checks it.
    rules: ClassVar[Mapping[str, Any]] = {}
    #: A body that is right, for the API's description.
    example: ClassVar[Mapping[str, Any]] = {}
    #: What a GET shows: its other fields may come back with a PUT, and change nothing.
    shown_as: ClassVar[type[serializers.Serializer[Any]] | None] = None

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            errors = dict(self._strange(data))
            if errors:
                raise serializers.ValidationError(errors)
        return super().to_internal_value(data)

    @property
    def read_only_names(self) -> list[str]:
        return [name for name in self.shown_as().get_fields() if name not in self.fields] if self.shown_as else []

    def _strange(self, data: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
        for name, value in data.items():
            field = self.fields.get(name)
            if name in self.read_only_names:
                continue
            if field is None:
                yield name, [_("There is no such field. There are: %(names)s.") % {"names": ", ".join(self.fields)}]
            elif isinstance(data, QueryDict):
                if value == "":
                    yield name, [_("Give it a value, or leave it away.")]
                elif isinstance(field, serializers.BooleanField) and value.lower() not in ("true", "false"):
                    yield name, [_("true or false.")]
            elif words := _mistyped(field, value):
                yield name, [words]


class MediaUrl(serializers.CharField):
    """The ledger looks whether it is one."""


class WallTime(serializers.TimeField):
    """A time on the creator's clock; an offset would be another clock's, and is refused."""

    PATTERN = r"^(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?$"

    def to_internal_value(self, written: Any) -> time:
        if not isinstance(written, str) or not re.fullmatch(self.PATTERN, written):
            raise serializers.ValidationError(_("HH:MM or HH:MM:SS, on the creator's clock."), code="invalid")
        return time.fromisoformat(written)


def media_urls() -> serializers.ListField:
    """Media by address, each uploaded to the platform before the message goes."""
    return serializers.ListField(
        source="media_urls",
        child=MediaUrl(max_length=Attachment.URL_MAX),
        max_length=Attachment.PER_MESSAGE_MAX,
        default=list,
    )


def paid_rules(media: str) -> Mapping[str, Any]:
    """A price is nothing or within its limits, and what is paid has something in the field ``media``."""
    paid = {"priceCents": {"minimum": 1}}
    return {
        "allOf": [
            {"properties": {"priceCents": {"anyOf": [{"const": 0}, {"minimum": Message.PRICE_MIN_CENTS}]}}},
            {
                "if": {"properties": paid, "required": ["priceCents"]},
                "then": {"properties": {media: {"minItems": 1}}, "required": [media]},
            },
        ]
    }


class WaitingShape(serializers.Serializer[Any]):
    """Why a message waits."""

    code = serializers.CharField()
    words = serializers.CharField()


class ProblemFieldShape(serializers.Serializer[Any]):
    field = serializers.CharField(allow_null=True)
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemShape(serializers.Serializer[Any]):
    """Every refusal (RFC 9457)."""

    example: ClassVar[Mapping[str, Any]] = {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "handle: Ensure this field has no more than 120 characters.",
        "errors": [
            {
                "field": "handle",
                "code": "max_length",
                "message": "Ensure this field has no more than 120 characters.",
            }
        ],
    }

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = ProblemFieldShape(many=True, required=False)  # type: ignore[assignment]


def page_of(shape: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """What a list answers, for the API's description."""
    return inline_serializer(
        f"PageOf{shape.__name__.removesuffix('Shape')}s",
        {
            "next": serializers.CharField(allow_null=True, help_text="The address of the next page."),
            "previous": serializers.CharField(allow_null=True),
            "results": shape(many=True),
            "total": serializers.IntegerField(required=False, help_text="With `total=true`."),
        },
    )


def _mistyped(field: serializers.Field, value: Any) -> str | None:
    """What the value should have been; None when its type is right, and for null, which the field itself judges."""
    if value is None:
        return None
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        return next(filter(None, (_mistyped(field.child, item) for item in value)), None)
    for fields, types, words in JSON_TYPES:
        if isinstance(field, fields):
            right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
            return None if right else str(words)
    return None
