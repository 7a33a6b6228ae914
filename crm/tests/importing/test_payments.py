"""What a list of transactions does to the ledger."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from crm.clock import database_now
from crm.importing.running import work
from crm.models import Import, ImportState, Payment, Transaction
from crm.tests.factories import make_creator, make_fan
from crm.tests.importing.test_fans import counts, problems

pytestmark = pytest.mark.django_db

Run = Callable[..., Import]

REVENUE = (
    "date,type,username,gross_amount,platform_fee,net_amount,currency,status,description\n"
    "2025-11-01T10:00:00Z,tip,ava,10.00,2.00,8.00,USD,completed,Thanks\n"
    "2025-11-02,ppv,ava,25.00,5.00,20.00,USD,completed,\n"
    "2025-11-02,ppv,ava,25.00,5.00,20.00,USD,completed,\n"
    "2025-11-03,tip,ava,1.00,,,USD,loading,\n"
)


def test_revenue_becomes_payments_of_fans(imported: Run) -> None:
    creator = make_creator()
    ava = make_fan(creator, handle="Ava")

    job = imported(creator, REVENUE)

    assert (job.kind, counts(job)) == ("transactions", (3, 0, 0, 1))
    tip = Transaction.objects.get(kind="tip")
    assert (tip.fan, tip.amount_cents, tip.fee_cents, tip.net_cents) == (ava, 1000, 200, 800)
    assert (tip.currency, tip.source, tip.description) == ("USD", "import", "Thanks")
    ava.refresh_from_db()
    assert ava.value_cents == 6_000
    assert problems(job) == [(5, "not_settled")]


def test_the_same_revenue_again_adds_nothing(imported: Run) -> None:
    """Also two payments alike of one day: the file says two, and two they stay."""
    creator = make_creator()
    imported(creator, REVENUE)

    again = imported(creator, REVENUE)

    assert counts(again) == (0, 0, 3, 1)
    assert Transaction.objects.count() == 3


def test_a_payment_told_twice_to_the_second_is_one(imported: Run) -> None:
    job = imported(make_creator(), "Date,Type,Username,Amount\n" + 2 * "2025-11-01T10:00:01Z,tip,ava,5.00\n")

    assert (counts(job), problems(job)) == ((1, 0, 0, 1), [(3, "duplicate")])


def test_a_payment_that_an_event_told_is_not_added_again(imported: Run) -> None:
    creator = make_creator()
    ava = make_fan(creator, handle="ava")
    at = datetime(2025, 11, 1, 18, 30, tzinfo=UTC)
    event = Payment(kind="tip", amount_cents=500, occurred_at=at, source="event", fan=ava, event_key="e1")
    Transaction.objects.record(creator, [event])

    job = imported(creator, "Transaction ID,Date,Type,Username,Amount\nt1,2025-11-01,tip,ava,5.00\n")

    assert counts(job) == (0, 0, 1, 0)
    assert Transaction.objects.get().platform_id == "t1"


def test_who_paid_and_is_not_known_becomes_a_fan(imported: Run) -> None:
    creator = make_creator()

    imported(creator, "Transaction ID,Date,Amount,Fan ID,Fan username\nt1,2025-11-01,5,77,ava\nt2,2025-11-01,5,,ava\n")

    ava = creator.fans.get()
    assert (ava.platform_id, ava.handle, ava.value_cents) == ("77", "ava", 1_000)


def test_a_payment_of_nobody_in_particular_is_kept(imported: Run) -> None:
    creator = make_creator()

    job = imported(creator, "transaction_id,type,amount,net_amount,currency,created_at\nt1,tip,5,4,EUR,2025-11-01\n")

    assert counts(job) == (1, 0, 0, 0)
    assert (Transaction.objects.get().fan, Transaction.objects.get().currency) == (None, "EUR")


def test_a_username_of_two_fans_loses_its_payments_with_a_reason(imported: Run) -> None:
    creator = make_creator()
    make_fan(creator, platform_id="77", handle="ava")
    make_fan(creator, platform_id="78", handle="ava")

    job = imported(creator, "Transaction ID,Date,Amount,Username\nt1,2025-11-01,5,ava\nt2,2025-11-01,5,ava\n")

    assert (counts(job), problems(job)) == ((0, 0, 0, 2), [(2, "ambiguous_fan"), (3, "ambiguous_fan")])


def test_a_dry_run_of_payments_writes_nothing(accepted: Run) -> None:
    creator = make_creator()
    job = accepted(creator, REVENUE)
    job.move(ImportState.CHECKING, now=database_now())

    work(job)

    assert (job.state, counts(job)) == (ImportState.CHECKED, (3, 0, 0, 1))
    assert not creator.fans.exists()
    assert not Transaction.objects.exists()


def test_money_before_a_stated_value_is_not_added_to_it(imported: Run) -> None:
    creator = make_creator()
    imported(creator, "Username,Total Spent\nava,100\n")

    imported(creator, "Transaction ID,Date,Amount,Username\nt1,2025-11-01,5,ava\n")

    assert creator.fans.get().value_cents == 10_000
    assert database_now() - creator.fans.get().stated_value_at < timedelta(minutes=5)  # type: ignore[operator]
