"""Campaigns in Chromium: written, launched, watched and stopped, wide and on a phone."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm import campaigning
from crm.clock import database_now
from crm.models import Campaign, Creator
from crm.models.messages import Status
from crm.tests.factories import make_fan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def web(page: Page, sign_in: Callable[[], None]) -> Page:
    sign_in()
    return page


def fits(page: Page) -> None:
    """Nothing is wider than the window."""
    page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")


def test_from_a_filter_to_a_running_campaign(web: Page, live_server: LiveServer, creator: Creator) -> None:
    make_fan(creator, name="Leo", value_cents=9_000)
    make_fan(creator, name="", value_cents=8_000)
    make_fan(creator, name="Ada", value_cents=7_000, blocked_at=database_now())
    make_fan(creator, name="Ben", value_cents=10)

    web.goto(f"{live_server.url}/campaigns/new?valueMin=5000")
    expect(web.locator("#preview .stat").first).to_contain_text("2")
    web.get_by_label("Name", exact=True).fill("Sunday")
    web.get_by_role("textbox", name="Message").fill("Hi {name|you}, it is Sunday")
    expect(web.locator("#preview .letter-text", has_text="Hi Leo, it is Sunday")).to_be_visible()
    web.locator("#preview summary", has_text="A fan without a name").click()
    expect(web.locator("#preview .letter-text", has_text="Hi you, it is Sunday").first).to_be_visible()
    expect(web.locator("#preview")).to_contain_text("Blocked")
    fits(web)
    web.get_by_role("button", name="Keep and review").click()
    expect(web.get_by_role("heading", name="Sunday")).to_be_visible()
    web.get_by_role("button", name="Launch now").click()

    expect(web.locator("#progress")).to_contain_text("0 of 2 sent")
    fits(web)
    assert sorted(Campaign.objects.get().messages.values_list("text", flat=True)) == [
        "Hi Leo, it is Sunday",
        "Hi you, it is Sunday",
    ]


def test_a_running_one_is_watched_paused_resumed_and_cancelled(
    web: Page, live_server: LiveServer, creator: Creator
) -> None:
    fans = [str(make_fan(creator).public_id) for _ in range(3)]
    campaign = campaigning.draft(creator, author=None, name="Three", text="Hello", audience={"fans": fans})
    campaigning.launch(campaign)
    web.goto(f"{live_server.url}/campaigns/{campaign.public_id}")
    expect(web.locator("#progress")).to_contain_text("0 of 3 sent")

    sent = campaign.messages.first()
    assert sent
    sent.hand_over(until=database_now())
    sent.take_lease(until=database_now())
    sent.move(Status.SENDING, sending_at=database_now())
    sent.settle(Status.SENT, sent_at=database_now(), platform_id="1")
    expect(web.locator("#progress")).to_contain_text("1 of 3 sent · 33 %")

    web.get_by_role("button", name="Pause").click()
    expect(web.locator(".banner")).to_contain_text("It is paused.")
    web.get_by_role("button", name="Resume").click()
    expect(web.get_by_role("button", name="Pause")).to_be_visible()
    web.get_by_text("Cancel…").click()
    web.get_by_role("button", name="Cancel this campaign").click()

    expect(web.get_by_role("status").filter(has_text="2 fans will not get it. 1 have it")).to_be_visible()
    fits(web)
    assert Campaign.objects.get().status == "cancelled"


def test_buttons_change_by_themselves_when_somebody_else_pauses_it(
    web: Page, live_server: LiveServer, creator: Creator
) -> None:
    fans = [str(make_fan(creator).public_id)]
    campaign = campaigning.draft(creator, author=None, name="One", text="Hello", audience={"fans": fans})
    campaigning.launch(campaign)
    web.goto(f"{live_server.url}/campaigns/{campaign.public_id}")
    expect(web.get_by_role("button", name="Pause")).to_be_visible()

    campaigning.pause(campaign)

    expect(web.get_by_role("button", name="Resume")).to_be_visible()
