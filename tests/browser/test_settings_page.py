"""Settings in Chromium: somebody is invited and comes in, a pace says what it means, a key is shown once."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import ApiKey, Creator, Membership

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

PASSWORD = "another-horse-battery"


@pytest.fixture
def settings_page(page: Page, live_server: LiveServer, creator: Creator, sign_in: Callable[[], None]) -> Page:
    sign_in()
    page.goto(f"{live_server.url}/settings")
    return page


def test_an_invited_chatter_comes_in_with_the_link(settings_page: Page, browser: Browser, creator: Creator) -> None:
    settings_page.get_by_role("navigation", name="Settings").get_by_role("link", name="Team").click()
    settings_page.get_by_label("Username").fill("nina")
    settings_page.get_by_label("Role", exact=True).select_option("Chatter")
    settings_page.get_by_role("button", name="Invite").click()
    link = settings_page.locator("#link").inner_text()

    with browser.new_context() as elsewhere:
        newcomer = elsewhere.new_page()
        newcomer.goto(link)
        newcomer.get_by_label("New password", exact=True).fill(PASSWORD)
        newcomer.get_by_label("New password confirmation").fill(PASSWORD)
        newcomer.get_by_role("button", name="Come in").click()

        expect(newcomer.get_by_role("link", name="Messages")).to_have_attribute("aria-current", "page")
    assert creator.memberships.get(user__username="nina").role == Membership.Role.CHATTER


def test_a_pace_says_what_it_means_before_it_is_kept(settings_page: Page, creator: Creator) -> None:
    settings_page.get_by_role("link", name="Creator", exact=True).click()
    settings_page.get_by_label("Pace").fill("5/60, 100/86400")
    settings_page.get_by_role("button", name="What does this pace mean?").click()
    expect(settings_page.get_by_text("It would mean: One message every")).to_contain_text(
        "never more than 100 in any 24 h"
    )
    settings_page.get_by_role("button", name="Save").click()

    expect(settings_page.get_by_role("note")).to_contain_text("never more than 5 in any minute")
    creator.refresh_from_db()
    assert creator.pace == "5/60, 100/86400"


def test_a_key_is_shown_once(settings_page: Page, live_server: LiveServer) -> None:
    settings_page.get_by_role("link", name="API keys").click()
    settings_page.get_by_label("Name").fill("Shop")
    settings_page.get_by_role("button", name="Make the key").click()

    secret = settings_page.locator("#secret").inner_text()
    assert secret.startswith(ApiKey.objects.get().prefix)
    settings_page.goto(f"{live_server.url}/settings/keys")
    expect(settings_page.get_by_role("rowheader", name="Shop")).to_be_visible()
    expect(settings_page.get_by_text(secret)).to_have_count(0)
