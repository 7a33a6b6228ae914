from datetime import UTC, datetime
from typing import Any

import pytest

from crm.models import Campaign, Creator, SubscriptionEvent, Transaction, User
from crm.tests.api.asking import Api
from crm.tests.factories import make_creator, make_fan

pytestmark = pytest.mark.django_db

ANALYTICS = "/api/crm/analytics"
PERIOD = "from=2026-10-24&to=2026-10-26"


@pytest.fixture
def creator(user: User) -> Creator:
    """With three payments of October, two currencies, one campaign and one new subscriber."""
    creator = make_creator(user, timezone="Europe/Paris", currency="EUR")
    fan = make_fan(creator, value_cents=1_000, last_seen_at=datetime.now(UTC))
    campaign = Campaign.objects.create(creator=creator, name="Spring", text="x")
    for day, cents, currency, of in ((24, 100, "EUR", None), (25, 200, "EUR", campaign), (26, 300, "USD", None)):
        Transaction.objects.create(
            creator=creator,
            fan=fan,
            campaign=of,
            kind="tip",
            amount_cents=cents,
            currency=currency,
            occurred_at=datetime(2026, 10, day, 12, tzinfo=UTC),
            source="import",
        )
    moment = datetime(2026, 10, 25, tzinfo=UTC)
    SubscriptionEvent.objects.create(creator=creator, fan=fan, kind="started", occurred_at=moment)
    return creator


def listed(asks: Api, rows: str) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = asks.get(rows)["results"]
    return results


def test_every_figure_leads_to_the_rows_it_was_counted_from(asks: Api, creator: Creator) -> None:
    overview = asks.get(f"{ANALYTICS}/overview?{PERIOD}")

    assert (overview["timezone"], overview["currency"]) == ("Europe/Paris", "EUR")
    assert (overview["previousFrom"], overview["previousTo"]) == ("2026-10-21", "2026-10-23")
    for name in ("totalFans", "activeFans"):
        assert len(listed(asks, overview[name]["rows"])) == overview[name]["value"] == 1
    assert overview["lifetimeValue"]["value"] == [{"currency": "EUR", "amountCents": 1_000}]
    revenue = overview["revenue"]
    assert {money["currency"]: money["amountCents"] for money in revenue["value"]} == {"EUR": 300, "USD": 300}
    assert sum(row["amountCents"] for row in listed(asks, revenue["rows"])) == 600
    assert revenue["previous"] == []
    assert len(listed(asks, overview["newSubscribers"]["rows"])) == overview["newSubscribers"]["value"] == 1
    assert overview["lostSubscribers"]["value"] == 0
    assert overview["replyTime"]["value"] is None


def test_revenue_comes_by_day_week_or_month_and_by_kind(asks: Api, creator: Creator) -> None:
    days = asks.get(f"{ANALYTICS}/revenue?{PERIOD}&kind=tip&kind=post")
    none = asks.get(f"{ANALYTICS}/revenue?{PERIOD}&unit=month&kind=post")

    assert [row["from"] for row in days["results"]] == ["2026-10-24", "2026-10-25", "2026-10-26"]
    assert days["results"][1]["money"] == [{"currency": "EUR", "amountCents": 200, "netCents": None, "payments": 1}]
    assert len(listed(asks, days["total"]["rows"])) == 3
    assert none["results"] == [{"from": "2026-10-01", "money": []}]
    assert listed(asks, none["total"]["rows"]) == []


def test_a_campaigns_earnings_lead_to_its_payments(asks: Api, creator: Creator) -> None:
    [spring] = asks.get(f"{ANALYTICS}/campaigns?{PERIOD}")["results"]

    assert (spring["name"], spring["money"][0]["amountCents"]) == ("Spring", 200)
    assert [row["amountCents"] for row in listed(asks, spring["rows"])] == [200]


def test_the_top_fans_are_those_of_the_list(asks: Api, creator: Creator) -> None:
    top = asks.get(f"{ANALYTICS}/top-fans")

    assert [row["fan"] for row in top["results"]] == listed(asks, top["rows"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-10-26&to=2026-10-24", "from"),
        ("from=1999-01-01&to=2026-10-24", "from"),
        ("from=yesterday", "from"),
        ("to=9999-12-31", "from"),
        ("unit=hour", "unit"),
        ("from=2024-01-01&to=2026-01-01", "unit"),
        ("kind=gift", "kind"),
        ("creator=x", "creator"),
    ],
)
def test_a_period_that_cannot_be_is_refused(asks: Api, creator: Creator, query: str, field: str) -> None:
    assert [name.split(".")[0] for name in asks.refused("get", f"{ANALYTICS}/revenue?{query}")] == [field]


def test_figures_are_one_creators(asks: Api, user: User, creator: Creator) -> None:
    make_creator(user)

    assert asks.refused("get", f"{ANALYTICS}/overview") == ["creatorId"]
    asks.get(f"{ANALYTICS}/overview?creatorId={creator.public_id}")
    asks.get(f"{ANALYTICS}/overview?creatorId={make_creator().public_id}", status=404)


def test_transactions_are_filtered_by_all_that_is_shown(asks: Api, creator: Creator) -> None:
    rows = asks.get("/api/crm/transactions")["results"]
    fan_id, campaign_id = rows[0]["fanId"], rows[1]["campaignId"]

    def found(query: str) -> list[int]:
        return [row["amountCents"] for row in asks.get(f"/api/crm/transactions?{query}")["results"]]

    assert found("") == [300, 200, 100]
    assert found(f"fanId={fan_id}&currency=USD") == [300]
    assert found(f"campaignId={campaign_id}") == [200]
    assert found("kind=tip&kind=post&source=import") == [300, 200, 100]
    assert found("source=event") == []
    assert found("amountMin=150&amountMax=250") == [200]
    assert found("occurredFrom=2026-10-25T00:00:00Z&occurredBefore=2026-10-26T12:00:00Z&sort=occurredAt") == [200]


@pytest.mark.parametrize("address", ["/api/crm/transactions", "/api/crm/subscription-events"])
def test_the_database_is_asked_once_for_all_rows(
    asks: Api, creator: Creator, address: str, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(4):  # session, user, creators, rows
        asks.get(f"{address}?limit=1")
    with django_assert_num_queries(4):
        asks.get(address)


def test_subscribers_come_by_day_and_lead_to_their_rows(asks: Api, creator: Creator) -> None:
    shown = asks.get(f"{ANALYTICS}/subscribers?{PERIOD}")

    assert [(each["from"], each["started"], each["expired"]) for each in shown["results"]] == [
        ("2026-10-24", 0, 0),
        ("2026-10-25", 1, 0),
        ("2026-10-26", 0, 0),
    ]
    assert len(listed(asks, shown["newSubscribers"]["rows"])) == shown["newSubscribers"]["value"] == 1


def test_what_campaigns_brought_is_said_beside_the_days_before(asks: Api, creator: Creator) -> None:
    total = asks.get(f"{ANALYTICS}/campaigns?{PERIOD}")["total"]

    assert [(money["currency"], money["amountCents"]) for money in total["value"]] == [("EUR", 200)]
    assert total["previous"] == []
