"""How the inbox behaves for one person."""

from django import forms
from django.utils.translation import gettext_lazy as _

from crm.models import User


class PreferencesForm(forms.ModelForm):
    class Meta:
        model = User
        fields = ("undo_seconds", "uses_shortcuts")
        labels = {"undo_seconds": _("What was sent can be taken back for"), "uses_shortcuts": _("Single keys act")}
        help_texts = {"undo_seconds": "", "uses_shortcuts": _("Ctrl and Enter, Escape and Ctrl K always work.")}
