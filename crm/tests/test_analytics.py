"""Figures against rows written by hand, around the night in which Paris leaves summer time (25 October 2026)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crm import analytics
from crm.analytics import Bucket, Fans, Figures, Money, Replies, ReplyTime, Turnover
from crm.models import Campaign, Census, Conversation, Creator, Fan, Message, SubscriptionEvent, Transaction
from crm.models.messages import Status
from crm.periods import Period, Unit
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message

pytestmark = pytest.mark.django_db

PARIS = ZoneInfo("Europe/Paris")
OCTOBER = Period(PARIS, date(2026, 10, 24), date(2026, 10, 26))
NOW = datetime(2026, 10, 26, 12, tzinfo=UTC)


@pytest.fixture
def creator() -> Creator:
    return make_creator(timezone="Europe/Paris", currency="EUR")


def paid(
    creator: Creator, at: str, cents: int, *, currency: str = "EUR", net: int | None = None, **values: object
) -> None:
    """``at`` is UTC."""
    Transaction.objects.create(
        creator=creator,
        amount_cents=cents,
        net_cents=net,
        currency=currency,
        occurred_at=datetime.fromisoformat(at).replace(tzinfo=UTC),
        source="event",
        **{"kind": "tip", **values},
    )


def of(creator: Creator, period: Period = OCTOBER) -> Figures:
    return Figures(creator, period, now=NOW)


def euros(cents: int, payments: int, net: int | None = None) -> Money:
    return Money("EUR", cents, net, payments)


class TestPeriod:
    def test_days_are_the_creators(self) -> None:
        assert OCTOBER.begins == datetime(2026, 10, 23, 22, tzinfo=UTC)
        assert OCTOBER.ends == datetime(2026, 10, 26, 23, tzinfo=UTC)
        assert OCTOBER.ends - OCTOBER.begins == timedelta(days=3, hours=1)

    def test_the_previous_one_is_as_many_days_just_before(self) -> None:
        assert OCTOBER.previous == Period(PARIS, date(2026, 10, 21), date(2026, 10, 23))

    def test_a_midnight_that_does_not_exist_is_the_jump(self) -> None:
        # Cairo went from 23:59:59 on 23 April 2026 to 01:00 on the 24th.
        day = Period(ZoneInfo("Africa/Cairo"), date(2026, 4, 24), date(2026, 4, 24))

        assert day.begins == datetime(2026, 4, 23, 22, tzinfo=UTC)
        assert day.ends - day.begins == timedelta(hours=23)


class TestRevenue:
    @pytest.fixture(autouse=True)
    def money(self, creator: Creator) -> None:
        paid(creator, "2026-10-23T21:59:59", 1)  # the 23rd, the last second
        paid(creator, "2026-10-23T22:00:00", 10)  # the 24th, the first second
        paid(creator, "2026-10-24T21:59:59", 20)
        paid(creator, "2026-10-24T22:00:00", 300)  # the 25th has 25 hours
        paid(creator, "2026-10-25T22:59:59", 400, kind="message")
        paid(creator, "2026-10-25T23:00:00", 5_000)  # the 26th
        paid(creator, "2026-10-26T12:00:00", -1_000)
        paid(creator, "2026-10-26T12:00:00", 70_000, currency="USD", net=56_000)
        paid(creator, "2026-10-26T23:00:00", 900_000)  # the 27th
        paid(make_creator(), "2026-10-25T12:00:00", 77)

    def test_is_the_sum_by_currency_with_what_was_taken_back(self, creator: Creator) -> None:
        assert of(creator).revenue() == [euros(4_730, 6), Money("USD", 70_000, 56_000, 1)]
        assert of(creator).before.revenue() == [euros(1, 1)]

    def test_can_be_of_some_kinds_only(self, creator: Creator) -> None:
        assert of(creator).revenue(["message"]) == [euros(400, 1)]
        assert of(creator).revenue(["post"]) == []

    def test_by_day_is_by_the_creators_days(self, creator: Creator) -> None:
        assert of(creator).revenue_by(Unit.DAY) == [
            Bucket(date(2026, 10, 24), [euros(30, 2)]),
            Bucket(date(2026, 10, 25), [euros(700, 2)]),
            Bucket(date(2026, 10, 26), [euros(4_000, 2), Money("USD", 70_000, 56_000, 1)]),
        ]

    def test_by_week_begins_on_monday(self, creator: Creator) -> None:
        assert of(creator).revenue_by(Unit.WEEK) == [
            Bucket(date(2026, 10, 19), [euros(730, 4)]),
            Bucket(date(2026, 10, 26), [euros(4_000, 2), Money("USD", 70_000, 56_000, 1)]),
        ]

    def test_by_month_shows_months_without_money_too(self, creator: Creator) -> None:
        quarter = Period(PARIS, date(2026, 9, 15), date(2026, 11, 15))

        months = of(creator, quarter).revenue_by(Unit.MONTH)

        assert [bucket.first for bucket in months] == [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]
        assert [sum(money.amount_cents for money in bucket.money) for bucket in months] == [0, 974_731, 0]

    def test_the_days_are_the_whole(self, creator: Creator) -> None:
        for unit in Unit:
            buckets = of(creator).revenue_by(unit)
            assert sum(money.amount_cents for bucket in buckets for money in bucket.money) == 74_730

    def test_where_nothing_was_ever_told_nothing_is_said(self) -> None:
        assert of(make_creator()).revenue() is None


class TestFans:
    def test_total_active_and_top(self, creator: Creator) -> None:
        now = NOW
        make_fan(creator, last_seen_at=now - timedelta(days=30), value_cents=100)
        best = make_fan(creator, last_seen_at=now - timedelta(days=30, seconds=1), value_cents=900)
        make_fan(creator)
        make_fan(value_cents=5_000, last_seen_at=now)

        assert of(creator).fans == Fans(total=3, active=1, value_cents=1_000, counted_at=now)
        assert [fan.value_cents for fan in analytics.top_fans(creator)] == [best.value_cents, 100]

    def test_the_top_ones_beside_what_they_paid_in_the_period_and_before_it(self, creator: Creator) -> None:
        best, quiet = make_fan(creator, value_cents=900), make_fan(creator, value_cents=800)
        paid(creator, "2026-10-20T21:59:59", 400, fan=quiet)
        paid(creator, "2026-10-23T21:59:59", 100, fan=best)
        paid(creator, "2026-10-23T22:00:00", 200, fan=best)
        paid(creator, "2026-10-26T22:59:59", 300, fan=best, currency="USD")
        paid(creator, "2026-10-26T23:00:00", 400, fan=best)

        first, second = analytics.top_fans_in(creator, OCTOBER, list(analytics.top_fans(creator)))

        assert (first.fan, second.fan) == (best, quiet)
        assert (first.spent, first.before) == ([euros(200, 1), Money("USD", 300, None, 1)], [euros(100, 1)])
        assert (second.spent, second.before) == ((), ())

    def test_how_they_stood_when_the_period_began(self, creator: Creator) -> None:
        began = OCTOBER.begins
        joined = [
            make_fan(creator, joined_at=began + timedelta(seconds=seconds), value_cents=900) for seconds in (-1, 0)
        ]
        Fan.objects.filter(pk=make_fan(creator).pk).update(created_at=began - timedelta(days=9))
        paid(creator, "2026-10-23T21:59:59", 100, fan=joined[0])
        assert of(creator).fans_before == Fans(total=2, active=None, value_cents=1_800, counted_at=began)

        paid(creator, "2026-10-25T12:00:00", 300, fan=joined[0])
        paid(creator, "2026-10-25T12:00:00", 400)  # of nobody known: in no fan's value
        paid(creator, "2026-10-25T12:00:00", 500, fan=joined[0], currency="USD")
        Census.objects.create(
            creator=creator, day=date(2026, 10, 23), counted_at=began, fans=9, active_fans=7, value_cents=9
        )

        assert of(creator).fans_before == Fans(total=2, active=7, value_cents=1_500, counted_at=began)

    def test_what_was_spent_before_is_not_known_where_no_payment_is(self, creator: Creator) -> None:
        make_fan(creator, value_cents=900)

        assert of(creator).fans_before.value_cents is None

    def test_who_came_and_left_by_day_in_a_night_of_23_hours(self, creator: Creator) -> None:
        kinds = SubscriptionEvent.Kind
        march = Period(PARIS, date(2026, 3, 28), date(2026, 3, 30))
        for kind, at in (
            (kinds.STARTED, "2026-03-28T22:59:59"),  # the 28th, the last second
            (kinds.STARTED, "2026-03-28T23:00:00"),  # the 29th, which ends an hour earlier
            (kinds.EXPIRED, "2026-03-29T21:59:59"),
            (kinds.RENEWED, "2026-03-29T12:00:00"),
            (kinds.EXPIRED, "2026-03-29T22:00:00"),  # the 30th
        ):
            moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
            SubscriptionEvent.objects.create(creator=creator, fan=make_fan(creator), kind=kind, occurred_at=moment)

        assert of(creator, march).subscribers_by(Unit.DAY) == [
            Turnover(date(2026, 3, 28), 1, 0),
            Turnover(date(2026, 3, 29), 1, 1),
            Turnover(date(2026, 3, 30), 0, 1),
        ]
        assert of(creator, march).subscribers_by(Unit.MONTH) == [Turnover(date(2026, 3, 1), 2, 2)]

    def test_who_came_and_who_left(self, creator: Creator) -> None:
        kinds = SubscriptionEvent.Kind
        assert of(creator).subscribers(kinds.STARTED) is None
        for kind, at in (
            (kinds.STARTED, "2026-10-23T21:59:59"),
            (kinds.STARTED, "2026-10-23T22:00:00"),
            (kinds.STARTED, "2026-10-26T22:59:59"),
            (kinds.RENEWED, "2026-10-25T12:00:00"),
        ):
            moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
            SubscriptionEvent.objects.create(creator=creator, fan=make_fan(creator), kind=kind, occurred_at=moment)

        assert of(creator).subscribers(kinds.STARTED) == 2
        assert of(creator).before.subscribers(kinds.STARTED) == 1
        assert of(creator).subscribers(kinds.EXPIRED) == 0


def test_a_campaigns_earnings_are_the_payments_it_brought(creator: Creator) -> None:
    small, large = (Campaign.objects.create(creator=creator, name=name, text="x") for name in ("small", "large"))
    for campaign, cents, currency in ((small, 100, "EUR"), (large, 300, "EUR"), (large, 400, "EUR"), (large, 5, "USD")):
        paid(creator, "2026-10-25T12:00:00", cents, currency=currency, campaign=campaign)
    paid(creator, "2026-10-25T12:00:00", 9_000)
    paid(creator, "2026-11-25T12:00:00", 9_000, campaign=small)

    earned = of(creator).campaign_earnings()
    assert of(creator).campaign_revenue() == [euros(800, 3), Money("USD", 5, None, 1)]

    assert [(each.campaign, each.money) for each in earned] == [
        (large, [euros(700, 2), Money("USD", 5, None, 1)]),
        (small, [euros(100, 1)]),
    ]


class TestReplyTime:
    def say(self, talk: Conversation, who: str, at: str, status: Status = Status.SENT, **values: Any) -> Message:
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        return make_message(
            talk,
            status=Status.RECEIVED if who == "fan" else status,
            send_at=moment,
            **values,
        )

    def test_is_from_the_first_unanswered_message_to_our_answer(self, creator: Creator) -> None:
        talk, other = make_conversation(creator), make_conversation(creator)
        self.say(talk, "fan", "2026-10-25T10:00:00")
        self.say(talk, "fan", "2026-10-25T10:05:00")
        self.say(talk, "us", "2026-10-25T10:06:00", Status.FAILED)
        self.say(talk, "us", "2026-10-25T10:10:00")
        self.say(talk, "us", "2026-10-25T10:11:00")
        self.say(talk, "fan", "2026-10-25T11:00:00")
        self.say(talk, "us", "2026-10-25T11:02:00")
        self.say(other, "fan", "2026-10-25T12:00:00")
        self.say(other, "us", "2026-10-25T13:00:00")
        self.say(other, "fan", "2026-10-25T14:00:00")
        self.say(other, "fan", "2026-11-25T14:00:00")

        assert of(creator).reply_time() == ReplyTime(timedelta(minutes=10), answered=3, unanswered=1)

    def test_by_day_it_belongs_to_the_day_on_which_the_fan_wrote(self, creator: Creator) -> None:
        talk = make_conversation(creator)
        self.say(talk, "fan", "2026-10-24T21:59:00")  # the 24th, the last minute
        self.say(talk, "us", "2026-10-24T23:59:30")  # the 25th, which is not over for 23 hours
        self.say(talk, "fan", "2026-10-25T22:59:00")

        assert of(creator).reply_time_by(Unit.DAY) == [
            Replies(date(2026, 10, 24), ReplyTime(timedelta(hours=2), answered=1, unanswered=0)),
            Replies(date(2026, 10, 25), ReplyTime(None, answered=0, unanswered=1)),
            Replies(date(2026, 10, 26), None),
        ]

    def test_a_campaign_is_no_answer(self, creator: Creator) -> None:
        talk = make_conversation(creator)
        campaign = Campaign.objects.create(creator=creator, name="x", text="x")
        self.say(talk, "fan", "2026-10-25T10:00:00")
        self.say(talk, "us", "2026-10-25T10:01:00", campaign=campaign)
        self.say(talk, "fan", "2026-10-25T10:02:00")

        assert of(creator).reply_time() == ReplyTime(None, answered=0, unanswered=1)

    def test_where_nobody_wrote_nothing_is_said(self, creator: Creator) -> None:
        assert of(creator).reply_time() is None
