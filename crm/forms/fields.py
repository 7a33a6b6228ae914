"""Fields for what people write by hand, whatever form they stand in."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from crm.importing.money import decimals_of, money
from crm.importing.problems import BadCell


class TextField(forms.CharField):
    """Text whose line breaks count as one character, as they do on the page; browsers post them as two."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


class DollarsField(forms.CharField):
    """Dollars as people write them (12, $12.50, 12,50), as whole cents."""

    WRITTEN = re.compile(r"\$? ?(?P<amount>\d{1,6}(\.\d{1,2})?)", re.ASCII)

    def clean(self, value: Any) -> int:
        written = super().clean(value).replace(",", ".")
        if not written:
            return 0
        match = self.WRITTEN.fullmatch(written)
        if match is None:
            raise ValidationError(_("Write the price in dollars, such as 12 or 12.50."), code="invalid")
        return int(Decimal(match["amount"]) * 100)


class MoneyField(forms.CharField):
    """An amount of ``currency`` as people write it, as minor units; None when nothing is written."""

    widget = forms.TextInput(attrs={"inputmode": "decimal"})

    def __init__(self, *, currency: str = "USD", **options: Any) -> None:
        self.currency = currency
        super().__init__(max_length=30, **options)

    def clean(self, value: Any) -> int | None:
        written = super().clean(value)
        try:
            found = money(written, decimal=None, currency=self.currency) if written else None
        except BadCell:
            raise ValidationError(_("Write an amount, such as 12 or 12.50."), code="invalid") from None
        if found is not None and found < 0:
            raise ValidationError(_("It cannot be negative."), code="negative")
        return found

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.clean(data or "") != initial)
        except ValidationError:
            return True

    def prepare_value(self, value: Any) -> Any:
        return str(Decimal(value).scaleb(-decimals_of(self.currency))) if isinstance(value, int) else value


class LinesField(TextField):
    """One value a line; empty lines are nothing."""

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]
