"""Whatever is written and in whatever order: what is kept of a day is what its rows come to."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm import analytics, counting, erasing, merging
from crm.analytics import Figures
from crm.importing import running
from crm.models import (
    Census,
    Conversation,
    Creator,
    Day,
    Fan,
    Import,
    ImportState,
    Payment,
    SubscriptionEvent,
    Transaction,
)
from crm.models.messages import Status
from crm.periods import Period, Unit
from crm.tests.factories import make_conversation, make_creator, make_fan, make_import, make_message

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
FILE = "ID,Date,Type,Amount,Username\nf1,2026-10-25 12:00,Tip,30.00,ada\n"


@pytest.fixture
def creator() -> Creator:
    """Three weeks of payments, subscriptions and talk, across the end of summer time."""
    creator = make_creator(timezone="Europe/Paris", currency="EUR")
    fan = make_fan(creator, name="Ada", handle="ada", platform_id="1")
    talk = make_conversation(fan=fan)
    for day in range(18, 40):
        at = datetime(2026, 9, 30, 21, 30, tzinfo=UTC) + timedelta(days=day, hours=day % 5)
        pay(creator, fan, at, f"p{day}", 100 * day, "tip" if day % 2 else "message")
        SubscriptionEvent.objects.record(fan, "started", occurred_at=at)
        if day % 3 == 0:
            talk.receive(text="Hi", platform_id=f"i{day}", written_at=at)
        if day % 6 == 0:
            talk.show_sent(text="Hello", platform_id=f"o{day}", sent_at=at + timedelta(hours=30))
    talk.receive(text="?", platform_id="asked", written_at=datetime(2026, 10, 21, 9, tzinfo=UTC))
    return creator


def pay(creator: Creator, fan: Fan | None, at: datetime, key: str, cents: int, kind: str = "tip") -> None:
    payment = Payment(
        kind=kind, amount_cents=cents, occurred_at=at, source="event", fan=fan, currency="EUR", event_key=key
    )
    Transaction.objects.record(creator, [payment])


def in_october(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 10, day, hour, tzinfo=UTC)


def ada(creator: Creator) -> Fan:
    return creator.fans.get(handle="ada")


def talk(creator: Creator) -> Conversation:
    return creator.conversations.get(fan=ada(creator))


def a_payment(creator: Creator) -> None:
    pay(creator, ada(creator), in_october(25), "new", 4_200)


def a_payment_of_nobody_known(creator: Creator) -> None:
    pay(creator, None, in_october(25), "new", 4_200)


def a_reversal(creator: Creator) -> None:
    pay(creator, ada(creator), in_october(25), "back", -500)


def a_second_telling_that_knows_more(creator: Creator) -> None:
    first = creator.transactions.earliest("occurred_at")
    told = Payment(
        kind=first.kind, amount_cents=first.amount_cents, occurred_at=first.occurred_at, source="sync",
        fan=first.fan, currency="EUR", platform_id="tx", net_cents=80,
    )  # fmt: skip
    [(_row, is_new)] = Transaction.objects.record(creator, [told])
    assert not is_new


def a_subscription_that_ended(creator: Creator) -> None:
    SubscriptionEvent.objects.record(ada(creator), "expired", occurred_at=in_october(30))


def a_message_of_an_old_chat(creator: Creator) -> None:
    talk(creator).receive(text="Early", platform_id="early", written_at=in_october(18), is_news=False)


def an_answer_sent_past_us(creator: Creator) -> None:
    talk(creator).show_sent(text="Here", platform_id="past", sent_at=in_october(28, 3))


def an_answer_of_today(creator: Creator) -> None:
    message = make_message(talk(creator), status=Status.SENDING)
    assert message.move(Status.SENT, sent_at=message.send_at)


def an_erased_fan(creator: Creator) -> None:
    erasing.erase_fan(ada(creator))


def two_fans_who_are_one(creator: Creator) -> None:
    other = make_fan(creator, handle="ada2", platform_id="2")
    chat = make_conversation(fan=other)
    chat.receive(text="It is me", platform_id="me", written_at=in_october(22, 23))
    chat.show_sent(text="Oh", platform_id="oh", sent_at=in_october(27, 23))
    counting.keep_days(creator, now=NOW)
    merging.merge(ada(creator), other)


def an_import(creator: Creator) -> None:
    done(creator)


def an_import_taken_back(creator: Creator) -> None:
    job = done(creator)
    counting.keep_days(creator, now=NOW)
    job.move(ImportState.UNDOING, now=NOW)
    running.work(job)
    assert not creator.transactions.filter(platform_id="f1").exists()


def done(creator: Creator) -> Import:
    job = make_import(creator, FILE)
    job.move(ImportState.RUNNING, now=NOW)
    running.work(job)
    assert creator.transactions.filter(platform_id="f1").exists()
    return job


WRITES = [
    a_payment,
    a_payment_of_nobody_known,
    a_reversal,
    a_second_telling_that_knows_more,
    a_subscription_that_ended,
    a_message_of_an_old_chat,
    an_answer_sent_past_us,
    an_answer_of_today,
    an_erased_fan,
    two_fans_who_are_one,
    an_import,
    an_import_taken_back,
]


@pytest.mark.parametrize("write", WRITES)
def test_what_is_kept_is_what_the_rows_come_to_after(creator: Creator, write: Callable[[Creator], None]) -> None:
    counting.keep_days(creator, now=NOW)

    write(creator)

    assert counting.differences(creator) == []
    assert counting.keep_days(creator, now=NOW)
    assert counting.differences(creator) == []


class TestKept:
    def test_every_day_since_the_first_row_but_not_today(self, creator: Creator) -> None:
        assert counting.keep_days(creator, now=NOW) == 22
        assert counting.keep_days(creator, now=NOW) == 0

        days = Day.objects.order_by("begins")
        assert days[0].begins == datetime(2026, 10, 18, 22, tzinfo=UTC)
        assert days[21].ends == datetime(2026, 11, 9, 23, tzinfo=UTC)
        assert timedelta(hours=25) in {day.ends - day.begins for day in days}

    def test_figures_are_the_same_kept_or_not(self, creator: Creator) -> None:
        period = Period(creator.zone, date(2026, 10, 24), date(2026, 11, 10))
        counted = all_of(Figures(creator, period, now=NOW))

        counting.keep_days(creator, now=NOW)
        Day.objects.filter(begins__gt=in_october(28), begins__lt=in_october(30)).delete()

        assert all_of(Figures(creator, period, now=NOW)) == counted

    def test_a_kept_period_is_read_and_not_counted(self, creator: Creator) -> None:
        counting.keep_days(creator, now=NOW)
        Transaction.objects.all().delete()
        period = Period(creator.zone, date(2026, 10, 24), date(2026, 11, 9))

        with CaptureQueriesContext(connection) as asked:
            kept = counting.counts_of(creator, period)

        assert len(asked) == 1
        assert sum(each.payments for counts in kept.values() for each in counts.takings.values()) == 17

    def test_in_another_zone_other_days_are_kept(self, creator: Creator) -> None:
        counting.keep_days(creator, now=NOW)
        creator.change(timezone="America/New_York")
        period = Period(creator.zone, date(2026, 10, 24), date(2026, 11, 9))
        counted = all_of(Figures(creator, period, now=NOW))

        assert counting.keep_days(creator, now=NOW) == 23

        assert all_of(Figures(creator, period, now=NOW)) == counted
        assert counting.differences(creator) == []

    def test_what_somebody_wrote_past_the_verbs_is_found(self, creator: Creator) -> None:
        counting.keep_days(creator, now=NOW)
        Transaction.objects.filter(occurred_at__lt=in_october(20)).update(amount_cents=1)

        assert [day.begins for day in counting.differences(creator)] == [in_october(18, 22), in_october(19, 22)]

    def test_a_creator_without_rows_has_no_days(self) -> None:
        assert counting.keep_days(make_creator(), now=NOW) == 0


def all_of(figures: Figures) -> list[object]:
    started = SubscriptionEvent.Kind.STARTED
    both = [
        (each.revenue(), each.revenue(["tip"]), each.campaign_revenue(), each.subscribers(started))
        for each in (figures, figures.before)
    ]
    return [*both, figures.revenue_by(Unit.WEEK), figures.reply_time_by(Unit.DAY), figures.subscribers_by(Unit.MONTH)]


class TestCensus:
    def test_it_is_taken_once_in_a_while_and_stays_when_the_day_is_over(self, creator: Creator) -> None:
        for hours in (0, 0.01, 1, 24):
            make_fan(creator, last_seen_at=NOW)
            analytics.take_census(creator, now=NOW + timedelta(hours=hours))

        assert list(Census.objects.order_by("day").values_list("day", "fans", "active_fans")) == [
            (date(2026, 11, 10), 4, 4),
            (date(2026, 11, 11), 5, 5),
        ]

    def test_of_very_many_fans_the_last_count_is_shown(self, creator: Creator, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(analytics, "MANY_FANS", 2)
        make_fan(creator)
        analytics.take_census(creator, now=NOW)
        make_fan(creator)

        today = Period(creator.zone, NOW.date(), NOW.date())
        soon, late = (Figures(creator, today, now=NOW + timedelta(minutes=minutes)).fans for minutes in (14, 16))

        assert (soon.total, soon.counted_at) == (2, NOW)
        assert late.total == 3
