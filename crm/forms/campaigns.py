"""A campaign as a person writes it: whom it is for, who is left out, what it says, when it goes."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm import audiences, campaigning, segments
from crm.audiences import CAMPAIGNS_MAX, DAYS_MAX, HOURS_MAX, Audience
from crm.conditions import CONDITIONS, Assignee, Choice, Condition, Flag, Moment, Number
from crm.forms.fields import DollarsField, LinesField, MoneyField, TextField
from crm.forms.filters import READY
from crm.models import Campaign, Creator, Message, Segment, Tag, User

SEGMENT, FILTER, FANS, KEPT = "segment", "filter", "fans", "kept"
#: A longer list of fans is kept as it is; nobody edits it by hand.
FANS_SHOWN_MAX = 1000
#: The conditions that are always in sight; the others open on demand.
USUAL = ("search", "tag", "subscription", "valueMin", "seenWithinDays", "silentForDays")
#: Conditions in cents, which people write as money.
MONEY = {"valueMin": _("Spent at least"), "valueMax": _("Spent at most")}


def _condition_field(name: str, condition: Condition, tags: Sequence[Tag], currency: str) -> forms.Field:
    """How a person says the condition; what is typed stays text, which the condition reads."""
    words, kind = condition.words, condition.kind
    if name in MONEY:
        return MoneyField(label=MONEY[name], required=False, currency=currency)
    if isinstance(kind, Number):
        return forms.IntegerField(label=words, required=False, min_value=kind.lowest, max_value=kind.highest)
    if isinstance(kind, Flag):
        answers = [("", _("Does not matter")), ("true", _("Yes")), ("false", _("No"))]
        return forms.ChoiceField(label=words, required=False, choices=answers)
    if isinstance(kind, Choice):
        known = [("", _("Does not matter")), *((value, _readable(value)) for value in kind.values)]
        return forms.ChoiceField(label=words, required=False, choices=known)
    if isinstance(kind, Moment):
        return forms.CharField(label=words, required=False, widget=forms.TextInput(attrs={"placeholder": "2026-01-31"}))
    if name == "tag":
        named = [("", _("Does not matter")), *((str(tag.public_id), tag.name) for tag in tags)]
        return forms.ChoiceField(label=words, required=False, choices=named)
    return forms.CharField(label=words, required=False)


def _readable(value: str) -> str:
    return value.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class Offers:
    """What of a creator's the form lets choose from."""

    segments: Sequence[Segment]
    tags: Sequence[Tag]

    @classmethod
    def of(cls, creator: Creator) -> "Offers":
        return cls(list(Segment.objects.filter(creator=creator)), list(creator.tags.order_by("name")))


