"""Conversations, messages and their media. What was said is a ledger: staff read it here, verbs write it."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.translation import gettext_lazy as _

from crm.admin.tables import FOUND_MAX, Long, OneByOne, ReadOnly, as_uuid, in_words, of_fans_found, who, with_part
from crm.admin.writing import WritesToOne
from crm.clock import database_now
from crm.forecast import forecast
from crm.models import Attachment, Conversation, Creator, Fan, Message, State
from crm.wording import amount


class AttachmentInline(ReadOnly, admin.TabularInline):
    model = Attachment
    fields = ("position", "url", "provider_media_id", "attempts", "upload_at")


class StateFilter(admin.SimpleListFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(State.choices)

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Conversation]") -> "QuerySet[Conversation]":
        chosen = self.value()
        if chosen is None or chosen not in State.values:
            return queryset
        return queryset & Conversation.objects.in_state(State(chosen), database_now())


@admin.register(Conversation)
class ConversationAdmin(OneByOne[Conversation], WritesToOne, ReadOnly, Long):
    list_display = ("fan", "creator", "last_text", "last_direction", "unread_count", "last_message_at", "state")
    list_filter = ("creator", StateFilter)
    list_select_related = ("fan", "creator")
    search_fields = ("fan",)
    actions = ("close", "reopen")
    search_help_text = with_part(
        _("By the fan: the beginnings of words of the name or handle, the platform id, or an id of ours.")
    )

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """Those of one creator as the inbox has them; there is no such index across all of them."""
        of_one = "creator__id__exact" in request.GET
        return ("-last_message_at", "-id") if of_one else self.ordering

    def found(self, rows: "QuerySet[Conversation]", words: str) -> "QuerySet[Conversation]":
        of_fans = Q(fan__in=of_fans_found(words))
        public_id = as_uuid(words)
        return rows.filter(of_fans | Q(public_id=public_id) if public_id else of_fans)

    def fan_of(self, row: Conversation) -> Fan:
        return row.fan

    def has_handle_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("crm.change_conversation")

    @admin.action(description=_("Close"), permissions=["handle"])
    def close(self, request: HttpRequest, conversations: QuerySet[Conversation]) -> None:
        self.one_by_one(request, conversations, lambda conversation: conversation.close(by=who(request)))

    @admin.action(description=_("Take back into the list"), permissions=["handle"])
    def reopen(self, request: HttpRequest, conversations: QuerySet[Conversation]) -> None:
        self.one_by_one(request, conversations, lambda conversation: conversation.reopen(by=who(request)))

    @admin.display(description=_("state"))
    def state(self, conversation: Conversation) -> str:
        return str(conversation.state(timezone.now()).label)


@admin.register(Message)
class MessageAdmin(OneByOne[Message], ReadOnly, Long):
    list_display = (
        "created_at",
        "creator",
        "fan",
        "direction",
        "status",
        "priority",
        "price",
        in_words("cause"),
        "sent_at",
    )
    list_filter = ("status", "direction", "creator")
    list_select_related = ("creator", "conversation__fan")
    search_fields = ("conversation",)
    search_help_text = with_part(
        _("An id of ours or the platform's, or the fan: the beginnings of words of the name or handle.")
    )
    inlines = (AttachmentInline,)
    exclude = ("cause",)
    readonly_fields = (in_words("cause"), "waits_for")
    actions = ("send_again", "cancel", "it_was_sent", "it_was_not_sent")

    def found(self, rows: "QuerySet[Message]", words: str) -> "QuerySet[Message]":
        if public_id := as_uuid(words):
            return rows.filter(public_id=public_id)
        # Ids are unique within a creator, and so is their index.
        by_id = Message.objects.filter(creator__in=Creator.objects.values("pk")).of_platform_id(words)
        known = list(by_id.values_list("pk", flat=True)[:FOUND_MAX])
        return rows.filter(pk__in=known) if known else rows.filter(conversation__fan__in=of_fans_found(words))

    def has_settle_permission(self, request: HttpRequest) -> bool:
        """Nobody edits a message, yet whoever may change messages may settle them by the verbs."""
        return request.user.has_perm("crm.change_message")

    @admin.action(description=_("Send again what failed"), permissions=["settle"])
    def send_again(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self.one_by_one(request, messages, lambda message: message.retry(by=who(request)))

    @admin.action(description=_("Cancel what still waits"), permissions=["settle"])
    def cancel(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self.one_by_one(request, messages, lambda message: message.cancel(by=who(request)))

    @admin.action(description=_("Open outcome: it was sent"), permissions=["settle"])
    def it_was_sent(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self.one_by_one(request, messages, lambda message: message.it_was_sent(by=who(request)))

    @admin.action(description=_("Open outcome: it was not sent, send it again"), permissions=["settle"])
    def it_was_not_sent(self, request: HttpRequest, messages: QuerySet[Message]) -> None:
        self.one_by_one(request, messages, lambda message: message.retry(by=who(request), not_sent=True))

    @admin.display(description=_("fan"))
    def fan(self, message: Message) -> str:
        return message.conversation.fan.display_name

    @admin.display(description=_("price"))
    def price(self, message: Message) -> str:
        return amount(message.price_cents, "USD") if message.price_cents else ""

    @admin.display(description=_("when it goes, and why it waits"))
    def waits_for(self, message: Message) -> str:
        expected = forecast(message)
        if expected is None:
            return ""
        at = _("%(time)s UTC.") % {"time": formats.localize(expected.at)} if expected.at else ""
        return f"{at} {expected.words}".strip()


@admin.register(Attachment)
class AttachmentAdmin(ReadOnly, Long):
    list_display = ("message", "position", "url", "provider_media_id", "attempts", "upload_at")
    list_select_related = ("message",)
    search_fields = ("message",)
    search_help_text = _("An id of ours: the message's or the attachment's.")

    def found(self, rows: "QuerySet[Attachment]", words: str) -> "QuerySet[Attachment]":
        public_id = as_uuid(words)
        if public_id is None:
            return rows.none()
        return rows.filter(Q(public_id=public_id) | Q(message__in=Message.objects.filter(public_id=public_id)))
