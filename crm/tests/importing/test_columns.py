"""How programs and people spell headers, and which field each one is."""

import pytest

from crm.importing.columns import columns_of
from crm.models import ImportKind

FANS = {
    "handle": "Username username handle fan_username user_name",
    "platform_id": "id fan_id fan_of_user_id Fan\N{NO-BREAK SPACE}ID user_id OnlyFans-ID",
    "name": "name display_name Fan_Name DISPLAY__NAME",
    "value": "total_spent total_spend spent_total Lifetime_Spend LTV Total_Spent_(USD)",
    "last_seen_at": "last_seen last_seen_at last_active Last-Seen",
    "joined_at": "join_date first_seen_at subscribed_at Date_Added subscription_start",
    "last_purchase_at": "Last_Purchase",
    "tier": "Subscription_Tier",
    "tags": "tags",
    "email": "email E-Mail",
    "subscription": "status is_active",
    "subscription_price": "subscription_price subscribe_price",
    "subscription_ends_at": "subscription_end expired_at",
}
PAYMENTS = {
    "platform_id": "transaction_id tx_id id",
    "occurred_at": "created_at date",
    "kind": "type tx_type",
    "fan_id": "fan_of_user_id fan_id",
    "handle": "username fan_username",
    "amount": "amount gross_amount",
    "fee": "fee platform_fee",
    "net": "net net_amount",
    "currency": "currency",
    "status": "status",
    "description": "description",
}
SPELLINGS = [
    (kind, field, spelling)
    for kind, fields in ((ImportKind.FANS, FANS), (ImportKind.TRANSACTIONS, PAYMENTS))
    for field, spellings in fields.items()
    for spelling in spellings.split(" ")
]


@pytest.mark.parametrize(("kind", "field", "spelling"), SPELLINGS)
def test_a_header_is_known_however_it_is_spelled(kind: ImportKind, field: str, spelling: str) -> None:
    for header in (spelling, spelling.upper(), f" {spelling.replace('_', ' ')} "):
        assert columns_of([header, "Shoe size"], kind=kind).mapping == {0: field}
