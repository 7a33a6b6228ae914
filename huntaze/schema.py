"""The API's description in OpenAPI 3.1. Views say what they take and answer; what all have in common is added here."""

import re
from functools import cache
from http import HTTPStatus
from typing import Any, cast

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_parameter_type
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.permissions import SAFE_METHODS

from crm.api.idempotency import HEADER
from crm.api.shapes import MediaUrl, ProblemShape, Shape, WallTime
from crm.conditions import NOT_BLANK
from crm.importing.survey import ENDINGS
from crm.models import ApiKey, KeptReply
from huntaze.problems import CONTENT_TYPE

METHODS = "GET|POST|PUT|PATCH|DELETE"
WITH_BODY = ("POST", "PUT", "PATCH")
REFUSALS = {
    400: "A field or parameter is missing, unknown or out of range; `errors` names it",
    401: "Nobody is signed in, or the token or key is not good any more",
    403: "The role or the scope of the key does not include this; `detail` says which",
    404: "Nothing of yours has this id",
    406: "Nothing but `application/json` is answered",
    409: "As things stand now it cannot be done, or what it names is taken; `detail` says which",
    413: "The file is larger than 10 MB, which is the most that can be uploaded",
    415: "The body has another content type",
    422: "The Idempotency-Key was used for a request that said something else",
    429: "Too often; `Retry-After` says for how many seconds",
}
IDEMPOTENCY_KEY = build_parameter_type(
    name=HEADER,
    location=OpenApiParameter.HEADER,
    description="One for each thing that is meant: the same request twice is done once and answered alike.",
    schema={"type": "string", "minLength": 1, "maxLength": KeptReply.KEY_MAX, "pattern": "^[ -~]+$"},
)
#: A file is known by its name to be one.
UPLOADED = {
    "file": {
        "headers": {
            "Content-Disposition": {
                "description": f"The name ends with {' or '.join(ENDINGS)}.",
                "schema": {"type": "string"},
                "example": 'form-data; name="file"; filename="fans.csv"',
            }
        }
    }
}
RETRY_AFTER = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}
UUID = {"type": "string", "format": "uuid"}


class Generator(SchemaGenerator):
    """Describes the API once a process: it takes seconds, is the same for everybody, and only the code changes it."""

    def get_schema(self, request: Any = None, public: bool = False) -> Any:
        return _described(public)


@cache
def _described(public: bool) -> Any:
    return SchemaGenerator().get_schema(public=public)  # type: ignore[no-untyped-call]


