"""Send a message to a fan, and see what became of it."""

import uuid
from typing import Any, cast

from django.db import transaction
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import require_writer
from crm.api.idempotency import idempotent
from crm.api.shapes import Shape, WaitingShape, iso, media_urls, paid_rules
from crm.forecast import Forecast, forecast
from crm.models import ApiKey, Conversation, Fan, Message, User

#: ``messages/send`` goes after what people write in the inbox and before campaigns (design, section 3, Order).
DEFAULT_PRIORITY = 5


class SendShape(Shape):
    """A message to a fan."""

    example = {"recipientId": "fan_123", "content": "Hello!", "priority": 5}
    rules = paid_rules(media="mediaUrls")

    recipientId = serializers.CharField(source="recipient", max_length=64)
    creatorId = serializers.UUIDField(source="creator", required=False, default=None)
    content = serializers.CharField(source="text", max_length=Message.TEXT_MAX, trim_whitespace=False)
    mediaUrls = media_urls()
    priceCents = serializers.IntegerField(
        source="price_cents", min_value=0, max_value=Message.PRICE_MAX_CENTS, default=0
    )
    priority = serializers.IntegerField(
        min_value=Message.PRIORITY_MIN, max_value=Message.PRIORITY_MAX, default=DEFAULT_PRIORITY
    )
    scheduledAt = serializers.DateTimeField(source="send_at", required=False, allow_null=True, default=None)


class QueuedShape(serializers.Serializer[Any]):
    messageId = serializers.UUIDField()
    status = serializers.ChoiceField(choices=Message.Status.values)
    queuedAt = serializers.DateTimeField()
    estimatedSendTime = serializers.DateTimeField(allow_null=True)


class MessageStateShape(serializers.Serializer[Any]):
    messageId = serializers.UUIDField()
    conversationId = serializers.UUIDField()
    recipientId = serializers.CharField(help_text="The fan's id at the platform.")
    status = serializers.ChoiceField(choices=Message.Status.values)
    causeCode = serializers.CharField()
    cause = serializers.CharField()
    queuedAt = serializers.DateTimeField()
    scheduledAt = serializers.DateTimeField()
    estimatedSendTime = serializers.DateTimeField(allow_null=True)
    waiting = WaitingShape(allow_null=True)
    sentAt = serializers.DateTimeField(allow_null=True)
    platformId = serializers.CharField()
    handOvers = serializers.IntegerField()
    attempts = serializers.IntegerField()


class SendMessage(APIView):
    """POST: queue a message to a fan; it goes out at the creator's pace."""

    key_scope = ApiKey.Scope.SEND
    input_shape = SendShape

    @extend_schema(responses={202: QueuedShape})
    @idempotent
    def post(self, request: Request) -> Response:
        shape = SendShape(data=request.data)
        shape.is_valid(raise_exception=True)
        wanted = shape.validated_data
        fan = _recipient(request, wanted.pop("recipient"), wanted.pop("creator"))
        with transaction.atomic():
            conversation = Conversation.objects.with_fan(fan)
            message = conversation.queue(author=cast(User, request.user), **wanted)
        expected = forecast(message)
        return Response(
            {
                "messageId": message.public_id,
                "status": message.status,
                "queuedAt": iso(message.created_at),
                "estimatedSendTime": iso(expected.at) if expected else None,
            },
            status=status.HTTP_202_ACCEPTED,
        )


class MessageDetail(APIView):
    """GET: the state of one message, its cause, and when it will go and why it waits."""

    @extend_schema(responses={200: MessageStateShape})
    def get(self, request: Request, message_id: str) -> Response:
        message = get_object_or_404(
            Message.objects.for_user(request.user).select_related("conversation__fan"), public_id=message_id
        )
        return Response(as_json(message, forecast(message)))


def as_json(message: Message, expected: Forecast | None) -> dict[str, Any]:
    """A message's state as clients see it; ``expected`` is its forecast."""
    return {
        "messageId": message.public_id,
        "conversationId": message.conversation.public_id,
        "recipientId": message.conversation.fan.platform_id,
        "status": message.status,
        "causeCode": message.cause_code,
        "cause": message.cause,
        "queuedAt": iso(message.created_at),
        "scheduledAt": iso(message.send_at),
        "estimatedSendTime": iso(expected.at) if expected else None,
        "waiting": {"code": expected.reason, "words": expected.words} if expected else None,
        "sentAt": iso(message.sent_at),
        "platformId": message.platform_id,
        "handOvers": message.hand_overs,
        "attempts": message.attempts,
    }


def _recipient(request: Request, recipient: str, creator_id: uuid.UUID | None) -> Fan:
    """The fan by platform id or by our UUID, among the creators in whose name the user may write."""
    fans = Fan.objects.for_user(request.user).select_related("creator")
    if creator_id:
        fans = fans.filter(creator__public_id=creator_id)
    found = list(fans.of_platform_id(recipient)[:2])
    if not found and (public_id := _as_uuid(recipient)):
        found = list(fans.filter(public_id=public_id))
    if not found:
        raise exceptions.NotFound({"recipientId": "No fan of yours has this id."})
    if len(found) > 1:
        raise exceptions.ValidationError(
            {"creatorId": "Several of your creators have a fan with this id: say which creator writes."}
        )
    fan = found[0]
    require_writer(request, fan.creator_id)
    return fan


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
