"""How fans are listed: the sortings that have an index. The API's list and the page share them."""

from crm.paging import sortings

SORTINGS = sortings(
    createdAt="created_at",
    valueCents="value_cents",
    lastSeenAt="last_seen_at",
    joinedAt="joined_at",
    name="sort_name",
)
NEWEST = "-createdAt"
