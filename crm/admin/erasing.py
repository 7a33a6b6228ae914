"""Deleting here is erasing, by the ledger's own verbs."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from crm import erasing
from crm.models import TagInUse


class Erased(admin.ModelAdmin):
    """Deleting here is erasing: by the verb, with all that belongs to it, one at a time."""

    def erase(self, row: Any) -> None:
        raise NotImplementedError

    def too_many(self, row: Any) -> str:
        """Why this one is too much for a page to wait for; empty when it is not."""
        return ""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """What goes along is not listed row by row, nor does it need a permission of its own."""
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [str(row) for row in objs], {}, lacking, [words for row in objs if (words := self.too_many(row))]

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, extra_context)
        except (erasing.OnItsWay, TagInUse) as error:
            self.message_user(request, str(error), messages.ERROR)
            return redirect(request.path)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.erase(obj)
