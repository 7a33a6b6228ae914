"""What people change about themselves, their creators, their texts and their programs."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib.auth.forms import PasswordChangeForm, SetPasswordForm
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm import personalising, teaming
from crm.forms.fields import TextField
from crm.models import ApiKey, Creator, Membership, Message, Snippet, User
from crm.models.creators import timezones
from crm.models.lines import REASON_MAX

#: How long a key may be good, in days; the last one is the most there is.
KEY_DAYS = (30, 90, 180, ApiKey.GOOD_FOR_MAX.days)


class ProfileForm(forms.ModelForm):
    """How the user is called, and how the inbox works for them."""

    class Meta:
        model = User
        fields = ("first_name", "last_name", "email", "undo_seconds", "uses_shortcuts")
        labels = {
            "undo_seconds": _("Take back what was sent"),
            "uses_shortcuts": _("Single keys act in the inbox"),
        }
        help_texts = {"uses_shortcuts": ""}

    def __init__(self, data: QueryDict | None, *, user: User) -> None:
        super().__init__(data, instance=user, label_suffix="")


#: Django's own words are a list, which stands badly below a field.
PASSWORD_RULES = _("At least 8 characters. Nothing common, not your name, not only digits.")


class NewPasswordForm(PasswordChangeForm):
    """Another password, for who knows the present one."""

    def __init__(self, user: User, data: QueryDict | None) -> None:
        super().__init__(user, data)
        self.label_suffix = ""
        del self.fields["old_password"].widget.attrs["autofocus"]
        self.fields["new_password1"].help_text = PASSWORD_RULES


class FirstPasswordForm(SetPasswordForm):
    """The first password, for who has a link."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options | {"label_suffix": ""})
        self.fields["new_password1"].help_text = PASSWORD_RULES


class CreatorForm(forms.ModelForm):
    """A creator's name, clock, pace and quiet hours."""

    class Meta:
        model = Creator
        fields = ("name", "timezone", "pace", "quiet_from", "quiet_until")
        labels = {"timezone": _("Time zone"), "quiet_from": _("Quiet from"), "quiet_until": _("Quiet until")}
        widgets = dict.fromkeys(("quiet_from", "quiet_until"), forms.TimeInput(attrs={"type": "time"}, format="%H:%M"))

    timezone = forms.ChoiceField(
        label=_("Time zone"),
        choices=lambda: [(name, name) for name in timezones()],
        help_text=_("Schedules, quiet hours and figures are by this clock."),
    )

    def __init__(self, data: QueryDict | None, *, creator: Creator) -> None:
        # A copy: what is only being tried out changes nothing that the page says of the creator.
        super().__init__(data, instance=Creator.objects.get(pk=creator.pk), label_suffix="")


class PauseForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=REASON_MAX, help_text=_("Shown above the inbox."))

    def __init__(self, data: QueryDict | None = None) -> None:
        super().__init__(data, label_suffix="")


class SnippetForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=Snippet.NAME_MAX)
    text = TextField(
        label=_("Text"),
        max_length=Message.TEXT_MAX,
        strip=False,
        error_messages={"required": _("Write something: the snippet is empty.")},
        widget=forms.Textarea(attrs={"rows": 6}),
    )

    def __init__(self, data: QueryDict | None, *, snippet: Snippet) -> None:
        super().__init__(data, label_suffix="", initial={"name": snippet.name, "text": snippet.text})
        self.snippet = snippet
        del self.fields["text"].widget.attrs["maxlength"]

    def clean(self) -> None:
        super().clean()
        personalising.check(self.cleaned_data.get("text", ""))

    def save(self) -> bool:
        """False when something must be changed first: the errors say what."""
        if not self.is_valid():
            return False
        try:
            personalising.write_snippet(self.snippet, **self.cleaned_data)
        except ValidationError as refusal:
            self.add_error(None, refusal)
            return False
        return True


class InviteForm(forms.Form):
    username = forms.CharField(label=_("Username"), max_length=150, help_text=_("With it they sign in."))
    role = forms.ChoiceField(label=_("Role"))

    def __init__(self, data: QueryDict | None, *, roles: Sequence[Membership.Role]) -> None:
        super().__init__(data, label_suffix="", initial={"role": Membership.Role.CHATTER})
        cast(forms.ChoiceField, self.fields["role"]).choices = [(role, role.label) for role in reversed(roles)]
        self.fields["username"].widget.attrs |= {"autocomplete": "off", "autocapitalize": "none"}

    def invite(self, creator: Creator, *, by: User) -> Membership | None:
        """None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        try:
            return teaming.invite(creator, by=by, **self.cleaned_data)
        except ValidationError as refusal:
            self.add_error(None, refusal)
            return None


class KeyForm(forms.Form):
    """A key is its user, narrowed."""

    name = forms.CharField(label=_("Name"), max_length=ApiKey.NAME_MAX, help_text=_("Which program has it."))
    scopes = forms.MultipleChoiceField(
        label=_("It may"),
        choices=ApiKey.Scope.choices,
        widget=forms.CheckboxSelectMultiple,
        initial=[ApiKey.Scope.READ],
    )
    creator = forms.ModelChoiceField(
        Creator.objects.none(),
        label=_("For"),
        required=False,
        to_field_name="public_id",
        empty_label=_("All my creators"),
    )
    days = forms.TypedChoiceField(
        label=_("Good for"),
        coerce=int,
        initial=ApiKey.GOOD_FOR.days,
        choices=[(days, _("%(days)d days") % {"days": days}) for days in KEY_DAYS],
    )

    def __init__(self, data: QueryDict | None, *, user: User) -> None:
        super().__init__(data, label_suffix="")
        self.user = user
        cast(forms.ModelChoiceField, self.fields["creator"]).queryset = Creator.objects.for_user(user)

    def issue(self) -> tuple[ApiKey, str] | None:
        """The key and its secret; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        typed: dict[str, Any] = dict(self.cleaned_data)
        # A moment less: the ledger's clock may be behind this one.
        expires_at = timezone.now() + timedelta(days=typed.pop("days")) - timedelta(minutes=1)
        try:
            return ApiKey.issue(self.user, expires_at=expires_at, **typed)
        except ValidationError as refusal:
            self.add_error(None, refusal)
            return None
