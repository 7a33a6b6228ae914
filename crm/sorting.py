"""How fans are sorted: by what they are narrowed to, when nobody says."""

from collections.abc import Collection
from dataclasses import replace

from crm.listing import NEWEST, SORTINGS
from crm.paging import Sorting

#: The first condition that must hold for all of them decides. The index of that sorting leads straight to them: of a
#: hundred thousand who came last nobody was silent for a month.
USUAL = {
    **dict.fromkeys(("valueMin", "valueMax", "topPercent"), "-valueCents"),
    "expiresWithinDays": "subscriptionEndsAt",
    "expiredWithinDays": "-subscriptionEndsAt",
    **dict.fromkeys(("boughtWithinDays", "unlockedWithinDays", "tippedWithinDays"), "-lastPurchaseAt"),
    **dict.fromkeys(("lastSeenAfter", "lastSeenBefore", "seenWithinDays", "silentForDays"), "-lastSeenAt"),
    **dict.fromkeys(("joinedAfter", "joinedBefore", "joinedWithinDays"), "-joinedAt"),
}


def usual_sort(conditions: Collection[str]) -> str:
    """The name of the sorting for fans chosen by these conditions."""
    return next((sort for name, sort in USUAL.items() if name in conditions), NEWEST)


def sorting_of(name: str, conditions: Collection[str]) -> Sorting:
    """The sorting of this name, for fans chosen by these conditions.

    Whoever fulfils a condition has the value that it is usually sorted by: nobody is looked for who has none.
    """
    sorting = SORTINGS[name]
    has_value = any(SORTINGS[USUAL[each]].column == sorting.column for each in USUAL.keys() & set(conditions))
    return replace(sorting, always=True) if has_value else sorting
