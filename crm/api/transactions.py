"""Money that came in, and how subscriptions went: the rows behind every figure."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import Creators, creators_of
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import page_of
from crm.conditions import CENTS_MAX
from crm.models import SubscriptionEvent, Transaction
from crm.paging import sortings


class TransactionShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    fanId = serializers.UUIDField(source="fan.public_id", default=None, allow_null=True)
    messageId = serializers.UUIDField(source="message.public_id", default=None, allow_null=True)
    campaignId = serializers.UUIDField(source="campaign.public_id", default=None, allow_null=True)
    kind = serializers.CharField()
    amountCents = serializers.IntegerField(source="amount_cents")
    feeCents = serializers.IntegerField(source="fee_cents", allow_null=True)
    netCents = serializers.IntegerField(source="net_cents", allow_null=True)
    currency = serializers.CharField()
    description = serializers.CharField()
    occurredAt = serializers.DateTimeField(source="occurred_at")
    source = serializers.CharField()  # type: ignore[assignment]
    platformId = serializers.CharField(source="platform_id")


class SubscriptionEventShape(RowShape):
    creatorId = serializers.UUIDField(source="creator.public_id")
    fanId = serializers.UUIDField(source="fan.public_id", default=None, allow_null=True)
    kind = serializers.CharField()
    occurredAt = serializers.DateTimeField(source="occurred_at")
    priceCents = serializers.IntegerField(source="price_cents", allow_null=True)


class OccurredQuery(ListQuery):
    """What both lists can be narrowed by."""

    creatorId = serializers.UUIDField(required=False)
    fanId = serializers.UUIDField(source="fan__public_id", required=False)
    occurredFrom = serializers.DateTimeField(source="occurred_at__gte", required=False)
    occurredBefore = serializers.DateTimeField(source="occurred_at__lt", required=False)

    #: The parameters that are conditions on columns, by their source.
    columns: ClassVar[tuple[str, ...]] = ("fan__public_id", "occurred_at__gte", "occurred_at__lt")

    def of_columns(self, rows: QuerySet[Any], creators: Creators) -> QuerySet[Any]:
        # A choice of several that nobody made is empty.
        asked = {name: self.get(name) for name in self.columns if self.get(name) not in (None, [])}
        return rows.filter(creator__in=list(creators), **asked)


class TransactionQuery(OccurredQuery):
    sortings = sortings(occurredAt="occurred_at")
    default_sort = "-occurredAt"
    columns = (
        *OccurredQuery.columns,
        "kind__in",
        "currency",
        "source",
        "campaign__public_id",
        "message__public_id",
        "amount_cents__gte",
        "amount_cents__lte",
    )

    kind = serializers.MultipleChoiceField(source="kind__in", choices=Transaction.Kind.choices, required=False)
    currency = serializers.RegexField(r"^[A-Z]{3}$", required=False)
    campaignId = serializers.UUIDField(source="campaign__public_id", required=False)
    messageId = serializers.UUIDField(source="message__public_id", required=False)
    amountMin = serializers.IntegerField(
        source="amount_cents__gte", min_value=-CENTS_MAX, max_value=CENTS_MAX, required=False
    )
    amountMax = serializers.IntegerField(
        source="amount_cents__lte", min_value=-CENTS_MAX, max_value=CENTS_MAX, required=False
    )

    def get_fields(self) -> dict[str, Any]:
        # "source" is an attribute of every field of DRF: declared in the class it would hide that one.
        source = serializers.ChoiceField(choices=Transaction.Source.choices, required=False)
        return super().get_fields() | {"source": source}


class SubscriptionEventQuery(OccurredQuery):
    sortings = sortings(occurredAt="occurred_at")
    default_sort = "-occurredAt"
    columns = (*OccurredQuery.columns, "kind")

    kind = serializers.ChoiceField(choices=SubscriptionEvent.Kind.choices, required=False)


#: What is shown of a row; of those it belongs to, whole rows would be most of the cost.
EVENT_COLUMNS = ("kind", "occurred_at", "price_cents", "creator__public_id", "fan__public_id")
TRANSACTION_COLUMNS = (
    *("public_id", "kind", "amount_cents", "fee_cents", "net_cents", "currency", "description", "occurred_at"),
    *("source", "platform_id", "creator__public_id", "fan__public_id", "message__public_id", "campaign__public_id"),
)


class TransactionList(APIView):
    """GET: payments and, negative, what was taken back; newest first."""

    @extend_schema(parameters=[TransactionQuery], responses={200: page_of(TransactionShape)})
    def get(self, request: Request) -> Response:
        query = TransactionQuery.of(request)
        payments = Transaction.objects.select_related("creator", "fan", "message", "campaign")
        payments = payments.only(*TRANSACTION_COLUMNS)
        rows = query.of_columns(payments, creators_of(request, query.get("creatorId")))
        return query.reply(request, rows, lambda page: list(TransactionShape(page, many=True).data))


class SubscriptionEventList(APIView):
    """GET: subscriptions that began, went on or expired; newest first."""

    @extend_schema(parameters=[SubscriptionEventQuery], responses={200: page_of(SubscriptionEventShape)})
    def get(self, request: Request) -> Response:
        query = SubscriptionEventQuery.of(request)
        events = SubscriptionEvent.objects.select_related("creator", "fan").only(*EVENT_COLUMNS)
        rows = query.of_columns(events, creators_of(request, query.get("creatorId")))
        return query.reply(request, rows, lambda page: list(SubscriptionEventShape(page, many=True).data))
