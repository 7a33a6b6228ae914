"""By what fans are sorted when nobody says: by what they are narrowed to."""

from collections.abc import Collection

from crm.listing import NEWEST

#: The first condition that must hold for all of them decides. The index of that sorting leads straight to them: of a
#: hundred thousand who came last nobody was silent for a month.
USUAL = {
    **dict.fromkeys(("valueMin", "topPercent"), "-valueCents"),
    **dict.fromkeys(("lastSeenAfter", "lastSeenBefore", "seenWithinDays", "silentForDays"), "-lastSeenAt"),
    **dict.fromkeys(("joinedAfter", "joinedBefore", "joinedWithinDays"), "-joinedAt"),
}


def usual_sort(conditions: Collection[str]) -> str:
    """The name of the sorting for fans chosen by these conditions."""
    return next((sort for name, sort in USUAL.items() if name in conditions), NEWEST)
