"""An operator asks whether the kept days are what their rows come to."""

from datetime import UTC, datetime

import pytest

from crm import counting
from crm.clock import database_now
from crm.models import Creator, Day, Payment, Transaction
from crm.tests.factories import make_fan
from crm.tests.management.operator import run

pytestmark = pytest.mark.django_db


def test_days_that_differ_are_named_and_forgotten_when_asked(creator: Creator) -> None:
    at = datetime(2026, 10, 25, 12, tzinfo=UTC)
    fan = make_fan(creator)
    payment = Payment(kind="tip", amount_cents=500, occurred_at=at, source="event", fan=fan, event_key="k")
    Transaction.objects.record(creator, [payment])
    counting.keep_days(creator, now=database_now())
    assert run("check_figures").code == 0

    Transaction.objects.update(amount_cents=900)
    said = run("check_figures", "--creator", creator.name, "--json")

    assert (said.code, said.json["days"]) == (1, Day.objects.count())
    assert [day["begins"] for day in said.json["differ"]] == ["2026-10-25T00:00:00Z"]
    assert run("check_figures", "--forget").code == 1
    assert run("check_figures").code == 0
    counting.keep_days(creator, now=database_now())
    assert run("check_figures").code == 0
