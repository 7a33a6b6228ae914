"""What of a creator's figures is looked at: which days, cut how, of which kinds of payment."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from crm.models import Creator, Transaction
from crm.periods import DAYS_DEFAULT, Period, Unit

#: Up to so many days a chart begins with days, up to so many with weeks.
DAYS_UP_TO, WEEKS_UP_TO = 62, 366
#: Ranges that end today, each in days.
RANGES = {7: _("7 days"), DAYS_DEFAULT: _("30 days"), 90: _("90 days"), 365: _("12 months")}
UNITS = {Unit.DAY: _("Days"), Unit.WEEK: _("Weeks"), Unit.MONTH: _("Months")}
Kind = Transaction.Kind


def _day(name: Any) -> forms.DateField:
    return forms.DateField(
        label=name, required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )


class PeriodForm(forms.Form):
    """A query string: ``from`` and ``to`` as in the API, ``unit``, and any number of ``kind``."""

    unit = forms.ChoiceField(label=_("By"), required=False, choices=[("", _("What suits")), *UNITS.items()])
    kind = forms.MultipleChoiceField(
        label=_("Kinds of payment"), required=False, choices=Kind.choices, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, creator: Creator, data: QueryDict, *, now: datetime) -> None:
        usual = Period.chosen(creator.zone, None, None, now=now)
        if not (data.get("from") or data.get("to")):
            data = data.copy()
            data["from"], data["to"] = usual.first.isoformat(), usual.last.isoformat()
        super().__init__(data, label_suffix="")
        self.creator, self.now, self.period = creator, now, usual
        # "from" is a word of Python's.
        self.fields = {"from": _day(_("From")), "to": _day(_("To")), **self.fields}

    def clean(self) -> dict[str, Any]:
        typed: dict[str, Any] = super().clean() or {}
        if self.errors:
            return typed
        try:
            chosen = Period.chosen(self.creator.zone, typed.get("from"), typed.get("to"), now=self.now)
            self.unit_chosen(chosen, typed)
            self.period = chosen
        except ValidationError as error:
            self.add_error(None, ValidationError(error.messages))
        return typed

    def unit_chosen(self, period: Period, typed: dict[str, Any]) -> Unit:
        """The one that was asked for, or the one that suits. Raises ValidationError when it makes too many bars."""
        days = (period.last - period.first).days + 1
        fitting = Unit.DAY if days <= DAYS_UP_TO else Unit.WEEK if days <= WEEKS_UP_TO else Unit.MONTH
        unit = Unit(typed.get("unit") or fitting)
        period.buckets(unit)
        return unit

    @property
    def unit_shown(self) -> Unit:
        typed = self.cleaned_data if self.is_valid() else {}
        return self.unit_chosen(self.period, typed)

    @property
    def kinds(self) -> list[str]:
        return self.cleaned_data["kind"] if self.is_valid() else []

    @property
    def ranges(self) -> list[tuple[str, date, bool]]:
        """Ready ranges that end today: their name, their first day, and whether it is the present one."""
        today = self.now.astimezone(self.creator.zone).date()
        found = []
        for days, name in RANGES.items():
            first = today - timedelta(days=days - 1)
            found.append((str(name), first, (self.period.first, self.period.last) == (first, today)))
        return found
