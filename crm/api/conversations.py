"""Conversations and their messages, for API clients."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework import serializers, status
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import creators_of, user_of
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.shapes import iso
from crm.conditions import Scope
from crm.forecast import Forecast, forecasts
from crm.models import ApiKey, Attachment, Conversation, Creator, Message, User
from crm.paging import sortings


class FanBrief(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    platformId = serializers.CharField(source="platform_id")
    handle = serializers.CharField()
    name = serializers.CharField()
    valueCents = serializers.IntegerField(source="value_cents")
    lastSeenAt = serializers.DateTimeField(source="last_seen_at")


class ConversationShape(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    fan = FanBrief()
    lastMessageAt = serializers.DateTimeField(source="last_message_at")
    lastText = serializers.CharField(source="last_text")
    lastDirection = serializers.CharField(source="last_direction")
    unreadCount = serializers.IntegerField(source="unread_count")
    seq = serializers.IntegerField()


class MessageShape(serializers.Serializer[Any]):
    """A message as clients see it; ``estimatedSendTime`` and ``waiting`` are null once it does not wait any more."""

    id = serializers.UUIDField(source="public_id")
    direction = serializers.CharField()
    status = serializers.CharField()
    text = serializers.CharField()
    priceCents = serializers.IntegerField(source="price_cents")
    attachments = serializers.SlugRelatedField[Attachment](slug_field="url", many=True, read_only=True)
    priority = serializers.IntegerField()
    causeCode = serializers.CharField(source="cause_code")
    cause = serializers.CharField()
    sendAt = serializers.DateTimeField(source="send_at")
    estimatedSendTime = serializers.SerializerMethodField("forecast_time")
    waiting = serializers.SerializerMethodField("forecast_reason")
    createdAt = serializers.DateTimeField(source="created_at")
    sentAt = serializers.DateTimeField(source="sent_at")
    deliveredAt = serializers.DateTimeField(source="delivered_at")
    readAt = serializers.DateTimeField(source="read_at")
    platformId = serializers.CharField(source="platform_id")
    seq = serializers.IntegerField()

    def forecast_time(self, message: Message) -> str | None:
        forecast = self._forecast(message)
        return iso(forecast.at) if forecast else None

    def forecast_reason(self, message: Message) -> dict[str, str] | None:
        forecast = self._forecast(message)
        return {"code": forecast.reason, "words": forecast.words} if forecast else None

    def _forecast(self, message: Message) -> Forecast | None:
        known: dict[int, Forecast] = self.context["forecasts"]
        return known.get(message.pk)


class NewMessageShape(serializers.Serializer[Any]):
    """What a client writes. The ledger checks the rules; ``source`` names the verb's argument."""

    text = serializers.CharField(max_length=Message.TEXT_MAX, trim_whitespace=False)
    priceCents = serializers.IntegerField(
        source="price_cents", min_value=0, max_value=Message.PRICE_MAX_CENTS, default=0
    )
    attachments = serializers.ListField(
        source="media_urls", child=serializers.CharField(max_length=Attachment.URL_MAX), default=list
    )


class ConversationQuery(ListQuery):
    sortings = sortings(lastMessageAt="last_message_at")
    default_sort = "-lastMessageAt"
    conditions = ("search", "tag", "priority", "unread", "unanswered", "assigned", "failed")

    creatorId = serializers.UUIDField(required=False)


class ConversationList(APIView):
    """GET: the user's conversations, newest first."""

    def get(self, request: Request) -> Response:
        query = ConversationQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        scope = Scope(frozenset(creators), timezone.now(), user_of(request).pk, fan="fan__", talk="")
        conversations = (
            Conversation.objects.listed().filter(creator__in=list(creators)).select_related("fan", "creator")
        )
        return query.reply(
            request,
            query.narrowed(conversations, scope),
            lambda rows: list(ConversationShape(rows, many=True).data),
        )


class MessageQuery(ListQuery):
    sortings = sortings(sendAt="send_at")
    default_sort = "-sendAt"


class ConversationMessages(APIView):
    """GET: the thread, newest first. POST: write into it."""

    key_scope = ApiKey.Scope.SEND
    input_shape = NewMessageShape

    def get(self, request: Request, conversation_id: str) -> Response:
        conversation = _find(request, conversation_id)
        return MessageQuery.of(request).reply(request, conversation.messages.prefetch_related("attachments"), _shown)

    @idempotent
    def post(self, request: Request, conversation_id: str) -> Response:
        conversation = _find_for_writing(request, conversation_id)
        shape = NewMessageShape(data=request.data)
        shape.is_valid(raise_exception=True)
        message = conversation.queue(author=cast(User, request.user), **shape.validated_data)
        return Response(_shown([message])[0], status=status.HTTP_202_ACCEPTED)


class ConversationRead(APIView):
    """POST: nothing here is unread any more. Somebody who may only look on leaves it unread for those who answer."""

    def post(self, request: Request, conversation_id: str) -> Response:
        _find_for_writing(request, conversation_id).mark_read()
        return Response(status=status.HTTP_204_NO_CONTENT)


def _find(request: Request, conversation_id: str) -> Conversation:
    mine = Conversation.objects.for_user(request.user).select_related("fan", "creator")
    return get_object_or_404(mine, public_id=conversation_id)


def _find_for_writing(request: Request, conversation_id: str) -> Conversation:
    conversation = _find(request, conversation_id)
    if not Creator.objects.sendable_by(request.user).filter(pk=conversation.creator_id).exists():
        raise PermissionDenied("Your role with this creator does not include writing.")
    return conversation


def _shown(messages: list[Message]) -> list[dict[str, Any]]:
    shape = MessageShape(messages, many=True, context={"forecasts": forecasts(messages)})
    return list(shape.data)
