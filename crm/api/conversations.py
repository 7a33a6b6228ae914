"""Conversations and their messages, for API clients."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import Conflict, creators_of, found, require_writer, user_of
from crm.api.idempotency import idempotent
from crm.api.paging import ListQuery
from crm.api.rows import RowShape
from crm.api.shapes import ProblemShape, Shape, iso, media_urls, page_of, paid_rules
from crm.conditions import Scope
from crm.forecast import Forecast, forecasts
from crm.models import AnsweredMeanwhile, ApiKey, Conversation, Message, State, User, WrittenMeanwhile
from crm.paging import always, sortings


class PersonShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    name = serializers.CharField(source="username")


class FanBrief(RowShape):
    id = serializers.UUIDField(source="public_id")
    platformId = serializers.CharField(source="platform_id")
    handle = serializers.CharField()
    name = serializers.CharField()
    valueCents = serializers.IntegerField(source="value_cents")
    lastSeenAt = serializers.DateTimeField(source="last_seen_at", allow_null=True)
    isPriority = serializers.BooleanField(source="is_priority")


class ConversationShape(RowShape):
    id = serializers.UUIDField(source="public_id")
    creatorId = serializers.UUIDField(source="creator.public_id")
    fan = FanBrief()
    lastMessageAt = serializers.DateTimeField(source="last_message_at")
    lastText = serializers.CharField(source="last_text")
    lastDirection = serializers.CharField(source="last_direction")
    unreadCount = serializers.IntegerField(source="unread_count")
    assignedTo = PersonShape(source="assigned_to", allow_null=True)
    state = serializers.SerializerMethodField("state_now")
    closedAt = serializers.DateTimeField(source="closed_at", allow_null=True)
    snoozedUntil = serializers.DateTimeField(
        source="snoozed_until", allow_null=True, help_text="A moment that is past has ended by itself."
    )
    seq = serializers.IntegerField()

    @extend_schema_field(serializers.ChoiceField(choices=State.choices))
    def state_now(self, conversation: Conversation) -> str:
        return conversation.state(timezone.now()).value


class MessageShape(RowShape):
    """A message as clients see it; ``estimatedSendTime`` and ``waiting`` are null once it does not wait any more."""

    id = serializers.UUIDField(source="public_id")
    conversationId = serializers.UUIDField(source="conversation.public_id")
    direction = serializers.CharField()
    status = serializers.CharField()
    text = serializers.CharField()
    priceCents = serializers.IntegerField(source="price_cents")
    attachments = serializers.SerializerMethodField()
    priority = serializers.IntegerField()
    causeCode = serializers.CharField(source="cause_code")
    cause = serializers.CharField()
    sendAt = serializers.DateTimeField(source="send_at")
    estimatedSendTime = serializers.SerializerMethodField("forecast_time")
    waiting = serializers.SerializerMethodField("forecast_reason")
    createdAt = serializers.DateTimeField(source="created_at")
    sentAt = serializers.DateTimeField(source="sent_at", allow_null=True)
    deliveredAt = serializers.DateTimeField(source="delivered_at", allow_null=True)
    readAt = serializers.DateTimeField(source="read_at", allow_null=True)
    purchasedAt = serializers.DateTimeField(source="purchased_at", allow_null=True)
    platformId = serializers.CharField(source="platform_id")
    seq = serializers.IntegerField()

    def get_attachments(self, message: Message) -> list[str]:
        return [attachment.url for attachment in message.attachments.all()]

    def forecast_time(self, message: Message) -> str | None:
        forecast = self._forecast(message)
        return iso(forecast.at) if forecast else None

    def forecast_reason(self, message: Message) -> dict[str, str] | None:
        forecast = self._forecast(message)
        return {"code": forecast.reason, "words": forecast.words} if forecast else None

    def _forecast(self, message: Message) -> Forecast | None:
        known: dict[int, Forecast] = self.context["forecasts"]
        return known.get(message.pk)


@extend_schema_field({"anyOf": [{"const": "me"}, {"type": "string", "format": "uuid"}]})
class AssigneeField(serializers.Field):
    """ "me", or the id of somebody."""

    def to_internal_value(self, data: Any) -> Any:
        return "me" if data == "me" else serializers.UUIDField().run_validation(data)


class NewMessageShape(Shape):
    """A message into a conversation."""

    example = {"text": "A picture for you", "priceCents": 500, "attachments": ["https://media.example.com/1.jpg"]}
    rules = paid_rules(media="attachments")

    text = serializers.CharField(max_length=Message.TEXT_MAX, trim_whitespace=False)
    priceCents = serializers.IntegerField(
        source="price_cents", min_value=0, max_value=Message.PRICE_MAX_CENTS, default=0
    )
    attachments = media_urls()
    seenMessageId = serializers.UUIDField(
        required=False,
        allow_null=True,
        help_text="The newest message you have seen, null for none: 409 when somebody else has answered after it.",
    )


#: What a list shows of the three tables; whole rows would be half of its cost.
SHOWN = (
    *("creator", "public_id", "last_message_at", "last_text", "last_direction", "unread_count", "seq", "closed_at"),
    "snoozed_until",
    *("fan__public_id", "fan__platform_id", "fan__handle", "fan__name", "fan__value_cents", "fan__last_seen_at"),
    *("fan__is_priority", "assigned_to__public_id", "assigned_to__username"),
)


class ConversationQuery(ListQuery):
    sortings = always(sortings(lastMessageAt="last_message_at"))
    default_sort = "-lastMessageAt"
    conditions = ("search", "tag", "priority", "unread", "unanswered", "assigned", "failed")

    creatorId = serializers.UUIDField(required=False)
    state = serializers.ChoiceField(required=False, choices=State.choices)


class ConversationList(APIView):
    """GET: the user's conversations, newest first."""

    @extend_schema(parameters=[ConversationQuery], responses={200: page_of(ConversationShape)})
    def get(self, request: Request) -> Response:
        query = ConversationQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        scope = Scope(frozenset(creators), timezone.now(), user_of(request).pk, fan="fan__", talk="")
        mine = Conversation.objects.listed().filter(creator__in=list(creators))
        if state := query.get("state"):
            mine = mine.in_state(state, scope.now)
        conversations = query.narrowed(mine.select_related("fan", "assigned_to").only(*SHOWN), scope)

        def with_creators(rows: Sequence[Conversation]) -> list[dict[str, Any]]:
            for row in rows:
                row.creator = creators[row.creator_id]
            return shown(rows)

        return query.reply(request, conversations, with_creators)


