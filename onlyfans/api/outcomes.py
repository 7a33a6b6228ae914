"""What did not go by itself: look at it, send it again, take it back."""

from typing import Any, cast

from django.shortcuts import get_object_or_404
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api.paging import NewestFirst
from crm.forecast import forecast
from crm.models import Creator, Message, StateForbids, User
from crm.models.messages import FOR_A_PERSON, MessageQuerySet
from onlyfans.api.messages import as_json


class Conflict(exceptions.APIException):
    status_code = status.HTTP_409_CONFLICT
    default_code = "state_forbids"


class LatestFirst(NewestFirst):
    ordering = ("-id",)


class FailedFilters(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=FOR_A_PERSON, required=False)
    creatorId = serializers.UUIDField(required=False)

    def apply(self, messages: MessageQuerySet) -> MessageQuerySet:
        wanted = self.validated_data
        if "status" in wanted:
            messages = messages.filter(status=wanted["status"])
        if "creatorId" in wanted:
            messages = messages.filter(creator__public_id=wanted["creatorId"])
        return messages


class RetryShape(serializers.Serializer[Any]):
    confirmNotSent = serializers.BooleanField(source="not_sent", default=False)


class FailedMessages(APIView):
    """GET: what failed, is unknown or needs a person, latest first, with cause. Filters: ``status``, ``creatorId``."""

    def get(self, request: Request) -> Response:
        filters = FailedFilters(data=request.query_params)
        filters.is_valid(raise_exception=True)
        found = filters.apply(_mine(request).for_a_person())
        pages = LatestFirst()
        page = pages.paginate_queryset(found, request, view=self)
        return pages.get_paginated_response([as_json(message, None) for message in page or []])


class RetryMessage(APIView):
    """POST: send it again. One whose outcome is open only with ``confirmNotSent``, by an owner or a manager."""

    input_shape = RetryShape

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
