"""Fields for what people write by hand, whatever form they stand in."""

import re
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _


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


class LinesField(TextField):
    """One value a line; empty lines are nothing."""

    def clean(self, value: Any) -> list[str]:
        return [line.strip() for line in super().clean(value).splitlines() if line.strip()]