class ConversationDetail(APIView):
    """GET: one conversation."""

    @extend_schema(responses={200: ConversationShape})
    def get(self, request: Request, conversation_id: str) -> Response:
        return Response(shown([_find(request, conversation_id)])[0])


class Assignment(Shape):
    example = {"userId": "me"}

    userId = AssigneeField(source="assigned_to")


class ConversationAssignment(APIView):
    """PUT: somebody of the team has it from now on. DELETE: nobody in particular has."""

    input_shape = Assignment

    @extend_schema(responses={200: ConversationShape})
    def put(self, request: Request, conversation_id: str) -> Response:
        conversation = _find_for_writing(request, conversation_id)
        shape = Assignment(data=request.data)
        shape.is_valid(raise_exception=True)
        asked = shape.validated_data["assigned_to"]
        team = User.objects.filter(memberships__creator=conversation.creator_id)
        to = user_of(request) if asked == "me" else team.filter(public_id=asked).first()
        if to is None:
            raise serializers.ValidationError({"userId": _("Nobody of this creator's team has this id.")})
        conversation.assign(to)
        return Response(shown([conversation])[0])

    @extend_schema(responses={204: None})
    def delete(self, request: Request, conversation_id: str) -> Response:
        _find_for_writing(request, conversation_id).assign(None)
        return Response(status=status.HTTP_204_NO_CONTENT)


class MessageQuery(ListQuery):
    sortings = sortings(sendAt="send_at")
    default_sort = "-sendAt"


