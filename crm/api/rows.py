"""What is shown of a row."""

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from rest_framework import serializers

from crm.api.shapes import iso


# A list shows hundreds of rows, each with dozens of fields: each field's way is found once, not for every row. This
# is no docstring: the API's description would quote it for every shape.
class RowShape(serializers.Serializer[Any]):
    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {name: show(instance) for name, show in self._ways.items()}

    @cached_property
    def _ways(self) -> Mapping[str, Callable[[Any], Any]]:
        return {str(field.field_name): _way(field) for field in self._readable_fields}


def _way(field: Any) -> Callable[[Any], Any]:
    """From a row to what is shown of it in ``field``."""
    if type(field) is serializers.SerializerMethodField:
        return getattr(field.parent, field.method_name)
    read, written = attrgetter(field.source), _PLAIN.get(type(field))
    if written is None and not isinstance(field, RowShape | serializers.ChoiceField):
        return lambda row: _as_usual(field, row)
    written = written or field.to_representation

    def show(row: Any) -> Any:
        try:
            value = read(row)
        except (AttributeError, ObjectDoesNotExist):
            if field.default is serializers.empty:
                raise
            value = field.default
        return None if value is None else written(value)

    return show


def _as_usual(field: Any, row: Any) -> Any:
    value = field.get_attribute(row)
    return None if value is None else field.to_representation(value)


def _same(value: Any) -> Any:
    return value


#: How a value becomes JSON where the field needs nothing else: what the database gives is mostly what JSON has.
_PLAIN: Mapping[type, Callable[[Any], Any]] = {
    serializers.CharField: _same,
    serializers.IntegerField: _same,
    serializers.BooleanField: _same,
    serializers.UUIDField: str,
    serializers.DateTimeField: iso,
}
