"""What did not go by itself: look at it, send it again, take it back."""

from typing import cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.access import Conflict, creators_of
from crm.api.paging import ListQuery
from crm.api.shapes import ProblemShape, Shape, page_of
from crm.forecast import forecast
from crm.models import ApiKey, Creator, Message, StateForbids, User
from crm.models.messages import FOR_A_PERSON, MessageQuerySet
from crm.paging import sortings
from onlyfans.api.messages import MessageStateShape, as_json

#: What a message's state is made of; whole rows of the three tables would be most of the cost.
SHOWN = (
    *("public_id", "status", "cause_code", "cause", "created_at", "send_at", "sent_at", "platform_id", "hand_overs"),
    *("attempts", "conversation__public_id", "conversation__fan__platform_id"),
)


class FailedQuery(ListQuery):
    sortings = sortings(queuedAt="created_at")
    default_sort = "-queuedAt"

    status = serializers.ChoiceField(choices=FOR_A_PERSON, required=False)
    creatorId = serializers.UUIDField(required=False)


class RetryShape(Shape):
    example = {"confirmNotSent": True}

    confirmNotSent = serializers.BooleanField(source="not_sent", default=False)


class FailedMessages(APIView):
    """GET: what failed, is unknown or needs a person, latest first, with cause. Filters: ``status``, ``creatorId``."""

    @extend_schema(parameters=[FailedQuery], responses={200: page_of(MessageStateShape)})
    def get(self, request: Request) -> Response:
        query = FailedQuery.of(request)
        mine = Message.objects.filter(creator__in=list(creators_of(request, query.get("creatorId"))))
        messages = mine.for_a_person().select_related("conversation__fan").only(*SHOWN)
        if status_asked := query.get("status"):
            messages = messages.filter(status=status_asked)
        return query.reply(request, messages, lambda rows: [as_json(message, None) for message in rows])


class RetryMessage(APIView):
    """POST: send it again. One whose outcome is open only with ``confirmNotSent``, by an owner or a manager."""

    key_scope = ApiKey.Scope.SEND
    input_shape = RetryShape

    @extend_schema(responses={202: MessageStateShape, 409: ProblemShape})
    def post(self, request: Request, message_id: str) -> Response:
        message = _find_for_writing(request, message_id)
        shape = RetryShape(data=request.data)
        shape.is_valid(raise_exception=True)
        if shape.validated_data["not_sent"] and not _manages(request, message):
            raise exceptions.PermissionDenied("Only an owner or a manager may say that a message was not sent.")
        try:
            message.retry(by=cast(User, request.user), **shape.validated_data)
        except StateForbids as error:
            raise Conflict(str(error)) from error
        return Response(as_json(message, forecast(message)), status=status.HTTP_202_ACCEPTED)


class CancelMessage(APIView):
    """POST: take it back before its call begins."""

    key_scope = ApiKey.Scope.SEND

    @extend_schema(responses={200: MessageStateShape, 409: ProblemShape})
    def post(self, request: Request, message_id: str) -> Response:
        message = _find_for_writing(request, message_id)
        try:
            message.cancel(by=cast(User, request.user))
        except StateForbids as error:
            raise Conflict(str(error)) from error
        return Response(as_json(message, None))


def _mine(request: Request) -> MessageQuerySet:
    return Message.objects.for_user(request.user).select_related("conversation__fan")


def _find_for_writing(request: Request, message_id: str) -> Message:
    message = get_object_or_404(_mine(request), public_id=message_id)
    if not Creator.objects.sendable_by(request.user).filter(pk=message.creator_id).exists():
        raise exceptions.PermissionDenied("Your role with this creator does not include writing.")
    return message


def _manages(request: Request, message: Message) -> bool:
    return Creator.objects.managed_by(request.user).filter(pk=message.creator_id).exists()
