"""What a team names for itself: tags, segments, snippets. A name is there once per creator, whatever its case."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from crm.models.lines import Line


def check_named(row: Any) -> None:
    """Check every column of ``row``, that its name is free, and that its creator has not too many of its kind.

    Call it in the transaction that writes: it locks the creator's line. Raises ValidationError by column.
    """
    Line.objects.stamp(row.creator_id)
    row.name = row.name.strip()
    row.full_clean(exclude=["creator"], validate_unique=False, validate_constraints=False)
    others = type(row).objects.filter(creator=row.creator_id).exclude(pk=row.pk).values_list("name", flat=True)
    names = {name.casefold() for name in others}
    if row.name.casefold() in names:
        raise ValidationError({"name": ValidationError(_("This name is taken."), code="taken")})
    if row._state.adding and len(names) >= row.PER_CREATOR_MAX:
        raise ValidationError({"name": _("There are %(max)d already, and no more fit.") % {"max": row.PER_CREATOR_MAX}})
