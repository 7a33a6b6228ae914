"""Conversations, messages and their media. What was said is a ledger: staff read it here, verbs write it."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import admin
from django.contrib.messages import SUCCESS, WARNING
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm.forecast import forecast
from crm.models import Attachment, Conversation, Message, StateForbids, User


class ReadOnly:
    """Nobody adds, changes or deletes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttachmentInline(ReadOnly, admin.TabularInline):
    model = Attachment
    fields = ("position", "url", "provider_media_id", "attempts", "upload_at")


@admin.register(Conversation)
class ConversationAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("fan", "creator", "last_text", "last_direction", "unread_count", "last_message_at")
    list_filter = ("creator",)
    list_select_related = ("fan", "creator")
    search_fields = ("fan__name", "fan__handle", "=fan__platform_id")
    ordering = ("-last_message_at", "-id")
    show_full_result_count = False


@admin.register(Message)
class MessageAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("created_at", "creator", "fan", "direction", "status", "priority", "price", "cause", "sent_at")
    list_filter = ("status", "direction", "creator")
    list_select_related = ("creator", "conversation__fan")
    search_fields = ("=public_id", "=platform_id", "conversation__fan__name", "conversation__fan__handle")
    ordering = ("-id",)
    inlines = (AttachmentInline,)
    readonly_fields = ("waits_for",)
    actions = ("send_again", "cancel", "it_was_sent", "it_was_not_sent")
    show_full_result_count = False

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Nobody edits a message, yet whoever may change messages may settle them by the verbs."""
        return request.user.has_perm("crm.change_message")

    @admin.action(description=_("Send again what failed"), permissions=["settle"])
    def send_again(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self._settle(request, messages, lambda message: message.retry(by=_who(request)))

    @admin.action(description=_("Cancel what still waits"), permissions=["settle"])
    def cancel(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self._settle(request, messages, lambda message: message.cancel(by=_who(request)))

    @admin.action(description=_("Open outcome: it was sent"), permissions=["settle"])
    def it_was_sent(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self._settle(request, messages, lambda message: message.it_was_sent(by=_who(request)))

    @admin.action(description=_("Open outcome: it was not sent, send it again"), permissions=["settle"])
    def it_was_not_sent(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self._settle(request, messages, lambda message: message.retry(by=_who(request), not_sent=True))

    def _settle(self, request: HttpRequest, messages: QuerySet[Message], act: Callable[[Message], None]) -> None:
        """One by one: what does not fit a message's state is said and changes nothing."""
        done, refused = 0, dict[str, int]()
        for message in messages:
            try:
                act(message)
            except StateForbids as error:
                refused[str(error)] = refused.get(str(error), 0) + 1
            else:
                done += 1
                self.log_change(request, message, str(message.get_status_display()))
        for words, count in refused.items():
            self.message_user(request, f"{count} × {words}", WARNING)
        if done:
            self.message_user(request, _("%(count)d done.") % {"count": done}, SUCCESS)

    @admin.display(description=_("fan"))
    def fan(self, message: Message) -> str:
        return message.conversation.fan.display_name

    @admin.display(description=_("price"), ordering="price_cents")
    def price(self, message: Message) -> str:
        return f"${message.price_cents / 100:,.2f}" if message.price_cents else ""

    @admin.display(description=_("when it goes, and why it waits"))
    def waits_for(self, message: Message) -> str:
        expected = forecast(message)
        if expected is None:
            return ""
        at = expected.at.strftime("%Y-%m-%d %H:%M:%S UTC ") if expected.at else ""
        return f"{at}{expected.words}"


def _who(request: HttpRequest) -> User:
    return cast(User, request.user)


@admin.register(Attachment)
class AttachmentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("message", "position", "url", "provider_media_id", "attempts", "upload_at")
    list_select_related = ("message",)
    search_fields = ("=message__public_id", "=provider_media_id")
    show_full_result_count = False
