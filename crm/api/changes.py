"""What changed since the last look: what pages and clients poll."""

import hashlib
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm.api import conversations
from crm.api.access import creators_of
from crm.api.paging import Query
from crm.changes import LIMIT_DEFAULT, LIMIT_MAX, Seen, looked_at, since
from crm.paging import opened, sealed

#: When to look again after an answer that was everything.
POLL_SECONDS = 5


class ChangesQuery(Query):
    after = serializers.CharField(required=False, max_length=6000, help_text="The after of the last answer, or a seq.")
    creatorId = serializers.UUIDField(required=False)
    limit = serializers.IntegerField(min_value=1, max_value=LIMIT_MAX, default=LIMIT_DEFAULT)


class ChangesShape(serializers.Serializer[Any]):
    after = serializers.CharField(help_text="What to ask with the next time.")
    more = serializers.BooleanField()
    pollAfterSeconds = serializers.IntegerField()
    messages = conversations.MessageShape(many=True)
    conversations = conversations.ConversationShape(many=True)


class Changes(APIView):
    """GET: messages and conversations that changed after ``after``; without it, only where to begin."""

    @extend_schema(parameters=[ChangesQuery], responses={200: ChangesShape})
    def get(self, request: Request) -> Response:
        query = ChangesQuery.of(request)
        creators = creators_of(request, query.get("creatorId"))
        now, ended = looked_at(creators)
        seen = _seen(query.get("after"), now)
        changes = since(seen, now, ended, limit=query.get("limit"))
        tag = _etag(request, changes.seen)
        if not (changes.messages or changes.conversations) and request.headers.get("If-None-Match") == tag:
            return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": tag})
        body = {
            "after": sealed([list(positions.items()) for positions in changes.seen.kinds]),
            "more": changes.more,
            "pollAfterSeconds": 0 if changes.more else POLL_SECONDS,
            "messages": conversations.messages_shown(changes.messages),
            "conversations": conversations.shown(changes.conversations),
        }
        return Response(body, headers={"ETag": tag})


def _seen(after: str | None, now: Mapping[int, int]) -> Seen:
    if after is None:
        return Seen.up_to(now)
    if after.isascii() and after.isdecimal():
        if len(now) > 1:
            words = _("A number is one creator's: name the creator, or use the after of an answer.")
            raise serializers.ValidationError({"after": words})
        return Seen.up_to(dict.fromkeys(now, min(int(after[:19]), 2**62)))
    try:
        # One from before there were snoozes has two kinds.
        return Seen(*(_positions(kind) for kind in opened(after)))
    except (ValueError, TypeError):
        raise serializers.ValidationError({"after": _("This is not one of ours. Begin again without it.")}) from None


def _positions(pairs: Any) -> dict[int, tuple[int, int]]:
    return {creator: (number, key) for creator, (number, key) in pairs}


def _etag(request: Request, seen: Seen) -> str:
    """Of how far this user has seen, in the language of the words."""
    said = repr((request.user.pk, request.headers.get("Accept-Language"), seen))
    return f'W/"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'
