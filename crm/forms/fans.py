"""A fan, and notes about one, as people write them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from crm.forms.fields import MoneyField, TextField
from crm.models import Creator, Fan, Note, Platform, Subscription, Tag, User

MOMENT = "%Y-%m-%dT%H:%M"


class TagsField(forms.CharField):
    """Names separated by commas."""

    def clean(self, value: Any) -> list[str]:
        return [name.strip() for name in super().clean(value).split(",") if name.strip()]


def _moment(label: Any) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=MOMENT)
    return forms.DateTimeField(label=label, required=False, widget=widget)


class _Verbal(forms.Form):
    """A form that ends in a verb of the ledger, whose refusals it shows at its fields."""

    #: Where the verb's words about a column are shown; all others stand above the form.
    SHOWN_AT: Mapping[str, str] = {}

    def __init__(self, data: QueryDict | None = None, *, initial: Mapping[str, Any] | None = None) -> None:
        super().__init__(data, initial=dict(initial or {}), label_suffix="")

    def refused(self, refusal: ValidationError) -> None:
        for column, errors in refusal.error_dict.items():
            field = self.SHOWN_AT.get(column, column)
            self.add_error(field if field in self.fields else None, errors)


class FanForm(_Verbal):
    """Adds a fan or changes one. Times are read in the current time zone, so the creator's must be active."""

    SHOWN_AT = {"value_cents": "value", "subscription_price_cents": "subscription_price"}

    platform = forms.ChoiceField(label=_("Platform"), choices=Platform.choices)
    platform_id = forms.CharField(
        label=_("Platform id"),
        required=False,
        max_length=64,
        help_text=_("Without it the fan cannot be written to: the platform knows people by id."),
    )
    handle = forms.CharField(label=_("Username"), required=False, max_length=121)
    name = forms.CharField(label=_("Display name"), required=False, max_length=200)
    email = forms.EmailField(label=_("E-mail"), required=False, max_length=254)
    value = MoneyField(
        label=_("Spent so far"),
        required=False,
        help_text=_("What you know from elsewhere, until now; payments after this are added. Empty: only payments."),
    )
    subscription = forms.ChoiceField(label=_("Subscription"), choices=Subscription.choices, required=False)
    subscription_price = MoneyField(label=_("Subscription price"), required=False)
    subscription_ends_at = _moment(_("Subscription ends"))
    joined_at = _moment(_("Joined"))
    last_seen_at = _moment(_("Last seen"))
    tags = TagsField(label=_("Tags"), required=False, help_text=_("Separated by commas."))
    is_priority = forms.BooleanField(label=_("Priority fan"), required=False)
    is_blocked = forms.BooleanField(label=_("Blocked: nothing is sent to them"), required=False)

    def __init__(self, creator: Creator, data: QueryDict | None = None, *, fan: Fan | None = None) -> None:
        super().__init__(data, initial=_said(fan) if fan else {"platform": creator.platform})
        self.creator, self.fan = creator, fan
        for name in ("value", "subscription_price"):
            field = self.fields[name]
            assert isinstance(field, MoneyField)
            field.currency = creator.currency
        if fan:
            # Which platform somebody is on does not change; it is part of who they are.
            del self.fields["platform"]

    def save(self) -> Fan | None:
        """The fan as written now; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        # What nobody touched is no news: writing it again would make it look newly known.
        changed = set(self.changed_data) if self.fan else set(self.fields)
        values = {self._column(name): value for name, value in self.cleaned_data.items() if name in changed}
        try:
            if self.fan is None:
                return Fan.objects.add(self.creator, **values)
            self.fan.change(**values)
        except ValidationError as refusal:
            self.refused(refusal)
            return None
        return self.fan

    def _column(self, field: str) -> str:
        return {field: column for column, field in self.SHOWN_AT.items()}.get(field, field)


class EraseForm(_Verbal):
    """Somebody types the fan's name to say that they mean it."""

    typed = forms.CharField(label=_("Type the name to erase this fan"), required=False)

    def __init__(self, fan: Fan, data: QueryDict | None = None) -> None:
        super().__init__(data)
        self.fan = fan
        self.fields["typed"].widget.attrs["autocomplete"] = "off"

    def clean_typed(self) -> str:
        typed: str = self.cleaned_data["typed"].strip()
        if typed.casefold() != self.fan.display_name.strip().casefold():
            raise ValidationError(_("This is not the name. Nothing was erased."))
        return typed


class NoteForm(_Verbal):
    """What the team should know."""

    text = TextField(
        label=_("Note"),
        max_length=Note.TEXT_MAX,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"required": _("Write something: the note is empty.")},
    )
    category = forms.ChoiceField(label=_("About"), choices=Note.Category.choices, initial=Note.Category.IMPORTANT)

    def __init__(self, data: QueryDict | None = None, *, note: Note | None = None) -> None:
        super().__init__(data, initial={"text": note.text, "category": note.category} if note else None)
        self.note = note

    def save(self, fan: Fan, *, author: User) -> bool:
        if not self.is_valid():
            return False
        try:
            if self.note:
                self.note.change(**self.cleaned_data)
            else:
                Note.objects.write(fan, author=author, **self.cleaned_data)
        except ValidationError as refusal:
            self.refused(refusal)
            return False
        return True


class WornTagsForm(_Verbal):
    """The tags of one fan."""

    tags = TagsField(label=_("Tags"), required=False, max_length=(Tag.NAME_MAX + 2) * Tag.PER_FAN_MAX)

    def __init__(self, fan: Fan, data: QueryDict | None = None) -> None:
        super().__init__(data, initial={"tags": _names(fan)})
        self.fan = fan

    def save(self) -> bool:
        if not self.is_valid():
            return False
        try:
            self.fan.change(tags=self.cleaned_data["tags"])
        except ValidationError as refusal:
            self.refused(refusal)
            return False
        return True


def _said(fan: Fan) -> dict[str, Any]:
    columns = ("platform_id", "handle", "name", "email", "subscription", "is_priority", "is_blocked")
    said = {name: getattr(fan, name) for name in columns}
    # The browser's field knows no seconds: they must not look like a change.
    moments = {name: getattr(fan, name) for name in ("subscription_ends_at", "joined_at", "last_seen_at")}
    said |= {name: at and at.replace(second=0, microsecond=0) for name, at in moments.items()}
    return said | {
        "value": fan.stated_value_cents,
        "subscription_price": fan.subscription_price_cents,
        "tags": _names(fan),
    }


def _names(fan: Fan) -> str:
    return ", ".join(tag.name for tag in fan.tags.all())
