"""The figures of ``crm/analytics.py``, each with the address of the rows that it was counted from."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm import analytics
from crm.analytics import ACTIVE_DAYS, TOP_FANS, Money, Period, ReplyTime, Unit
from crm.api.access import one_creator
from crm.api.fans import FanShape, shown, with_what_is_shown
from crm.api.paging import Query
from crm.api.shapes import iso
from crm.models import Creator, SubscriptionEvent, Transaction


class PeriodQuery(Query):
    creatorId = serializers.UUIDField(required=False)
    to = serializers.DateField(required=False, help_text="The last day; today by the creator's clock.")

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of Python's.
        first = serializers.DateField(source="first", required=False, help_text="The first day; 30 days in all.")
        return super().get_fields() | {"from": first}

    def period(self, creator: Creator) -> Period:
        return Period.chosen(creator.zone, self.get("first"), self.get("to"), now=timezone.now())


class RevenueQuery(PeriodQuery):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit], default=Unit.DAY.value)
    kind = serializers.MultipleChoiceField(choices=Transaction.Kind.choices, required=False)


class SubscribersQuery(PeriodQuery):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit], default=Unit.DAY.value)


class CreatorQuery(Query):
    creatorId = serializers.UUIDField(required=False)


class AmountShape(serializers.Serializer[Any]):
    currency = serializers.CharField()
    amountCents = serializers.IntegerField()


class MoneyShape(AmountShape):
    netCents = serializers.IntegerField(allow_null=True)
    payments = serializers.IntegerField()


class FigureShape(serializers.Serializer[Any]):
    """``value`` and ``previous`` are null where no row can tell."""

    value = serializers.IntegerField(allow_null=True)
    previous = serializers.IntegerField(allow_null=True)
    rows = serializers.CharField(help_text="The address of what was counted.")


class AmountFigureShape(FigureShape):
    value = AmountShape(many=True)  # type: ignore[assignment]


class MoneyFigureShape(FigureShape):
    value = MoneyShape(many=True, allow_null=True)  # type: ignore[assignment]
    previous = MoneyShape(many=True, allow_null=True)  # type: ignore[assignment]


class ReplyTimeShape(serializers.Serializer[Any]):
    medianSeconds = serializers.IntegerField(allow_null=True)
    answered = serializers.IntegerField()
    unanswered = serializers.IntegerField()


class ReplyTimeFigureShape(FigureShape):
    value = ReplyTimeShape(allow_null=True)  # type: ignore[assignment]
    previous = ReplyTimeShape(allow_null=True)  # type: ignore[assignment]


class PeriodShape(serializers.Serializer[Any]):
    creatorId = serializers.UUIDField()
    timezone = serializers.CharField()
    currency = serializers.CharField()
    to = serializers.DateField()
    previousFrom = serializers.DateField()
    previousTo = serializers.DateField()

    def get_fields(self) -> dict[str, Any]:
        return super().get_fields() | {"from": serializers.DateField()}


class OverviewShape(PeriodShape):
    totalFans = FigureShape()
    activeFans = FigureShape()
    lifetimeValue = AmountFigureShape()
    revenue = MoneyFigureShape()
    newSubscribers = FigureShape()
    lostSubscribers = FigureShape()
    replyTime = ReplyTimeFigureShape()


class BucketShape(serializers.Serializer[Any]):
    money = MoneyShape(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField()} | super().get_fields()


class RevenueShape(PeriodShape):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit])
    total = MoneyFigureShape()
    results = BucketShape(many=True)


class TurnoverShape(serializers.Serializer[Any]):
    started = serializers.IntegerField()
    expired = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField()} | super().get_fields()


class SubscribersShape(PeriodShape):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit])
    newSubscribers = FigureShape()
    lostSubscribers = FigureShape()
    results = TurnoverShape(many=True)


class TopFansShape(serializers.Serializer[Any]):
    creatorId = serializers.UUIDField()
    results = FanShape(many=True)
    rows = serializers.CharField()


class CampaignMoneyShape(serializers.Serializer[Any]):
    campaignId = serializers.UUIDField()
    name = serializers.CharField()
    money = MoneyShape(many=True)
    rows = serializers.CharField()


class EarningsShape(PeriodShape):
    total = MoneyFigureShape()
    results = CampaignMoneyShape(many=True)


class Overview(APIView):
    """GET: the figures of a period beside those of the one before it."""

    @extend_schema(parameters=[PeriodQuery], responses={200: OverviewShape})
    def get(self, request: Request) -> Response:
        query = PeriodQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        period, now = query.period(creator), timezone.now()
        active_since = now - timedelta(days=ACTIVE_DAYS)
        started, expired = SubscriptionEvent.Kind.STARTED, SubscriptionEvent.Kind.EXPIRED
        value = [{"currency": creator.currency, "amountCents": analytics.lifetime_value(creator)}]
        return Response(
            {
                **_heading(creator, period),
                "totalFans": _figure(analytics.total_fans(creator), None, _rows("api-fans", creator)),
                "activeFans": _figure(
                    analytics.active_fans(creator, now),
                    None,
                    _rows("api-fans", creator, lastSeenAfter=iso(active_since)),
                ),
                "lifetimeValue": _figure(value, None, _rows("api-fans", creator, sort="-valueCents")),
                "revenue": _figure(
                    _money(analytics.revenue(creator, period)),
                    _money(analytics.revenue(creator, period.previous)),
                    _rows("api-transactions", creator, period),
                ),
                "newSubscribers": _subscribers(creator, period, started),
                "lostSubscribers": _subscribers(creator, period, expired),
                "replyTime": _figure(
                    _reply_time(analytics.reply_time(creator, period)),
                    _reply_time(analytics.reply_time(creator, period.previous)),
                    _rows("api-conversations", creator, unanswered="true"),
                ),
            }
        )


class Revenue(APIView):
    """GET: revenue by day, week or month."""

    @extend_schema(parameters=[RevenueQuery], responses={200: RevenueShape})
    def get(self, request: Request) -> Response:
        query = RevenueQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        period, unit, kinds = query.period(creator), Unit(query.get("unit")), sorted(query.get("kind") or ())
        return Response(
            {
                **_heading(creator, period),
                "unit": unit.value,
                "total": _figure(
                    _money(analytics.revenue(creator, period, kinds)),
                    _money(analytics.revenue(creator, period.previous, kinds)),
                    _rows("api-transactions", creator, period, kind=kinds),
                ),
                "results": [
                    {"from": bucket.first.isoformat(), "money": _money(bucket.money)}
                    for bucket in analytics.revenue_by(creator, period, unit, kinds)
                ],
            }
        )


class Subscribers(APIView):
    """GET: subscriptions that began and that expired, by day, week or month."""

    @extend_schema(parameters=[SubscribersQuery], responses={200: SubscribersShape})
    def get(self, request: Request) -> Response:
        query = SubscribersQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        period, unit = query.period(creator), Unit(query.get("unit"))
        return Response(
            {
                **_heading(creator, period),
                "unit": unit.value,
                "newSubscribers": _subscribers(creator, period, SubscriptionEvent.Kind.STARTED),
                "lostSubscribers": _subscribers(creator, period, SubscriptionEvent.Kind.EXPIRED),
                "results": [
                    {"from": each.first.isoformat(), "started": each.started, "expired": each.expired}
                    for each in analytics.subscribers_by(creator, period, unit)
                ],
            }
        )


class TopFans(APIView):
    """GET: the ten fans who spent most."""

    @extend_schema(parameters=[CreatorQuery], responses={200: TopFansShape})
    def get(self, request: Request) -> Response:
        creator = one_creator(request, CreatorQuery.of(request).get("creatorId"))
        fans = list(with_what_is_shown(analytics.top_fans(creator)))
        rows = _rows("api-fans", creator, sort="-valueCents", valueMin=1, limit=TOP_FANS)
        return Response({"creatorId": creator.public_id, "results": shown(fans, {creator.pk: creator}), "rows": rows})


class CampaignEarnings(APIView):
    """GET: what fans paid in the period because of each campaign, by currency."""

    @extend_schema(parameters=[PeriodQuery], responses={200: EarningsShape})
    def get(self, request: Request) -> Response:
        query = PeriodQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        period = query.period(creator)
        results = [
            {
                "campaignId": earnings.campaign.public_id,
                "name": earnings.campaign.name,
                "money": _money(earnings.money),
                "rows": _rows("api-transactions", creator, period, campaignId=earnings.campaign.public_id),
            }
            for earnings in analytics.campaign_earnings(creator, period)
        ]
        total = _figure(
            _money(analytics.campaign_revenue(creator, period)),
            _money(analytics.campaign_revenue(creator, period.previous)),
            _rows("api-campaigns", creator),
        )
        return Response({**_heading(creator, period), "total": total, "results": results})


def _heading(creator: Creator, period: Period) -> dict[str, Any]:
    return {
        "creatorId": creator.public_id,
        "timezone": period.zone.key,
        "currency": creator.currency,
        "from": period.first.isoformat(),
        "to": period.last.isoformat(),
        "previousFrom": period.previous.first.isoformat(),
        "previousTo": period.previous.last.isoformat(),
    }


def _figure(value: object, previous: object, rows: str) -> dict[str, object]:
    """``value`` and ``previous`` are null where no row can tell."""
    return {"value": value, "previous": previous, "rows": rows}


def _subscribers(creator: Creator, period: Period, kind: SubscriptionEvent.Kind) -> dict[str, object]:
    return _figure(
        analytics.subscribers(creator, period, kind),
        analytics.subscribers(creator, period.previous, kind),
        _rows("api-subscription-events", creator, period, kind=kind.value),
    )


def _money(money: Sequence[Money] | None) -> list[dict[str, Any]] | None:
    if money is None:
        return None
    return [
        {
            "currency": each.currency,
            "amountCents": each.amount_cents,
            "netCents": each.net_cents,
            "payments": each.payments,
        }
        for each in money
    ]


def _reply_time(figure: ReplyTime | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    median = None if figure.median is None else round(figure.median.total_seconds())
    return {"medianSeconds": median, "answered": figure.answered, "unanswered": figure.unanswered}


def _rows(name: str, creator: Creator, period: Period | None = None, **parameters: object) -> str:
    """The address that lists what was counted."""
    query: dict[str, object] = {"creatorId": creator.public_id}
    if period:
        query |= {"occurredFrom": iso(period.begins), "occurredBefore": iso(period.ends)}
    return f"{reverse(name)}?{urlencode(query | parameters, doseq=True)}"
