"""What people type into pages. Limits come from the models; a form ends in the verb the API ends in."""

from crm.forms.chosen import ChosenFansForm
from crm.forms.fields import DollarsField, LinesField, TextField
from crm.forms.replies import DraftForm, ReplyForm
from crm.forms.snoozing import SnoozeForm

__all__ = ["ChosenFansForm", "DollarsField", "DraftForm", "LinesField", "ReplyForm", "SnoozeForm", "TextField"]
