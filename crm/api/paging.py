"""Lists are paged by cursor: a keyset on (time, id), so nothing is skipped or repeated while rows come in."""

from rest_framework.pagination import CursorPagination
from rest_framework.response import Response


class NewestFirst(CursorPagination):
    """``limit`` rows (50, at most 200) and links to the next ones."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200

    def get_paginated_response(self, data: object) -> Response:
        return Response({"next": self.get_next_link(), "previous": self.get_previous_link(), "results": data})


class NewestConversationFirst(NewestFirst):
    ordering = ("-last_message_at", "-id")


class NewestMessageFirst(NewestFirst):
    ordering = ("-send_at", "-id")