class ConversationMessages(APIView):
    """GET: the thread, newest first. POST: write into it."""

    key_scope = ApiKey.Scope.SEND
    input_shape = NewMessageShape

    @extend_schema(parameters=[MessageQuery], responses={200: page_of(MessageShape)})
    def get(self, request: Request, conversation_id: str) -> Response:
        conversation = _find(request, conversation_id)
        return MessageQuery.of(request).reply(
            request, conversation.messages.prefetch_related("attachments"), messages_shown
        )

    @extend_schema(responses={202: MessageShape, 409: ProblemShape})
    @idempotent
    def post(self, request: Request, conversation_id: str) -> Response:
        conversation = _find_for_writing(request, conversation_id)
        shape = NewMessageShape(data=request.data)
        shape.is_valid(raise_exception=True)
        values = shape.validated_data
        if "seenMessageId" in values:
            values["seen"] = conversation.key_of_seen(values.pop("seenMessageId"))
        try:
            message = conversation.queue(author=user_of(request), **values)
        except AnsweredMeanwhile as error:
            raise Conflict(str(error)) from error
        return Response(messages_shown([message])[0], status=status.HTTP_202_ACCEPTED)


class ConversationRead(APIView):
    """POST: nothing here is unread any more. Somebody who may only look on leaves it unread for those who answer."""

    @extend_schema(responses={204: None})
    def post(self, request: Request, conversation_id: str) -> Response:
        _find_for_writing(request, conversation_id).mark_read()
        return Response(status=status.HTTP_204_NO_CONTENT)


class ClosingShape(Shape):
    example = {"seenSeq": 89}

    seenSeq = serializers.IntegerField(
        source="seen",
        required=False,
        min_value=0,
        max_value=2**62,
        help_text="The `seq` of the conversation as you saw it: 409 when the fan has written since.",
    )


class ConversationClose(APIView):
    """POST: it is dealt with, and leaves the list until the fan writes again. What is queued stays queued."""

    input_shape = ClosingShape

    @extend_schema(responses={200: ConversationShape, 409: ProblemShape})
    def post(self, request: Request, conversation_id: str) -> Response:
        conversation = _find_for_writing(request, conversation_id)
        shape = ClosingShape(data=request.data)
        shape.is_valid(raise_exception=True)
        try:
            conversation.close(by=user_of(request), **shape.validated_data)
        except WrittenMeanwhile as error:
            raise Conflict(str(error)) from error
        return Response(shown([_find(request, conversation_id)])[0])


class Snooze(Shape):
    example = {"until": "2026-12-07T08:00:00Z"}

    until = serializers.DateTimeField(source="snoozed_until")


class ConversationSnooze(APIView):
    """POST: it leaves the list until a moment, from a minute to 366 days ahead, or until the fan writes."""

    input_shape = Snooze

    @extend_schema(responses={200: ConversationShape})
    def post(self, request: Request, conversation_id: str) -> Response:
        conversation = _find_for_writing(request, conversation_id)
        shape = Snooze(data=request.data)
        shape.is_valid(raise_exception=True)
        conversation.snooze(shape.validated_data["snoozed_until"], by=user_of(request))
        return Response(shown([_find(request, conversation_id)])[0])


class ConversationReopen(APIView):
    """POST: back into the list, whether it was closed or snoozed."""

    @extend_schema(responses={200: ConversationShape})
    def post(self, request: Request, conversation_id: str) -> Response:
        _find_for_writing(request, conversation_id).reopen(by=user_of(request))
        return Response(shown([_find(request, conversation_id)])[0])


def _find(request: Request, conversation_id: str) -> Conversation:
    return found(with_what_is_shown(Conversation.objects.for_user(request.user)), conversation_id)


def _find_for_writing(request: Request, conversation_id: str) -> Conversation:
    conversation = _find(request, conversation_id)
    require_writer(request, conversation.creator_id)
    return conversation


def with_what_is_shown(conversations: QuerySet[Conversation]) -> QuerySet[Conversation]:
    return conversations.select_related("fan", "creator", "assigned_to")


def shown(conversations: Sequence[Conversation]) -> list[dict[str, Any]]:
    return list(ConversationShape(conversations, many=True).data)


def messages_shown(messages: Sequence[Message]) -> list[dict[str, Any]]:
    shape = MessageShape(messages, many=True, context={"forecasts": forecasts(messages)})
    return list(shape.data)
