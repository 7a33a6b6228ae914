"""Until when a conversation is out of the list."""

from datetime import datetime
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from crm import snoozing
from crm.models import User
from crm.models.conversations import ConversationQuerySet


class SnoozeForm(forms.Form):
    """``until`` names a choice, ``at`` is a moment in the current time zone, so the creator's must be active."""

    until = forms.ChoiceField(required=False, error_messages={"invalid_choice": _("It is too late for this choice.")})
    at = forms.DateTimeField(
        label=_("Date and time"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "required": True}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, data: QueryDict | None = None, *, now: datetime, zone: ZoneInfo) -> None:
        super().__init__(data, label_suffix="", auto_id="id_snooze_%s")
        self.later = list(snoozing.choices(now, zone))
        until = self.fields["until"]
        assert isinstance(until, forms.ChoiceField)
        until.choices = [(each.name, each.words) for each in self.later]

    def clean(self) -> None:
        if not self.errors and not self.cleaned_data["until"] and not self.cleaned_data["at"]:
            raise ValidationError({"at": _("Say until when.")})

    @property
    def moment(self) -> datetime:
        chosen = {each.name: each.until for each in self.later}
        moment: datetime = chosen.get(self.cleaned_data["until"]) or self.cleaned_data["at"]
        return moment

    def snooze(self, conversations: ConversationQuerySet, *, by: User) -> bool:
        """False when something must be changed first: the errors say what."""
        if not self.is_valid():
            return False
        try:
            self.snoozed = conversations.snooze(self.moment, by=by)
        except ValidationError as refusal:
            self.add_error("at", ValidationError(refusal.messages))
            return False
        return True
