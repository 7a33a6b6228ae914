"""The filters above the list of fans, as a query string."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from crm.conditions import CENTS_MAX, CONDITIONS
from crm.forms.fields import MoneyField
from crm.models import Creator, Subscription
from crm.searching import QUERY_MAX
from crm.segments import READY_MADE, Rule
from crm.wording import condition_in_words

#: What stands before the key of a ready-made segment where the id of a saved one could stand.
READY = "ready:"
ANY = ("", _("Any"))
SEEN = (
    ANY,
    ("seenWithinDays.1", _("In the last 24 hours")),
    ("seenWithinDays.7", _("In the last 7 days")),
    ("seenWithinDays.30", _("In the last 30 days")),
    ("silentForDays.7", _("Not for 7 days")),
    ("silentForDays.30", _("Not for 30 days")),
    ("silentForDays.90", _("Not for 90 days")),
)
#: Which field's value shows a condition, where the names differ.
SHOWN_BY = {"valueMin": "spentMin", "valueMax": "spentMax", "seenWithinDays": "seen", "silentForDays": "seen"}


class FilterForm(forms.Form):
    """What a list of fans is narrowed to.

    Other pages link here with conditions by the names that they have in the API; those without a field of their own
    hold, too. ``rule`` is all of it in the words of ``crm/segments.py``.
    """

    def __init__(self, data: QueryDict, *, creator: Creator) -> None:
        super().__init__(data, label_suffix="")
        self.asked, self.creator = data, creator
        self.segments = {str(segment.public_id): segment for segment in creator.segments.all()}
        self.ready_made = {f"{READY}{each.key}": each for each in READY_MADE}
        tags = [(tag.name, tag.name) for tag in creator.tags.all()]
        unread = (ANY, ("true", _("Unread")), ("false", _("Nothing unread")))
        bought = (ANY, ("true", _("Never bought")), ("false", _("Has bought")))
        subscription = (ANY, *((value or "unknown", words) for value, words in Subscription.choices))
        choices: dict[str, tuple[Any, Any]] = {
            "tag": (_("Tag"), [ANY, *tags]),
            "subscription": (_("Subscription"), subscription),
            "seen": (_("Last seen"), SEEN),
            "neverBought": (_("Purchases"), bought),
            "unread": (_("Messages"), unread),
        }
        self.fields["search"] = forms.CharField(
            label=_("Name, handle or id"),
            required=False,
            max_length=QUERY_MAX,
            widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name, handle or id")}),
        )
        self.fields["segment"] = forms.ChoiceField(
            label=_("Segment"),
            required=False,
            choices=[
                ("", _("Everybody")),
                (_("Saved"), [(key, segment.name) for key, segment in self.segments.items()]),
                (_("Ready-made"), [(key, each.name) for key, each in self.ready_made.items()]),
            ],
        )
        for name, (label, options) in choices.items():
            self.fields[name] = forms.ChoiceField(label=label, choices=options, required=False)
        for name, label in (("spentMin", _("Spent at least")), ("spentMax", _("Spent at most"))):
            self.fields[name] = MoneyField(label=label, required=False, currency=creator.currency)

    def clean(self) -> dict[str, Any]:
        """The conditions by their names in the API, each checked."""
        typed = super().clean() or {}
        self.conditions: dict[str, Any] = dict(self._own(typed))
        self.others = [name for name in CONDITIONS if name in self.data and name not in self.fields]
        self.conditions |= {name: self.data[name] for name in self.others}
        for name, raw in self.conditions.items():
            try:
                CONDITIONS[name].kind.read(raw)
            except ValidationError as error:
                field = SHOWN_BY.get(name, name)
                if field in self.fields:
                    self.add_error(field, error)
                else:
                    self.add_error(None, [f"{CONDITIONS[name].words}: {words}" for words in error.messages])
        return typed

    def _own(self, typed: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name in ("search", "tag", "subscription", "neverBought", "unread"):
            if value := typed.get(name):
                yield name, value
        for name, condition in (("spentMin", "valueMin"), ("spentMax", "valueMax")):
            if typed.get(name) is not None:
                yield condition, min(typed[name], CENTS_MAX + 1)
        if seen := typed.get("seen"):
            condition, _dot, days = seen.partition(".")
            yield condition, days

    @property
    def shows_more(self) -> bool:
        """A filter is in force that is not in the first row."""
        first = ("search", "segment", "tag")
        return any(self.data.get(name) for name in self.fields if name not in first)

    @property
    def rule(self) -> Rule:
        """What all of it means; a filter that cannot be read chooses nobody."""
        if not self.is_valid():
            return {"any": [{"reachable": True, "blocked": True}]}
        chosen = self.cleaned_data["segment"]
        if not chosen:
            return self.conditions
        rule: Rule = (self.segments.get(chosen) or self.ready_made[chosen]).rule
        return {"all": [self.conditions, rule]} if self.conditions else rule

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Conditions without a field, which a form that is sent again must keep."""
        return [(name, self.data[name]) for name in self.others] if self.is_valid() else []

    @property
    def chips(self) -> list[tuple[str, str]]:
        """Each condition in words, and the query string of the list without it."""
        if not self.is_valid():
            return []
        found = []
        for name, raw in self.conditions.items():
            found.append((condition_in_words(name, raw, creator=self.creator), self._without(name)))
        if chosen := self.cleaned_data["segment"]:
            named = self.segments.get(chosen) or self.ready_made[chosen]
            found.append((str(named.name), self._without("segment")))
        return found

    @property
    def query(self) -> str:
        """The filter alone as a query string, in the API's names."""
        said = {name: str(raw) for name, raw in self.conditions.items()}
        chosen = self.cleaned_data["segment"]
        return urlencode(said | ({"segment": chosen} if chosen else {}))

    @property
    def is_plain(self) -> bool:
        """A segment or conditions, not both: then an address can say to a campaign whom it is for."""
        return not (self.conditions and self.cleaned_data["segment"])

    def _without(self, condition: str) -> str:
        query = self.asked.copy()
        for name in (condition, SHOWN_BY.get(condition, ""), "cursor", "total"):
            query.pop(name, None)
        return f"?{query.urlencode()}"


def ids_in(texts: list[str]) -> list[UUID]:
    """Those of ``texts`` that are ids; what is not chooses nobody."""
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return found
