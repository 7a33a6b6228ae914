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
from crm.analytics import ACTIVE_DAYS, TOP_FANS, Figures, Money, ReplyTime
from crm.api.access import one_creator
from crm.api.fans import FanShape, shown, with_what_is_shown
from crm.api.paging import Query
from crm.api.shapes import iso
from crm.models import Creator, SubscriptionEvent, Transaction
from crm.periods import Period, Unit


class PeriodQuery(Query):
    creatorId = serializers.UUIDField(required=False)
    to = serializers.DateField(required=False, help_text="The last day; today by the creator's clock.")

    def get_fields(self) -> dict[str, Any]:
        # "from" is a word of Python's.
        first = serializers.DateField(source="first", required=False, help_text="The first day; 30 days in all.")
        return super().get_fields() | {"from": first}

    def period(self, creator: Creator) -> Period:
        return Period.chosen(creator.zone, self.get("first"), self.get("to"), now=timezone.now())

    def figures(self, creator: Creator) -> Figures:
        return Figures(creator, self.period(creator), now=timezone.now())


class UnitQuery(PeriodQuery):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit], default=Unit.DAY.value)


class RevenueQuery(UnitQuery):
    kind = serializers.MultipleChoiceField(choices=Transaction.Kind.choices, required=False)


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
    previous = AmountShape(many=True, allow_null=True)  # type: ignore[assignment]


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
    """The first three are of now, and ``previous`` is how the same fans stood when the period began."""

    countedAt = serializers.DateTimeField(help_text="Of the first three: very many fans are not counted each time.")
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


class ReplyBucketShape(serializers.Serializer[Any]):
    time = ReplyTimeShape(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField()} | super().get_fields()


class SubscribersShape(PeriodShape):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit])
    newSubscribers = FigureShape()
    lostSubscribers = FigureShape()
    results = TurnoverShape(many=True)


class RepliesShape(PeriodShape):
    unit = serializers.ChoiceField(choices=[unit.value for unit in Unit])
    replyTime = ReplyTimeFigureShape()
    results = ReplyBucketShape(many=True)


class TopFanShape(serializers.Serializer[Any]):
    fan = FanShape()
    spent = MoneyShape(many=True, help_text="In the period.")
    previous = MoneyShape(many=True, help_text="In the one before.")


class TopFansShape(PeriodShape):
    results = TopFanShape(many=True)
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
        figures = query.figures(creator)
        fans, before = figures.fans, figures.fans_before
        seen = iso(figures.now - timedelta(days=ACTIVE_DAYS))
        rows = {
            "totalFans": _rows("api-fans", creator),
            "activeFans": _rows("api-fans", creator, lastSeenAfter=seen),
            "lifetimeValue": _rows("api-fans", creator, sort="-valueCents"),
        }
        value = [_amount(creator, each.value_cents) for each in (fans, before)]
        return Response(
            {
                **_heading(creator, figures.period),
                "countedAt": iso(fans.counted_at),
                "totalFans": _figure(fans.total, before.total, rows["totalFans"]),
                "activeFans": _figure(fans.active, before.active, rows["activeFans"]),
                "lifetimeValue": _figure(value[0], value[1], rows["lifetimeValue"]),
                "revenue": _figure(
                    _money(figures.revenue()),
                    _money(figures.before.revenue()),
                    _rows("api-transactions", creator, figures.period),
                ),
                "newSubscribers": _subscribers(figures, SubscriptionEvent.Kind.STARTED),
                "lostSubscribers": _subscribers(figures, SubscriptionEvent.Kind.EXPIRED),
                "replyTime": _replies(figures),
            }
        )


class Revenue(APIView):
    """GET: revenue by day, week or month."""

    @extend_schema(parameters=[RevenueQuery], responses={200: RevenueShape})
    def get(self, request: Request) -> Response:
        query = RevenueQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        figures, unit, kinds = query.figures(creator), Unit(query.get("unit")), sorted(query.get("kind") or ())
        period = figures.period
        return Response(
            {
                **_heading(creator, period),
                "unit": unit.value,
                "total": _figure(
                    _money(figures.revenue(kinds)),
                    _money(figures.before.revenue(kinds)),
                    _rows("api-transactions", creator, period, kind=kinds),
                ),
                "results": [
                    {"from": bucket.first.isoformat(), "money": _money(bucket.money)}
                    for bucket in figures.revenue_by(unit, kinds)
                ],
            }
        )


