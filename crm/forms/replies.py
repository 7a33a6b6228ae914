"""The composer of the inbox."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm import composing
from crm.forms.fields import DollarsField, LinesField, TextField
from crm.models import AnsweredMeanwhile, Conversation, Draft, Message, User

#: What of the form a draft keeps, as it was typed.
DRAFTED = ("text", "price", "media_urls", "send_at", "priority", "client_key")


class ReplyForm(forms.Form):
    """The composer. A schedule is read in the current time zone, so the creator's must be active."""

    #: Where the verb's words about a field are shown; all others stand above the form.
    SHOWN_AT = {"text": "text", "price_cents": "price", "media_urls": "media_urls", "send_at": "send_at"}

    client_key = forms.UUIDField(required=False, initial=uuid4, widget=forms.HiddenInput)
    text = TextField(
        label=_("Message"),
        max_length=Message.TEXT_MAX,
        strip=False,
        error_messages={"required": _("Write something: the message is empty.")},
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": _("Write a message…"), "data-limit": Message.TEXT_MAX}),
    )
    price = DollarsField(
        label=_("Price in dollars"), required=False, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )
    media_urls = LinesField(
        label=_("Media addresses, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )
    send_at = forms.DateTimeField(
        label=_("Send at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    priority = forms.TypedChoiceField(
        label=_("Its turn"),
        required=False,
        choices=[
            (10, _("Before all that waits")),
            (5, _("In turn, before campaigns")),
            (1, _("When nothing else waits")),
        ],
        coerce=int,
        empty_value=None,
        initial=Message.PRIORITY_MAX,
    )
    #: The newest message on the page; empty where there was none, absent from a page that does not know.
    seen = forms.CharField(required=False, widget=forms.HiddenInput)
    anyway = forms.BooleanField(required=False, widget=forms.HiddenInput)

    #: Why it was not sent, when somebody else has answered since the page was made.
    answered: AnsweredMeanwhile | None = None

    def __init__(self, data: QueryDict | None = None, initial: dict[str, Any] | None = None) -> None:
        super().__init__(data, label_suffix="", initial=initial)
        # With it the browser would cut a long paste without a word; the page counts, the server refuses.
        del self.fields["text"].widget.attrs["maxlength"]

    @classmethod
    def of(cls, draft: Draft | None) -> "ReplyForm":
        """The composer with what was begun, or an empty one."""
        return cls(initial={name: getattr(draft, name) for name in DRAFTED} if draft else None)

    def clean_send_at(self) -> datetime | None:
        chosen: datetime | None = self.cleaned_data["send_at"]
        if chosen and chosen < timezone.now() - timedelta(minutes=1):
            raise ValidationError(_("This time has passed. Choose a later one, or leave it empty to send now."))
        return chosen

    def send(self, conversation: Conversation, *, author: User) -> Message | None:
        """The message as it waits now; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        typed = self.cleaned_data
        try:
            message = composing.reply(
                conversation,
                author=author,
                text=typed["text"],
                price_cents=typed["price"],
                media_urls=typed["media_urls"],
                send_at=typed["send_at"],
                priority=typed["priority"] or Message.PRIORITY_MAX,
                client_key=typed["client_key"],
                seen=self._seen(conversation),
            )
        except AnsweredMeanwhile as error:
            self.answered = error
            return None
        except ValidationError as refusal:
            for name, errors in refusal.error_dict.items():
                self.add_error(self.SHOWN_AT.get(name), ValidationError(errors))
            return None
        if not self._says_the_same(message):
            self._offer_as_a_new_one()
            return None
        return message

    def _seen(self, conversation: Conversation) -> int | None:
        """None: nothing is asked about what the writer has seen."""
        if self.cleaned_data["anyway"] or "seen" not in self.data:
            return None
        try:
            return conversation.key_of_seen(UUID(self.cleaned_data["seen"]))
        except ValueError:
            return 0

    def _says_the_same(self, message: Message) -> bool:
        """False for a form sent, changed (say after the back button) and sent again with the same key."""
        typed = self.cleaned_data
        return (
            message.text == typed["text"]
            and message.price_cents == typed["price"]
            and [attachment.url for attachment in message.attachments.all()] == typed["media_urls"]
            and typed["send_at"] in (None, message.send_at)
        )

    def _offer_as_a_new_one(self) -> None:
        self.data = dict(self.data.items(), client_key=str(uuid4()))
        self.add_error(
            None,
            _("An earlier version of this message is on its way already. Send again to send this one too."),
        )


class DraftForm(forms.ModelForm):
    """The composer as somebody leaves it: anything may be in it, as long as it can be kept."""

    text = TextField(required=False, max_length=Draft.TEXT_MAX, strip=False)
    media_urls = TextField(required=False, max_length=Draft.MEDIA_MAX, strip=False)
    client_key = forms.UUIDField(required=False)

    class Meta:
        model = Draft
        fields = DRAFTED

    def keep(self, conversation: Conversation, user: User) -> bool:
        """False for what cannot be kept."""
        if not self.is_valid():
            return False
        typed = {name: self.cleaned_data[name] for name in DRAFTED}
        typed["client_key"] = typed["client_key"] or uuid4()
        Draft.objects.keep(conversation, user, **typed)
        return True
