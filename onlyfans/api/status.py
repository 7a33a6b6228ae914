"""The queue's own figures and each creator's line, from what dispatch last saw: no request asks SQS."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.shapes import iso
from crm.clock import database_now
from crm.models import Creator, Dispatch, Line, Message
from crm.models.creators import CreatorQuerySet
from crm.models.messages import ON_THE_PLATFORM, OUTCOME_OPEN, MessageQuerySet, Status

# Their own words, which may name addresses and accounts of the installation, are in the admin and in queue_status.
QUEUE_DOWN = "SQS cannot be reached. Messages wait and go out as soon as it is back."
NO_WORKER = "No worker is running. Messages wait and go out as soon as one is back."
GATE_DOWN = "Redis cannot be reached, so nothing is sent until it is back."
METRICS_PERIOD = timedelta(hours=24)


class TroubleShape(serializers.Serializer[Any]):
    component = serializers.CharField()
    words = serializers.CharField()


class MetricsShape(serializers.Serializer[Any]):
    queued = serializers.IntegerField()
    inFlight = serializers.IntegerField()
    processed24h = serializers.IntegerField()
    failed24h = serializers.IntegerField()


class CreatorLineShape(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    waiting = serializers.IntegerField()
    nextSendAt = serializers.DateTimeField(allow_null=True)
    waitsFor = serializers.CharField()
    secondsBetweenMessages = serializers.FloatField(allow_null=True)
    paused = serializers.BooleanField()
    pausedReason = serializers.CharField()


class QueueStatusShape(serializers.Serializer[Any]):
    queueDepth = serializers.IntegerField(allow_null=True)
    messagesInFlight = serializers.IntegerField(allow_null=True)
    dlqCount = serializers.IntegerField(allow_null=True)
    sampledAt = serializers.DateTimeField(allow_null=True)
    lastProcessedAt = serializers.DateTimeField(allow_null=True)
    troubles = TroubleShape(many=True)
    metrics = MetricsShape()
    creators = CreatorLineShape(many=True)


class QueueStatus(APIView):
    """GET: how the queue is, and when each of the user's creators sends next."""

    @extend_schema(responses={200: QueueStatusShape})
    def get(self, request: Request) -> Response:
        now = database_now()
        seen = Dispatch.current()
        creators = list(_lines(Creator.objects.for_user(request.user), now))
        known = not seen.queue_trouble
        return Response(
            {
                "queueDepth": seen.queue_depth if known else None,
                "messagesInFlight": seen.queue_in_flight if known else None,
                "dlqCount": seen.dlq_count if known else None,
                "sampledAt": iso(seen.queue_sampled_at),
                "lastProcessedAt": iso(max(filter(None, (creator.last_sent_at for creator in creators)), default=None)),
                "troubles": _troubles(seen, now),
                "warnings": [{"code": code, "words": words} for code, words in seen.warnings.items()],
                "metrics": _metrics(creators),
                "creators": [_creator(creator, seen, now) for creator in creators],
            }
        )


def _troubles(seen: Dispatch, now: datetime) -> list[dict[str, str]]:
    """What keeps everybody's messages waiting, in words."""
    found = {
        "stopped": seen.stopped_reason if seen.stopped_at else "",
        "dispatch": "The dispatch loop is not running." if seen.is_silent(now) else "",
        "sqs": QUEUE_DOWN if seen.queue_trouble else "",
        "rateLimiter": GATE_DOWN if seen.gate_trouble else "",
        "worker": NO_WORKER if seen.worker_trouble else "",
    }
    return [{"component": component, "words": words} for component, words in found.items() if words]


def _lines(creators: CreatorQuerySet, now: datetime) -> Iterable[Any]:
    """These creators, each with what waits now and what became of the messages of the last 24 hours.

    Counted creator by creator, each number from an index of its own: however many messages there are, only those that
    count are read.
    """
    own = Message.objects.filter(creator=OuterRef("pk"))
    settled, since = own.filter(settled_at__isnull=False), now - METRICS_PERIOD
    of_today = settled.filter(settled_at__gte=since)
    return creators.select_related("line").annotate(
        queued=_how_many(own.waiting()),
        inFlight=_how_many(own.in_flight()),
        processed24h=_how_many(of_today.filter(status__in=ON_THE_PLATFORM)),
        failed24h=_how_many(of_today.filter(status=Status.FAILED))
        + _how_many(own.filter(status__in=OUTCOME_OPEN, sending_at__gte=since)),
        last_sent_at=Subquery(
            settled.filter(status__in=ON_THE_PLATFORM).order_by("-settled_at").values("settled_at")[:1]
        ),
    )


def _metrics(creators: list[Any]) -> dict[str, int]:
    return {name: sum(getattr(creator, name) for creator in creators) for name in MetricsShape().get_fields()}


def _how_many(of_the_creator: MessageQuerySet) -> Coalesce:
    counted = of_the_creator.order_by().values("creator").annotate(how_many=Count("pk")).values("how_many")
    return Coalesce(Subquery(counted), 0)


def _creator(creator: Any, seen: Dispatch, now: datetime) -> dict[str, Any]:
    line: Line = getattr(creator, "line", None) or Line(creator=creator)
    interval = creator.seconds_between_messages
    moves = creator.queued and not line.paused_at and not _troubles(seen, now)
    held = moves and line.hold_until and line.hold_until > now
    return {
        "id": creator.public_id,
        "name": creator.name,
        "waiting": creator.queued,
        "nextSendAt": iso(max(filter(None, (line.wake_at, line.hold_until, now)))) if moves else None,
        "waitsFor": line.hold_cause if held else "",
        "secondsBetweenMessages": round(interval, 3) if interval is not None else None,
        "paused": line.paused_at is not None,
        "pausedReason": line.paused_reason,
    }
