"""The queue's own figures and each creator's line, from what dispatch last saw: no request asks SQS."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.shapes import iso
from crm.clock import database_now
from crm.models import Creator, Dispatch, Line, Message
from crm.models.messages import FOR_A_PERSON, IN_FLIGHT, ON_THE_PLATFORM, Status

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
        creators = Creator.objects.for_user(request.user).select_related("line")
        mine = Message.objects.for_user(request.user)
        known = not seen.queue_trouble
        return Response(
            {
                "queueDepth": seen.queue_depth if known else None,
                "messagesInFlight": seen.queue_in_flight if known else None,
                "dlqCount": seen.dlq_count if known else None,
                "sampledAt": iso(seen.queue_sampled_at),
                "lastProcessedAt": iso(mine.aggregate(at=Max("sent_at"))["at"]),
                "troubles": _troubles(seen, now),
                "warnings": [{"code": code, "words": words} for code, words in seen.warnings.items()],
                "metrics": _metrics(mine, now),
                "creators": [_creator(creator, waiting, seen, now) for creator, waiting in _with_waiting(creators)],
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


def _metrics(mine: Any, now: datetime) -> dict[str, int]:
    """Counts of rows: what waits now, and what became of the messages of the last 24 hours."""
    since = Q(created_at__gte=now - METRICS_PERIOD)
    counts: dict[str, int] = mine.aggregate(
        queued=Count("pk", filter=Q(status=Status.QUEUED)),
        inFlight=Count("pk", filter=Q(status__in=IN_FLIGHT)),
        processed24h=Count("pk", filter=since & Q(status__in=ON_THE_PLATFORM)),
        failed24h=Count("pk", filter=since & Q(status__in=FOR_A_PERSON)),
    )
    return counts


def _with_waiting(creators: Any) -> list[tuple[Creator, int]]:
    counts = dict(
        Message.objects.waiting()
        .filter(creator__in=creators)
        .values_list("creator")
        .annotate(waiting=Count("pk"))
        .order_by()
    )
    return [(creator, counts.get(creator.pk, 0)) for creator in creators]


def _creator(creator: Creator, waiting: int, seen: Dispatch, now: datetime) -> dict[str, Any]:
    line: Line = getattr(creator, "line", None) or Line(creator=creator)
    interval = creator.seconds_between_messages
    moves = waiting and not line.paused_at and not _troubles(seen, now)
    held = moves and line.hold_until and line.hold_until > now
    return {
        "id": creator.public_id,
        "name": creator.name,
        "waiting": waiting,
        "nextSendAt": iso(max(filter(None, (line.wake_at, line.hold_until, now)))) if moves else None,
        "waitsFor": line.hold_cause if held else "",
        "secondsBetweenMessages": round(interval, 3) if interval is not None else None,
        "paused": line.paused_at is not None,
        "pausedReason": line.paused_reason,
    }
