"""The page of the figures, their rows and their files; all around the nights in which clocks change."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm.clock import database_now
from crm.models import Campaign, Creator, Fan, SubscriptionEvent, Transaction, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message, make_user
from crm.tests.views.asking import text_of

pytestmark = pytest.mark.django_db

PAGE = "/platforms/onlyfans/analytics"
API = "/api/crm/analytics"
#: The days around the end of summer time in Paris; the 25th has 25 hours.
OCTOBER = {"from": "2026-10-24", "to": "2026-10-26"}


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user, timezone="Europe/Paris", currency="EUR")


@pytest.fixture
def web(client: Client, user: User, creator: Creator) -> Client:
    client.force_login(user)
    return client


def paid(creator: Creator, at: str, cents: int, *, currency: str = "EUR", **values: Any) -> Transaction:
    """``at`` is UTC."""
    return Transaction.objects.create(
        creator=creator,
        amount_cents=cents,
        currency=currency,
        occurred_at=datetime.fromisoformat(at).replace(tzinfo=UTC),
        source="event",
        **{"kind": "tip", **values},
    )


def turned(creator: Creator, kind: str, at: str) -> None:
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    SubscriptionEvent.objects.create(creator=creator, fan=make_fan(creator), kind=kind, occurred_at=moment)


def file(web: Client, name: str, **asked: Any) -> list[list[str]]:
    answer = web.get(f"{PAGE}/{name}.csv", asked)
    assert answer.status_code == 200
    text = b"".join(answer.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text)))


def tile(web: Client, name: str, **asked: str) -> Any:
    return next(each for each in web.get(PAGE, asked or OCTOBER).context["tiles"] if each.name == name)


@pytest.fixture
def money(creator: Creator) -> Campaign:
    """At both ends of days that are 24 and 25 hours long, in two currencies."""
    campaign = Campaign.objects.create(creator=creator, name="=Autumn", text="x")
    fan = make_fan(creator, name="Ada", handle="ada", value_cents=123_450)
    paid(creator, "2026-10-23T21:59:59", 100)  # the 23rd
    paid(creator, "2026-10-23T22:00:00", 1_000, fan=fan)
    paid(creator, "2026-10-24T22:00:00", 2_050, kind="message", campaign=campaign, net_cents=1_640)  # the 25th
    paid(creator, "2026-10-25T22:59:59", 4_000)
    paid(creator, "2026-10-25T23:00:00", -500)  # the 26th
    paid(creator, "2026-10-26T12:00:00", 70_000, currency="USD", net_cents=56_000)
    paid(creator, "2026-10-26T23:00:00", 9_999_999)  # the 27th
    paid(make_creator(), "2026-10-25T12:00:00", 77)
    return campaign


class TestPage:
    def test_the_clock_and_both_periods_are_printed(self, web: Client, money: Campaign) -> None:
        shown = text_of(web.get(PAGE, OCTOBER))

        assert "24 Oct 2026 – 26 Oct 2026, by the clock of Europe/Paris, beside 21 Oct 2026 – 23 Oct 2026" in shown

    def test_money_of_two_currencies_stays_apart_beside_what_was_before(self, web: Client, money: Campaign) -> None:
        revenue = tile(web, "Revenue")

        assert revenue.values == ["€65.50", "$700"]
        assert revenue.note == "before: €1 (×\u00a066) · before: $0"

    def test_of_one_kind_only(self, web: Client, money: Campaign) -> None:
        assert tile(web, "Revenue", **OCTOBER, kind="message").values == ["€20.50"]

    def test_a_kind_that_does_not_exist_is_refused_where_it_can_be_read(self, web: Client, money: Campaign) -> None:
        answer = web.get(PAGE, OCTOBER | {"kind": "nonsense"})

        assert answer.status_code == 400
        assert '<details class="menu" open>' in answer.text

    def test_every_figure_leads_to_its_rows(self, web: Client, money: Campaign, creator: Creator) -> None:
        turned(creator, "started", "2026-10-25T10:00:00")
        numbers = {}
        for name in ("Revenue", "From campaigns", "New subscribers", "Lost subscribers"):
            numbers[name] = len(web.get(tile(web, name).rows).context["rows"])

        assert numbers == {"Revenue": 5, "From campaigns": 1, "New subscribers": 1, "Lost subscribers": 0}
        for name in ("Fans", "Active fans", "Lifetime value", "Reply time"):
            assert web.get(tile(web, name).rows).status_code == 200

    def test_each_bar_has_its_row_in_a_table_which_leads_to_its_payments(self, web: Client, money: Campaign) -> None:
        euros = web.get(PAGE, OCTOBER).context["plots"][0]

        table = [(when, cells[0]) for when, _rows, cells in euros.table]
        assert table == [("24 Oct 2026", "€10"), ("25 Oct 2026", "€60.50"), ("26 Oct 2026", "−€5")]
        assert [bar.words for bar in euros.chart.bars] == [f"{when}: {cell}" for when, cell in table]
        the_25th = web.get(euros.table[1][1]).context
        assert [each.amount_cents for each in the_25th["rows"]] == [4_000, 2_050]
        assert [each.amount_cents for each in the_25th["sums"]] == [6_050]

    def test_a_chart_can_be_read_aloud(self, web: Client, money: Campaign) -> None:
        shown = web.get(PAGE, OCTOBER).content.decode()

        assert 'role="img" aria-labelledby="chart1-says chart1-more"' in shown
        assert "the highest is 25 Oct 2026: €60.50" in shown
        assert " style=" not in shown

    def test_many_subscribers_are_read_aloud_in_groups_of_digits(self, web: Client, creator: Creator) -> None:
        moment = datetime(2026, 10, 25, tzinfo=UTC)
        fan = make_fan(creator)
        SubscriptionEvent.objects.bulk_create(
            SubscriptionEvent(creator=creator, fan=fan, kind="started", occurred_at=moment + timedelta(seconds=number))
            for number in range(1_001)
        )

        assert "1,001 new and 0 lost in all" in web.get(PAGE, OCTOBER).content.decode()

    def test_without_data_it_says_so_and_invents_nothing(self, web: Client) -> None:
        shown = text_of(web.get(PAGE))

        assert (
            tile(web, "Revenue").values == tile(web, "New subscribers").values == tile(web, "Reply time").values == []
        )
        for words in (
            "No payment is known yet.",
            "No subscription was told of yet.",
            "No fan wrote in these days.",
            "No fan has spent anything yet.",
            "Nothing to draw in these days",
        ):
            assert words in shown

    def test_reply_time_is_said_with_who_waits(self, web: Client, creator: Creator) -> None:
        talk = make_conversation(creator)
        now = database_now()
        make_message(talk, status=Status.RECEIVED, send_at=now - timedelta(hours=3))
        make_message(talk, status=Status.SENT, send_at=now - timedelta(hours=2))
        make_message(talk, status=Status.RECEIVED, send_at=now - timedelta(hours=1))
        today = (now + timedelta(days=1)).date().isoformat()

        shown = tile(web, "Reply time", **{"from": (now - timedelta(days=2)).date().isoformat(), "to": today})

        assert shown.values == ["1 h"]
        assert "1 answered, 1 not" in shown.note

    def test_each_day_of_the_reply_times_leads_to_who_wrote_and_when_they_were_answered(
        self, web: Client, creator: Creator
    ) -> None:
        talk = make_conversation(fan=make_fan(creator, name="Ada"))
        at = datetime(2026, 10, 25, 22, tzinfo=UTC)
        talk.receive(text="Hi", platform_id="i1", written_at=at)
        talk.receive(text="?", platform_id="i2", written_at=at + timedelta(minutes=1))
        talk.show_sent(text="Yes", platform_id="o1", sent_at=at + timedelta(minutes=100))
        talk.receive(text="And?", platform_id="i3", written_at=at + timedelta(hours=2))

        [plot] = web.get(PAGE, OCTOBER).context["plots"]

        assert [(when, *cells) for when, _rows, cells in plot.table] == [
            ("24 Oct 2026", "–", "0", "0"),
            ("25 Oct 2026", "1 h 40 min", "1", "0"),
            ("26 Oct 2026", "–", "0", "1"),
        ]
        assert [words for words, _y in plot.ticks] == ["2 h", "1 h", "0 s"]
        assert "Ada" in text_of(web.get(plot.table[1][1]))
        assert "1 h 40 min" in text_of(web.get(plot.table[1][1]))
        assert len(web.get(tile(web, "Reply time").rows).context["rows"]) == 2
        assert file(web, "replies", **OCTOBER)[2:] == [
            ["2026-10-25", "2026-10-25", "6000", "1", "0"],
            ["2026-10-26", "2026-10-26", "", "0", "1"],
        ]
        week = web.get(f"{API}/replies", OCTOBER | {"unit": "month"}).json()
        assert week["results"] == [{"from": "2026-10-01", "time": week["replyTime"]["value"]}]
        assert week["replyTime"]["value"] == {"medianSeconds": 6000, "answered": 1, "unanswered": 1}

    @pytest.mark.parametrize(
        ("asked", "words"),
        [
            ({"from": "2026-10-26", "to": "2026-10-24"}, "the first before the last"),
            ({"from": "2010-01-01", "to": "2026-10-24"}, "From 1 to 3,660 days"),
            ({"from": "2020-01-01", "to": "2026-10-24", "unit": "day"}, "At most 400 at once"),
            ({"from": "yesterday"}, "valid date"),
        ],
    )
    def test_days_that_make_no_sense_are_said(self, web: Client, asked: dict[str, str], words: str) -> None:
        answer = web.get(PAGE, asked)

        assert answer.status_code == 400
        assert words in text_of(answer)

    def test_the_unit_suits_the_days(self, web: Client, money: Campaign) -> None:
        numbers = {}
        for first in ("2026-10-24", "2026-01-01", "2024-01-01"):
            plot = web.get(PAGE, {"from": first, "to": "2026-10-26"}).context["plots"][0]
            numbers[first] = plot.table[-1][0]

        assert numbers == {
            "2026-10-24": "26 Oct 2026",
            "2026-01-01": "week of 26 Oct 2026",
            "2024-01-01": "October 2026",
        }

    def test_it_asks_as_much_for_much_as_for_little(
        self, web: Client, money: Campaign, creator: Creator, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for number in range(12):
            campaign = Campaign.objects.create(creator=creator, name=f"C{number}", text="x")
            paid(
                creator, "2026-10-25T12:00:00", 1_000 + number, campaign=campaign, fan=make_fan(creator, value_cents=9)
            )

        with django_assert_max_num_queries(15):
            web.get(PAGE, OCTOBER)
        with django_assert_max_num_queries(9):
            web.get(f"{PAGE}/transactions", OCTOBER)


class TestFiles:
    def test_the_whole_is_what_page_and_api_say(self, web: Client, money: Campaign, creator: Creator) -> None:
        for at in ("2026-10-23T21:59:59", "2026-10-23T22:00:00", "2026-10-26T22:59:59"):
            turned(creator, "started", at)

        rows = {(row[0], row[1]): (row[2], row[3]) for row in file(web, "overview", **OCTOBER)}

        assert file(web, "overview", **OCTOBER)[1][4:] == [
            "2026-10-24", "2026-10-26", "2026-10-21", "2026-10-23", "Europe/Paris",
        ]  # fmt: skip
        assert rows["Revenue", "EUR"] == ("65.50", "1.00")
        assert rows["Revenue", "USD"] == ("700.00", "0.00")
        assert rows["Campaign earnings", "EUR"] == ("20.50", "0.00")
        assert rows["New subscribers", ""] == ("2", "1")
        assert rows["Reply time in seconds", ""] == ("", "")
        overview = web.get(f"{API}/overview", OCTOBER).json()
        assert [each["amountCents"] for each in overview["revenue"]["value"]] == [6_550, 70_000]
        assert overview["newSubscribers"]["value"] == 2
        assert tile(web, "New subscribers").values == ["2"]

    def test_revenue_by_day_across_the_change_of_the_clock(self, web: Client, money: Campaign) -> None:
        assert file(web, "revenue", **OCTOBER) == [
            ["From", "To", "Currency", "Amount", "Net", "Payments"],
            ["2026-10-24", "2026-10-24", "EUR", "10.00", "", "1"],
            ["2026-10-25", "2026-10-25", "EUR", "60.50", "", "2"],
            ["2026-10-26", "2026-10-26", "EUR", "(5.00)", "", "1"],
            ["2026-10-26", "2026-10-26", "USD", "700.00", "560.00", "1"],
        ]

    def test_a_day_in_new_york_is_new_yorks(self, web: Client, creator: Creator) -> None:
        Creator.objects.update(timezone="America/New_York", currency="USD")
        for at in (
            "2026-03-08T04:59:59",  # the 7th
            "2026-03-08T05:00:00",  # the 8th, which has 23 hours
            "2026-03-09T03:59:59",
            "2026-03-09T04:00:00",  # the 9th
            "2026-11-01T04:00:00",  # the 1st of November, which has 25
            "2026-11-02T04:59:59",
            "2026-11-02T05:00:00",  # the 2nd
        ):
            paid(creator, at, 100, currency="USD")

        spring = file(web, "revenue", **{"from": "2026-03-07", "to": "2026-03-09"})
        autumn = file(web, "revenue", **{"from": "2026-11-01", "to": "2026-11-02"})

        assert [(row[0], row[5]) for row in spring[1:]] == [
            ("2026-03-07", "1"),
            ("2026-03-08", "2"),
            ("2026-03-09", "1"),
        ]
        assert [(row[0], row[5]) for row in autumn[1:]] == [("2026-11-01", "2"), ("2026-11-02", "1")]

    def test_subscribers_fans_and_campaigns(self, web: Client, money: Campaign, creator: Creator) -> None:
        turned(creator, "started", "2026-10-24T22:00:00")
        turned(creator, "expired", "2026-10-25T22:59:59")

        assert file(web, "subscribers", **OCTOBER, unit="week") == [
            ["From", "To", "New", "Lost"],
            ["2026-10-24", "2026-10-25", "1", "1"],
            ["2026-10-26", "2026-10-26", "0", "0"],
        ]
        [ada] = file(web, "top-fans", **OCTOBER)[1:]
        assert ada[1:9] == ["ada", "Ada", "1234.50", "EUR", "10.00", "0.00", "2026-10-24", "2026-10-26"]
        assert file(web, "campaigns", **OCTOBER)[1] == ["'=Autumn", str(money.public_id), "EUR", "20.50", "16.40", "1"]

    def test_payments_are_those_of_the_list(self, web: Client, money: Campaign) -> None:
        answer = web.get(f"{PAGE}/transactions", OCTOBER | {"currency": "EUR", "csv": "1"})

        rows = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
        assert len(rows) == 5

    def test_a_figure_that_does_not_exist_has_no_file(self, web: Client) -> None:
        assert web.get(f"{PAGE}/weather.csv").status_code == 404


class TestRows:
    def test_payments_go_on_page_by_page(self, web: Client, creator: Creator) -> None:
        fan: Fan = make_fan(creator)
        for number in range(51):
            paid(creator, "2026-10-25T12:00:00", 100 + number, fan=fan)

        first = web.get(f"{PAGE}/transactions", OCTOBER)
        second = web.get(f"{PAGE}/transactions{first.context['older']}")

        assert [len(page.context["rows"]) for page in (first, second)] == [50, 1]
        assert [each.payments for each in second.context["sums"]] == [51]

    def test_of_one_campaign(self, web: Client, money: Campaign) -> None:
        shown = web.get(f"{PAGE}/transactions", OCTOBER | {"campaign": str(money.public_id)})

        assert [row.campaign for row in shown.context["rows"]] == [money]
        assert web.get(f"{PAGE}/transactions", {"campaign": "x"}).status_code == 404

    def test_another_creators_are_not_there(self, client: Client, money: Campaign) -> None:
        stranger = make_user()
        make_creator(stranger)
        client.force_login(stranger)

        assert client.get(f"{PAGE}/transactions", OCTOBER).context["rows"] == []
        assert client.get(f"{PAGE}/transactions", OCTOBER | {"campaign": str(money.public_id)}).context["rows"] == []
