"""The query string of lists, and a list's reply. What paging means is in ``crm/paging.py``."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar, Self, TypeVar

from django.core.exceptions import ValidationError as Refused
from django.db import models
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from crm.conditions import CONDITIONS, Scope
from crm.paging import LIMIT_DEFAULT, LIMIT_MAX, Page, Sorting, page_of

M = TypeVar("M", bound=models.Model)


class ConditionField(serializers.Field):
    """A condition of ``crm/conditions.py`` as a query parameter."""

    def __init__(self, name: str) -> None:
        self.condition = CONDITIONS[name]
        super().__init__(required=False, help_text=self.condition.words)

    def to_internal_value(self, raw: Any) -> Any:
        try:
            return self.condition.kind.read(raw)
        except Refused as error:
            raise serializers.ValidationError(error.messages) from None


class Query(serializers.Serializer[Any]):
    """The query string of a request.

    A parameter nobody knows is refused, and so is one without a value: misspelt or empty, it would choose everything.
    Nor is one taken that comes twice: only one of the two would count.
    """

    @classmethod
    def of(cls, request: Request) -> Self:
        query = cls(data=request.query_params)
        query.is_valid(raise_exception=True)
        return query

    def validate(self, values: dict[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if unknown:
            words = _("There is no such parameter. There are: %(names)s.") % {"names": ", ".join(type(self)().fields)}
            raise serializers.ValidationError(dict.fromkeys(unknown, words))
        if empty := [name for name, value in self.initial_data.items() if value == ""]:
            raise serializers.ValidationError(dict.fromkeys(empty, _("Give it a value, or leave it away.")))
        several = {name for name, field in self.fields.items() if isinstance(field, serializers.MultipleChoiceField)}
        if twice := [name for name, given in self.initial_data.lists() if len(given) > 1 and name not in several]:
            raise serializers.ValidationError(dict.fromkeys(twice, _("Give it once.")))
        return values

    def get(self, name: str) -> Any:
        return self.validated_data.get(name)


class ListQuery(Query):
    """The query string of a list."""

    sortings: ClassVar[Mapping[str, Sorting]]
    #: Empty where it depends on what is asked for: the view then says it by ``usual_sort``.
    default_sort: ClassVar[str]
    usual_sort = ""
    #: Conditions on fans by which the list can be narrowed.
    conditions: ClassVar[tuple[str, ...]] = ()

    limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, default=LIMIT_DEFAULT)
    cursor = serializers.CharField(required=False, max_length=2000, help_text="From next or previous; opaque.")
    total = serializers.BooleanField(default=False, help_text="Count the whole list, too.")

    def get_fields(self) -> dict[str, Any]:
        usual = {"default": self.default_sort} if self.default_sort else {"required": False}
        sort = serializers.ChoiceField(choices=list(self.sortings), **usual)
        # A request names one condition or two of dozens; the description has them all.
        asked = getattr(self, "initial_data", self.conditions)
        conditions = {name: ConditionField(name) for name in self.conditions if name in asked}
        return super().get_fields() | {"sort": sort} | conditions

    def narrowed(self, rows: "models.QuerySet[M]", scope: Scope) -> "models.QuerySet[M]":
        """Those of ``rows`` for which all the conditions asked for hold."""
        for name in self.conditions:
            if name in self.validated_data:
                rows = rows.filter(CONDITIONS[name].holds(self.validated_data[name], scope))
        return rows

    def sorting(self, name: str) -> Sorting:
        return self.sortings[name]

    def reply(
        self, request: Request, rows: "models.QuerySet[M]", shown: Callable[[list[M]], list[dict[str, Any]]]
    ) -> Response:
        """The page of ``rows`` that the query asks for."""
        return self.reply_by(request, partial(page_of, rows), shown, total=rows.count)

    def reply_by(
        self,
        request: Request,
        page_at: Callable[..., Page[M]],
        shown: Callable[[list[M]], list[dict[str, Any]]],
        *,
        total: Callable[[], int],
    ) -> Response:
        """The same for a list that has a way of its own to a page; ``page_at`` takes what ``page_of`` takes."""
        asked = self.validated_data
        sort = asked.get("sort", self.usual_sort)
        page = page_at(self.sorting(sort), cursor=asked.get("cursor", ""), limit=asked["limit"])
        # What is usual may be something else by then.
        said = {"sort": sort} if self.usual_sort else {}
        body = {
            "next": _link(request, page.next, said),
            "previous": _link(request, page.previous, said),
            "results": shown(page.rows),
        }
        return Response(body | ({"total": total()} if asked["total"] else {}))


def _link(request: Request, cursor: str, said: Mapping[str, str]) -> str | None:
    """The same list from ``cursor`` on, with what is ``said`` besides; it was counted already."""
    if not cursor:
        return None
    address = remove_query_param(request.build_absolute_uri(), "total")
    for name, value in {**said, "cursor": cursor}.items():
        address = replace_query_param(address, name, value)
    return address