class CampaignForm(forms.Form):
    """Ends in ``campaigning.draft`` and ``change``. A schedule is read in the current time zone: the creator's."""

    #: Where the verbs' words about a field are shown; all others stand above the form.
    SHOWN_AT = {
        "name": "name",
        "text": "text",
        "price_cents": "price",
        "media_urls": "media_urls",
        "quiet_from": "quiet_from",
        "quiet_until": "quiet_from",
        "scheduled_at": "scheduled_at",
        "pause_at_error_percent": "pause_at_error_percent",
        "audience": "source",
        "exclusions": "leave_out",
    }

    name = forms.CharField(label=_("Name"), max_length=Campaign.NAME_MAX, help_text=_("Fans do not see it."))
    source = forms.ChoiceField(label=_("Who gets it"), widget=forms.RadioSelect, initial=SEGMENT)
    segment = forms.ChoiceField(label=_("Segment"), required=False)
    fans = TextField(
        label=_("Fans"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("Handles, platform ids or our ids, separated by commas or lines."),
    )
    kept = forms.JSONField(required=False, widget=forms.HiddenInput)

    leave_out = forms.MultipleChoiceField(
        label=_("Leave out who is in"), required=False, widget=forms.CheckboxSelectMultiple
    )
    leave_out_hours = forms.IntegerField(
        label=_("Leave out who was written to in the last hours"), required=False, min_value=1, max_value=HOURS_MAX
    )
    leave_out_bought = forms.BooleanField(label=_("Leave out who has bought this media already"), required=False)
    cap_campaigns = forms.IntegerField(
        label=_("Leave out who got so many campaigns"), required=False, min_value=1, max_value=CAMPAIGNS_MAX
    )
    cap_days = forms.IntegerField(label=_("in so many days"), required=False, min_value=1, max_value=DAYS_MAX)

    text = TextField(
        label=_("Message"),
        max_length=Message.TEXT_MAX,
        strip=False,
        error_messages={"required": _("Write something: the message is empty.")},
        widget=forms.Textarea(attrs={"rows": 6, "data-limit": Message.TEXT_MAX}),
    )
    price = DollarsField(
        label=_("Price in dollars"),
        required=False,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        help_text=_("Empty is free. A paid message needs at least one piece of media."),
    )
    media_urls = LinesField(
        label=_("Media addresses, one a line"), required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    scheduled_at = forms.DateTimeField(
        label=_("Send at"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )
    quiet_from = forms.TimeField(
        label=_("Quiet from"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    quiet_until = forms.TimeField(
        label=_("Quiet until"), required=False, widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    )
    pause_at_error_percent = forms.IntegerField(
        label=_("Pause when more than this share fails (percent)"),
        initial=Campaign._meta.get_field("pause_at_error_percent").get_default(),
        min_value=1,
        max_value=100,
    )

    def __init__(
        self,
        creator: Creator,
        data: QueryDict | None = None,
        *,
        initial: Mapping[str, Any] | None = None,
        offers: Offers | None = None,
    ) -> None:
        super().__init__(data, initial=dict(initial or {}), label_suffix="")
        self.creator = creator
        self.offers = offers or Offers.of(creator)
        # With it the browser would cut a long paste without a word; the page counts, the server refuses.
        del self.fields["text"].widget.attrs["maxlength"]
        saved = [(str(segment.public_id), segment.name) for segment in self.offers.segments]
        ready = [(f"{READY}{each.key}", each.name) for each in segments.READY_MADE]
        # Nobody is written to because their segment happens to be the first.
        nobody = ("", _("Choose a segment"))
        self._choices("segment", [nobody, *([(_("Yours"), saved), (_("Ready made"), ready)] if saved else ready)])
        self._choices("leave_out", saved)
        sources = [(SEGMENT, _("A segment")), (FILTER, _("Fans for whom conditions hold")), (FANS, _("These fans"))]
        kept = self.data.get("kept") if self.is_bound else self.initial.get("kept")
        self._choices("source", [(KEPT, _("The audience it has")), *sources] if kept else sources)
        by_name = {tag.name.casefold(): str(tag.public_id) for tag in self.offers.tags}
        if asked := self.initial.get("tag"):
            self.initial["tag"] = by_name.get(asked.casefold(), asked)
        self.fields |= {
            name: _condition_field(name, condition, self.offers.tags, creator.currency)
            for name, condition in CONDITIONS.items()
            if not isinstance(condition.kind, Assignee)
        }

    def _choices(self, name: str, choices: Sequence[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices

    def usual_conditions(self) -> Iterator[forms.BoundField]:
        return (self[name] for name in USUAL)

    def other_conditions(self) -> list[forms.BoundField]:
        return [self[name] for name in CONDITIONS if name in self.fields and name not in USUAL]

    @property
    def some_other_condition(self) -> bool:
        return any(field.value() not in (None, "") for field in self.other_conditions())

    @property
    def leaves_out(self) -> bool:
        names = ("leave_out", "leave_out_hours", "leave_out_bought", "cap_campaigns", "cap_days")
        return any(self[name].value() for name in names)

    # --- From what is stored, or stands in an address

    @classmethod
    def of(cls, campaign: Campaign, data: QueryDict | None = None) -> "CampaignForm":
        """The form of a campaign that was written already."""
        names = ("name", "text", "scheduled_at", "quiet_from", "quiet_until", "pause_at_error_percent")
        said = {name: getattr(campaign, name) for name in names}
        cents, excluded = campaign.price_cents, campaign.exclusions
        cap = excluded.get("frequencyCap") or {}
        said |= {
            "price": f"{cents / 100:.2f}" if cents else "",
            "media_urls": "\n".join(campaign.media_urls),
            "leave_out": excluded.get("segments", []),
            "leave_out_hours": excluded.get("messagedWithinHours"),
            "leave_out_bought": excluded.get("alreadyBought", False),
            "cap_campaigns": cap.get("campaigns"),
            "cap_days": cap.get("days"),
        }
        return cls(campaign.creator, data, initial=said | _said_of_audience(campaign.audience))

    @classmethod
    def asked(cls, creator: Creator, query: QueryDict) -> "CampaignForm":
        """A new one for the fans of an address: ``?segment=``, ``?fans=<id>,<id>``, or the conditions of ``/fans``."""
        conditions = {name: _as_typed(name, query[name]) for name in CONDITIONS if query.get(name)}
        if query.get("fans"):
            said: dict[str, Any] = {"source": FANS, "fans": "\n".join(str(query["fans"]).split(","))}
        elif query.get("segment"):
            said = {"source": SEGMENT, "segment": query["segment"]}
        else:
            said = {"source": FILTER, **conditions} if conditions else {}
        return cls(creator, initial={"quiet_from": creator.quiet_from, "quiet_until": creator.quiet_until} | said)

    def as_sent(self) -> "CampaignForm":
        """The form as if it had been sent as it is."""
        data = QueryDict(mutable=True)
        for name in self.fields:
            value = self[name].value()
            if isinstance(value, list):
                data.setlist(name, value)
            elif value not in (None, "", False):
                data[name] = str(value)
        return CampaignForm(self.creator, data, offers=self.offers)

    # --- Into what the ledger understands

    def clean_scheduled_at(self) -> datetime | None:
        chosen: datetime | None = self.cleaned_data["scheduled_at"]
        if chosen and chosen < timezone.now() - timedelta(minutes=1):
            raise ValidationError(_("This time has passed. Choose a later one, or leave it empty to send at once."))
        return chosen

    def clean(self) -> dict[str, Any]:
        typed: dict[str, Any] = self.cleaned_data
        if (typed.get("cap_campaigns") is None) != (typed.get("cap_days") is None):
            self.add_error("cap_campaigns", _text("Say how many campaigns in how many days, or neither."))
        return typed

    def audience(self) -> dict[str, Any]:
        """The document of ``crm/audiences.py``. Raises ValidationError by field."""
        typed, source = self.cleaned_data, self.cleaned_data.get("source")
        if source == SEGMENT:
            if not typed.get("segment"):
                raise ValidationError({"segment": [_text("Choose a segment, or say otherwise who gets it.")]})
            return _segment(typed["segment"])
        if source == FILTER:
            return {"rule": _rule(typed)}
        if source == KEPT:
            return typed.get("kept") or {}
        found, missing = audiences.named(self.creator, typed.get("fans", "").replace(",", "\n").splitlines())
        if missing:
            words = _text("No fans of this creator: %(ids)s") % {"ids": ", ".join(missing[: audiences.NAMED_MAX])}
            raise ValidationError({"fans": [words]})
        return {"fans": [str(fan.public_id) for fan in found]}

    def exclusions(self) -> dict[str, Any]:
        typed = self.cleaned_data
        said = {
            "segments": typed.get("leave_out"),
            "messagedWithinHours": typed.get("leave_out_hours"),
            "alreadyBought": typed.get("leave_out_bought"),
        }
        if typed.get("cap_campaigns") and typed.get("cap_days"):
            said["frequencyCap"] = {"campaigns": typed["cap_campaigns"], "days": typed["cap_days"]}
        return {name: value for name, value in said.items() if value}

    def chosen_audience(self) -> Audience | None:
        """Whom it would go to, as far as the form says by now; None, with the errors, when it does not say."""
        self.is_valid()
        try:
            return audiences.read(
                self.creator,
                self.audience(),
                self.exclusions(),
                media_urls=self.cleaned_data.get("media_urls", ()),
            )
        except ValidationError as refusal:
            self._refused(refusal)
            return None

    def save(self, campaign: Campaign | None, *, author: User) -> Campaign | None:
        """The campaign as it is written now; None when something must be changed first: the errors say what."""
        if not self.is_valid():
            return None
        typed = self.cleaned_data
        names = ("name", "text", "media_urls", "scheduled_at", "quiet_from", "quiet_until", "pause_at_error_percent")
        try:
            written = {name: typed[name] for name in names} | {
                "price_cents": typed["price"],
                "audience": self.audience(),
                "exclusions": self.exclusions(),
            }
            if campaign is None:
                return campaigning.draft(self.creator, author=author, **written)
            return campaigning.change(campaign, **written)
        except ValidationError as refusal:
            self._refused(refusal)
            return None

    def _refused(self, refusal: ValidationError) -> None:
        for path, errors in refusal.error_dict.items():
            # A rule is refused by the path of its condition, such as audience.rule.valueMin.
            name, condition = path.partition(".")[0], path.rpartition(".")[2]
            at = condition if condition in self.fields else self.SHOWN_AT.get(name)
            self.add_error(at, ValidationError(errors))


def _said_of_audience(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the form shows of a stored audience; what it has no fields for is kept as it is."""
    if "segment" in document:
        return {"source": SEGMENT, "segment": document["segment"]}
    rule = document.get("rule")
    if rule is not None and set(rule) <= set(CONDITIONS) - {"assigned"}:
        return {"source": FILTER, **{name: _as_typed(name, value) for name, value in rule.items()}}
    if 0 < len(document.get("fans", ())) <= FANS_SHOWN_MAX:
        return {"source": FANS, "fans": "\n".join(document["fans"])}
    return {"source": KEPT, "kept": dict(document)} if document else {}


def _as_typed(name: str, value: object) -> object:
    """A condition's value as its field takes it."""
    if name in MONEY and str(value).isdecimal():
        return int(str(value))
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _segment(chosen: str) -> dict[str, Any]:
    if not chosen.startswith(READY):
        return {"segment": chosen}
    return {"rule": next(each.rule for each in segments.READY_MADE if each.key == chosen.removeprefix(READY))}


def _rule(typed: Mapping[str, Any]) -> dict[str, Any]:
    return {name: typed[name] for name in CONDITIONS if typed.get(name) not in (None, "")}