class Subscribers(APIView):
    """GET: subscriptions that began and that expired, by day, week or month."""

    @extend_schema(parameters=[UnitQuery], responses={200: SubscribersShape})
    def get(self, request: Request) -> Response:
        query = UnitQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        figures, unit = query.figures(creator), Unit(query.get("unit"))
        return Response(
            {
                **_heading(creator, figures.period),
                "unit": unit.value,
                "newSubscribers": _subscribers(figures, SubscriptionEvent.Kind.STARTED),
                "lostSubscribers": _subscribers(figures, SubscriptionEvent.Kind.EXPIRED),
                "results": [
                    {"from": each.first.isoformat(), "started": each.started, "expired": each.expired}
                    for each in figures.subscribers_by(unit)
                ],
            }
        )


class RepliesBy(APIView):
    """GET: how fast fans were answered, by day, week or month in which they wrote."""

    @extend_schema(parameters=[UnitQuery], responses={200: RepliesShape})
    def get(self, request: Request) -> Response:
        query = UnitQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        figures, unit = query.figures(creator), Unit(query.get("unit"))
        return Response(
            {
                **_heading(creator, figures.period),
                "unit": unit.value,
                "replyTime": _replies(figures),
                "results": [
                    {"from": each.first.isoformat(), "time": _reply_time(each.time)}
                    for each in figures.reply_time_by(unit)
                ],
            }
        )


class TopFans(APIView):
    """GET: the ten fans who spent most in all, and what of it they paid in the period and in the one before."""

    @extend_schema(parameters=[PeriodQuery], responses={200: TopFansShape})
    def get(self, request: Request) -> Response:
        query = PeriodQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        period = query.period(creator)
        fans = list(with_what_is_shown(analytics.top_fans(creator)))
        tops = analytics.top_fans_in(creator, period, fans)
        results = [
            {"fan": fan, "spent": _money(top.spent), "previous": _money(top.before)}
            for fan, top in zip(shown(fans, {creator.pk: creator}), tops, strict=True)
        ]
        rows = _rows("api-fans", creator, sort="-valueCents", valueMin=1, limit=TOP_FANS)
        return Response({**_heading(creator, period), "results": results, "rows": rows})


class CampaignEarnings(APIView):
    """GET: what fans paid in the period because of each campaign, by currency."""

    @extend_schema(parameters=[PeriodQuery], responses={200: EarningsShape})
    def get(self, request: Request) -> Response:
        query = PeriodQuery.of(request)
        creator = one_creator(request, query.get("creatorId"))
        figures = query.figures(creator)
        period = figures.period
        results = [
            {
                "campaignId": earnings.campaign.public_id,
                "name": earnings.campaign.name,
                "money": _money(earnings.money),
                "rows": _rows("api-transactions", creator, period, campaignId=earnings.campaign.public_id),
            }
            for earnings in figures.campaign_earnings()
        ]
        total = _figure(
            _money(figures.campaign_revenue()),
            _money(figures.before.campaign_revenue()),
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


def _subscribers(figures: Figures, kind: SubscriptionEvent.Kind) -> dict[str, object]:
    rows = _rows("api-subscription-events", figures.creator, figures.period, kind=kind.value)
    return _figure(figures.subscribers(kind), figures.before.subscribers(kind), rows)


def _replies(figures: Figures) -> dict[str, object]:
    here, before = (_reply_time(each.reply_time()) for each in (figures, figures.before))
    return _figure(here, before, _rows("api-conversations", figures.creator, unanswered="true"))


def _amount(creator: Creator, cents: int | None) -> list[dict[str, Any]] | None:
    return None if cents is None else [{"currency": creator.currency, "amountCents": cents}]


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