class HuntazeSchema(AutoSchema):
    """What views have in common: words from the docstring, the body from ``input_shape``, every refusal."""

    view: Any
    method: str

    def get_operation_id(self) -> str:
        """By the view's name; of one that has several addresses, also by the last word of each."""
        words = self.view.__class__.__name__.split("_")
        if getattr(self.view, "has_several_addresses", False):
            words += self.path.rstrip("/").split("/")[-1:]
        return self.method.lower() + "".join(word[:1].upper() + word[1:] for word in words)

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        """``FanShape`` is a Fan to clients."""
        return super().get_serializer_name(serializer, direction).removesuffix("Shape")

    def get_tags(self) -> list[str]:
        """/api/crm/fans is about fans."""
        parts = [part for part in self.path.split("/") if part not in ("", "api", "crm", "onlyfans")]
        return parts[:1]

    def get_description(self) -> str:  # type: ignore[override]
        """A docstring says ``GET: … POST: …``, one sentence each, or what all methods have in common.

        A view of several addresses has ``about`` for each.
        """
        words = " ".join(str(getattr(self.view, "about", None) or self.view.__doc__ or "").split())
        about = dict(re.findall(rf"\b({METHODS}): (.*?)(?= (?:{METHODS}): |$)", words))
        words = about.get(self.method, words)
        return words[:1].upper() + words[1:]

    def get_request_serializer(self) -> Any:
        return getattr(self.view, "input_shape", None) if self.method in WITH_BODY else None

    def _resolve_path_parameters(self, variables: list[str]) -> list[dict[str, Any]]:
        """Every id in an address is one of ours."""
        return [
            build_parameter_type(name=name, location=OpenApiParameter.PATH, schema=UUID, required=True)
            for name in variables
        ]

    def _get_request_body(self, direction: Any = "request") -> dict[str, Any] | None:
        """A body of which one of several fields is needed is needed; a form has a file."""
        body: dict[str, Any] | None = super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        if body and (form := body["content"].get("multipart/form-data")):
            form["encoding"] = UPLOADED
        shape = self.get_request_serializer()
        if body and self.method != "PATCH" and "anyOf" in getattr(shape, "rules", {}):
            body["required"] = True
        return body

    def _get_parameters(self) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super()._get_parameters()
        return [*parameters, IDEMPOTENCY_KEY] if self._is_idempotent else parameters

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        answers = super()._get_response_bodies(direction)
        for status in self._refusals():
            answers.setdefault(str(status), None)
        declared: Any = self.get_response_serializers() or {}
        for code, answer in answers.items():
            if answer is None or declared.get(int(code)) is ProblemShape:
                answers[code] = self._refusal(int(code))
            else:
                answer["description"] = answer["description"] or HTTPStatus(int(code)).phrase
        return dict(sorted(answers.items()))

    @property
    def _is_idempotent(self) -> bool:
        """The method is, or a part of it that the view vouches for."""
        handler = getattr(self.view, self.method.lower())
        return getattr(handler, "is_idempotent", False) or (
            self.method == "POST" and getattr(self.view, "is_idempotent", False)
        )

    def _refusals(self) -> list[int]:
        takes = self.get_request_serializer() is not None
        parameters = self._get_parameters()
        reasons = {
            400: takes or any(parameter["in"] != "path" for parameter in parameters),
            401: bool(self.view.get_authenticators()),
            403: bool(self.view.get_authenticators()),
            404: takes or any(parameter["in"] != "header" for parameter in parameters),
            406: True,
            409: takes,
            415: takes,
            422: self._is_idempotent,
            429: bool(self.view.get_throttles()),
        }
        return [status for status, holds in reasons.items() if holds]

    def _refusal(self, status: int) -> dict[str, Any]:
        shape = self.resolve_serializer(ProblemShape, "response").ref
        words = REFUSALS.get(status, HTTPStatus(status).phrase)
        headers = {"headers": {"Retry-After": RETRY_AFTER}} if status == HTTPStatus.TOO_MANY_REQUESTS else {}
        return {"description": words, "content": {CONTENT_TYPE: {"schema": shape}}, **headers}

    def _map_serializer(self, serializer: Any, direction: Any, bypass_extensions: bool = False) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_serializer(  # type: ignore[no-untyped-call]
            serializer, direction, bypass_extensions
        )
        if isinstance(serializer, Shape):
            schema["additionalProperties"] = False
            if not serializer.partial:
                schema |= serializer.rules
            schema["properties"] |= {name: {"readOnly": True} for name in serializer.read_only_names}
        if example := getattr(serializer, "example", None):
            schema["examples"] = [dict(example)]
        return schema

    def _map_serializer_field(self, field: Any, direction: Any, bypass_extensions: bool = False) -> dict[str, Any]:
        schema: dict[str, Any] = super()._map_serializer_field(  # type: ignore[no-untyped-call]
            field, direction, bypass_extensions
        )
        if direction == "request" and type(field) is serializers.CharField and not field.allow_blank:
            schema.setdefault("pattern", NOT_BLANK)
        if isinstance(field, MediaUrl):
            schema["format"] = "uri"
        if isinstance(field, WallTime):
            # JSON Schema's "time" has an offset.
            schema = {name: value for name, value in schema.items() if name != "format"} | {"pattern": field.PATTERN}
        if isinstance(field, serializers.ListField) and not field.allow_empty:
            schema["minItems"] = max(1, schema.get("minItems", 0))
        return schema


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.api.authentication.TokenAuthentication"
    name = "token"
    priority = 1

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        words = "An access token of POST /api/auth/token, good for ten minutes."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": words}


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.api.authentication.KeyAuthentication"
    name = "key"

    def get_security_requirement(self, auto_schema: AutoSchema) -> dict[str, list[str]] | None:  # type: ignore[override]
        """The scope that a key needs here; None where no key will do."""
        scope = getattr(auto_schema.view, "key_scope", ApiKey.Scope.WRITE)
        if scope is None:
            return None
        return {"key": [str(ApiKey.Scope.READ if auto_schema.method in SAFE_METHODS else scope)]}

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        words = "A key of POST /api/auth/keys, with the scope that stands beside it."
        return {"type": "http", "scheme": "bearer", "bearerFormat": "hz_…", "description": words}


class MonitoringScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "onlyfans.api.monitoring.MonitoringToken"
    name = "monitoringToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "description": "MONITORING_TOKEN, or somebody of the staff."}


class ConditionScheme(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "crm.api.paging.ConditionField"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: Any) -> dict[str, Any]:
        return dict(self.target.condition.kind.schema)


def tidied(result: dict[str, Any], **_context: Any) -> dict[str, Any]:
    """Addresses without the slash that may follow, and no notes of the generator to itself."""
    result["paths"] = {path.rstrip("/"): operations for path, operations in result["paths"].items()}
    return cast("dict[str, Any]", _without(result, "x-spec-enum-id"))


def _without(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(item, name) for key, item in value.items() if key != name}
    return [_without(item, name) for item in value] if isinstance(value, list) else value
