"""One message to fans who were chosen in a list."""

from collections.abc import Sequence
from typing import cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext_lazy as _

from crm import campaigning
from crm.forms.fields import DollarsField, LinesField, TextField
from crm.limiting import BULK, TooOften, limited
from crm.models import Campaign, Creator, Fan, Message, User
from crm.numbers import grouped

NOW, DRAFT = "now", "draft"


class ChosenFansForm(forms.Form):
    """Send it to all of them or to none, or write it down as a campaign, which leaves out whom it must."""

    #: Where the verbs' words about a field are shown; all others stand above the form.
    SHOWN_AT = {"name": "name", "text": "text", "price_cents": "price", "media_urls": "media_urls"}

    way = forms.ChoiceField(
        label=_("How"),
        choices=[
            (NOW, _("Send it now, to all of them or to none")),
            (DRAFT, _("Write a campaign; nothing goes out before somebody launches it")),
        ],
        widget=forms.RadioSelect,
    )
    name = forms.CharField(label=_("Name"), max_length=Campaign.NAME_MAX, help_text=_("Your team sees it, no fan."))
    text = TextField(
        label=_("Message"),
        max_length=Message.TEXT_MAX,
        strip=False,
        help_text=_("{name|there}, {first_name|there} and {handle|there} are filled in for each fan."),
        error_messages={"required": _("Write something: the message is empty.")},
        widget=forms.Textarea(attrs={"rows": 5}),
    )
    price = DollarsField(
        label=_("Price in dollars"), required=False, widget=forms.TextInput(attrs={"inputmode": "decimal"})
    )
    media_urls = LinesField(
        label=_("Media addresses, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 2})
    )

    def __init__(self, data: QueryDict | None = None, *, number: int) -> None:
        initial = {"way": NOW if number <= campaigning.BULK_MAX else DRAFT}
        super().__init__(data, label_suffix="", initial=initial)
        self.number = number
        del self.fields["text"].widget.attrs["maxlength"]

    def clean_way(self) -> str:
        way: str = self.cleaned_data["way"]
        if way == NOW and self.number > campaigning.BULK_MAX:
            words = _("At most %(max)s fans at once, and these are %(number)s. Write a campaign.")
            raise ValidationError(words, params={"max": campaigning.BULK_MAX, "number": grouped(self.number)})
        return way

    def send(self, creator: Creator, fans: Sequence[Fan], *, request: HttpRequest) -> Campaign | None:
        """The campaign, launched or as a draft; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        written = {**self.cleaned_data, "price_cents": self.cleaned_data["price"]}
        way, _price = written.pop("way"), written.pop("price")
        author = cast(User, request.user)
        if way == NOW and (names := [fan.display_name for fan in fans if not fan.is_reachable or fan.is_blocked]):
            words = _("Blocked, or without a platform id yet: %(names)s. A campaign leaves them out.")
            self.add_error(None, ValidationError(words, params={"names": ", ".join(names)}))
            return None
        try:
            if way == NOW:
                with limited(request, BULK, creator=creator), transaction.atomic():
                    return campaigning.send_to(creator, fans, author=author, **written)
            audience = {"fans": [str(fan.public_id) for fan in fans]}
            return campaigning.draft(creator, author=author, audience=audience, **written)
        except TooOften as refusal:
            self.add_error(None, refusal)
            return None
        except ValidationError as refusal:
            for name, errors in refusal.error_dict.items():
                self.add_error(self.SHOWN_AT.get(name), ValidationError(errors))
            return None
