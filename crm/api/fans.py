"""Fans: find, add, change, erase."""

from collections.abc import Sequence
from typing import Any

from django.db.models import F, QuerySet
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import erasing, segments
from crm.api.access import Conflict, Creators, creators_of, found, one_creator, require_manager, require_writer, user_of
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import ProblemShape, Shape, page_of
from crm.conditions import CENTS_MAX, CONDITIONS, NOT_BLANK, Scope
from crm.listing import SORTINGS
from crm.models import Fan, Platform, Segment, Subscription, Tag
from crm.paging import Sorting
from crm.sorting import sorting_of, usual_sort

PRICE_MAX = 10_000_000


class SubscriptionField(serializers.ChoiceField):
    """The states by name; what is not known is "unknown"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(choices=[value or "unknown" for value in Subscription.values], **options)

    def to_internal_value(self, data: Any) -> str:
        value: str = super().to_internal_value(data)
        return "" if value == "unknown" else value

    def to_representation(self, value: Any) -> str:
        return value or "unknown"


class FanShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.SerializerMethodField("creator_id")
    conversationId = serializers.UUIDField(source="conversation_public_id", allow_null=True)
    platform = serializers.CharField()
    platformId = serializers.CharField(source="platform_id")
    handle = serializers.CharField()
    name = serializers.CharField()
    email = serializers.CharField()
    valueCents = serializers.IntegerField(source="value_cents", allow_null=True)
    currency = serializers.SerializerMethodField()
    subscription = SubscriptionField()
    subscriptionPriceCents = serializers.IntegerField(source="subscription_price_cents", allow_null=True)
    subscriptionEndsAt = serializers.DateTimeField(source="subscription_ends_at", allow_null=True)
    joinedAt = serializers.DateTimeField(source="joined_at", allow_null=True)
    lastSeenAt = serializers.DateTimeField(source="last_seen_at", allow_null=True)
    lastPurchaseAt = serializers.DateTimeField(source="last_purchase_at", allow_null=True)
    isPriority = serializers.BooleanField(source="is_priority")
    isBlocked = serializers.BooleanField(source="is_blocked")
    isReachable = serializers.BooleanField(source="is_reachable")
    tags = serializers.SerializerMethodField()
    createdAt = serializers.DateTimeField(source="created_at")

    def creator_id(self, fan: Fan) -> str:
        return str(self.context["creators"][fan.creator_id].public_id)

    def get_currency(self, fan: Fan) -> str:
        currency: str = self.context["creators"][fan.creator_id].currency
        return currency

    def get_tags(self, fan: Fan) -> list[str]:
        names: list[str] = self.context["tags"].get(fan.pk, [])
        return names


class FanValues(Shape):
    """What may be written of a fan; in a PUT what is left out is emptied. The ledger checks the rules."""

    shown_as = FanShape
    example = {"handle": "daniel", "name": "Daniel", "isPriority": True}
    rules = {
        "anyOf": [
            {"properties": {name: {"pattern": NOT_BLANK}}, "required": [name]} for name in ("platformId", "handle")
        ]
    }

    platformId = serializers.RegexField(
        r"\A[!-~]+\Z", source="platform_id", max_length=64, allow_blank=True, trim_whitespace=False, default=""
    )
    handle = serializers.CharField(max_length=120, allow_blank=True, default="")
    name = serializers.CharField(max_length=200, allow_blank=True, default="")
    email = serializers.EmailField(max_length=254, allow_blank=True, default="")
    valueCents = serializers.IntegerField(
        source="value_cents",
        min_value=0,
        max_value=CENTS_MAX,
        allow_null=True,
        default=None,
        help_text="What the fan has spent until now; null leaves it to the payments that are known.",
    )
    subscription = SubscriptionField(default="")
    subscriptionPriceCents = serializers.IntegerField(
        source="subscription_price_cents", min_value=0, max_value=PRICE_MAX, allow_null=True, default=None
    )
    subscriptionEndsAt = serializers.DateTimeField(source="subscription_ends_at", allow_null=True, default=None)
    joinedAt = serializers.DateTimeField(source="joined_at", allow_null=True, default=None)
    lastSeenAt = serializers.DateTimeField(source="last_seen_at", allow_null=True, default=None)
    isPriority = serializers.BooleanField(source="is_priority", default=False)
    isBlocked = serializers.BooleanField(source="is_blocked", default=False)
    tags = serializers.ListField(
        child=serializers.CharField(max_length=Tag.NAME_MAX), max_length=Tag.PER_FAN_MAX, default=list
    )


class NewFan(FanValues):
    example = {"platformId": "fan_123", "name": "Daniel", "tags": ["vip"]}

    creatorId = serializers.UUIDField(source="creator", required=False, default=None)
    platform = serializers.ChoiceField(choices=Platform.choices, required=False)


class FanQuery(ListQuery):
    sortings = SORTINGS
    default_sort = ""
    conditions = tuple(CONDITIONS)
    #: Conditions that hold for all fans of the list, those of its segment among them.
    narrowed_by: Sequence[str] = ()

    creatorId = serializers.UUIDField(required=False)
    segment = serializers.UUIDField(required=False)

    def sorting(self, name: str) -> Sorting:
        return sorting_of(name, self.narrowed_by)


class FanList(APIView):
    """GET: the fans of the user's creators, or those asked for. POST: add one."""

    input_shape = NewFan

    @extend_schema(parameters=[FanQuery], responses={200: page_of(FanShape)})
    def get(self, request: Request) -> Response:
        query = FanQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        now = timezone.now()
        fans = query.narrowed(
            Fan.objects.filter(creator__in=list(creators)), Scope(frozenset(creators), now, user_of(request).pk)
        )
        conditions = list(query.validated_data)
        if segment_id := query.get("segment"):
            segment = found(Segment.objects.for_user(request.user).select_related("creator"), segment_id)
            fans = segments.select(fans, segment.rule, creator=segment.creator, now=now)
            conditions += segments.conditions_of_all(segment.rule)
        query.narrowed_by, query.usual_sort = conditions, usual_sort(conditions)
        return query.reply(request, with_what_is_shown(fans), lambda rows: shown(rows, creators))

    @extend_schema(responses={201: FanShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = NewFan(data=request.data)
        shape.is_valid(raise_exception=True)
        values = shape.validated_data
        creator = one_creator(request, values.pop("creator"))
        require_writer(request, creator.pk)
        fan = Fan.objects.add(creator, **values)
        address = request.build_absolute_uri(reverse("api-fan", args=[fan.public_id]))
        return Response(_shown_alone(request, fan), status=status.HTTP_201_CREATED, headers={"Location": address})


class FanDetail(APIView):
    """GET: one fan. PUT: all of it. PATCH: what is named. DELETE: erase the person for good."""

    input_shape = FanValues

    @extend_schema(responses={200: FanShape})
    def get(self, request: Request, fan_id: str) -> Response:
        return Response(_shown_alone(request, _find(request, fan_id)))

    @extend_schema(responses={200: FanShape})
    def put(self, request: Request, fan_id: str) -> Response:
        return self._change(request, fan_id, partial=False)

    @extend_schema(responses={200: FanShape})
    def patch(self, request: Request, fan_id: str) -> Response:
        return self._change(request, fan_id, partial=True)

    @extend_schema(responses={204: None, 409: ProblemShape})
    def delete(self, request: Request, fan_id: str) -> Response:
        fan = _find(request, fan_id)
        require_manager(request, fan.creator_id)
        try:
            erasing.erase_fan(fan)
        except erasing.OnItsWay as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _change(self, request: Request, fan_id: str, *, partial: bool) -> Response:
        fan = _find(request, fan_id)
        require_writer(request, fan.creator_id)
        shape = FanValues(data=request.data, partial=partial)
        shape.is_valid(raise_exception=True)
        fan.change(**shape.validated_data)
        return Response(_shown_alone(request, fan))


def with_what_is_shown(fans: QuerySet[Fan]) -> QuerySet[Fan]:
    """With what ``shown`` needs beside the columns."""
    return fans.annotate(conversation_public_id=F("conversation__public_id"))


def shown(fans: Sequence[Fan], creators: Creators) -> list[dict[str, Any]]:
    """One query for all their tags."""
    tags = Tag.objects.names_by_fan(fans)
    return list(FanShape(fans, many=True, context={"creators": creators, "tags": tags}).data)


def _find(request: Request, fan_id: str) -> Fan:
    return found(Fan.objects.for_user(request.user).select_related("creator"), fan_id)


def _shown_alone(request: Request, fan: Fan) -> dict[str, Any]:
    [row] = with_what_is_shown(Fan.objects.filter(pk=fan.pk))
    return shown([row], {fan.creator_id: fan.creator})[0]
