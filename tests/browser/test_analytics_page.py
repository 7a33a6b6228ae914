"""The figures in Chromium: a range is changed, a bar is read, its rows are opened."""

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.clock import database_now
from crm.models import Creator, Transaction
from crm.tests.factories import make_fan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

NO_SPACE = "wilhelmina.von.hohenfels-schillingsfuerst"


def test_from_another_range_to_the_payments_of_a_week(
    page: Page, live_server: LiveServer, creator: Creator, sign_in: Callable[[], None]
) -> None:
    fan = make_fan(creator, name="Leo", value_cents=4_000)
    make_fan(creator, name=NO_SPACE, value_cents=123_456_789)
    for days, cents in ((1, 1_000), (60, 3_000)):
        Transaction.objects.create(
            creator=creator,
            fan=fan,
            kind="tip",
            amount_cents=cents,
            currency="USD",
            occurred_at=database_now() - timedelta(days=days),
            source="event",
        )
    sign_in()

    page.goto(f"{live_server.url}/platforms/onlyfans/analytics")
    revenue = page.locator(".stat", has_text="Revenue").first
    expect(revenue).to_contain_text("$10")
    expect(page.locator(".figure-lists tr", has_text="Leo")).to_contain_text(re.compile(r"\$10\s*–\s*\$40"))
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="90 days").click()
    expect(revenue).to_contain_text("$40")
    expect(page.locator(".chart-bar")).to_have_count(2)
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_text("As a table").click()
    page.locator(".chart-table tr", has_text="$30").get_by_role("link").click()

    expect(page.get_by_role("heading", name="Payments")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("Leo")
