"""Naming a creator on the command line."""

from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q

from crm.models import Creator


def creator_named(name: str) -> Creator:
    """By id, username or name. Raises CommandError unless it is exactly one."""
    try:
        wanted = Q(public_id=UUID(name))
    except ValueError:
        wanted = Q(handle__iexact=name.removeprefix("@")) | Q(name__iexact=name)
    found = list(Creator.objects.filter(wanted)[:2])
    if len(found) != 1:
        how_many = "no creator" if not found else "more than one creator"
        known = ", ".join(Creator.objects.values_list("name", flat=True)[:10])
        raise CommandError(f"There is {how_many} called “{name}”; use the id. There are: {known or 'none'}.")
    return found[0]
