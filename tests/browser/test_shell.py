"""What stands around every page: signing in, the drawer of a phone, the account's menu."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Creator, User
from crm.tests.factories import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_password_may_be_pasted_and_looked_at(page: Page, live_server: LiveServer, creator: Creator) -> None:
    page.goto(f"{live_server.url}/login?next=/fans")
    password = page.get_by_label("Password", exact=True)
    page.get_by_label("Username").fill("mia")
    password.evaluate(
        """(field, text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            const pasted = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
            if (field.dispatchEvent(pasted)) field.value = text;
        }""",
        PASSWORD,
    )

    page.get_by_role("button", name="Show the password").click()
    expect(password).to_have_attribute("type", "text")
    expect(password).to_have_value(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.wait_for_url("**/fans")


def test_the_menu_of_the_account_closes_by_itself(
    page: Page, live_server: LiveServer, sign_in: Callable[[], None]
) -> None:
    sign_in()
    page.goto(f"{live_server.url}/fans")
    account = page.locator("summary", has_text="Account of mia")

    account.click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()
    account.click()
    page.get_by_role("main").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_hidden()


def test_a_phone_without_javascript_has_the_drawer_the_language_and_the_way_out(
    browser: Browser, live_server: LiveServer, user: User, creator: Creator
) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(f"{live_server.url}/login?next=/fans")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    page.get_by_role("button", name="Menu").click()
    page.get_by_role("link", name="Messages").click()
    page.wait_for_url("**/messages/onlyfans")
    page.locator("summary", has_text="Account of mia").click()
    page.get_by_role("button", name="Français").click()
    expect(page.locator("html")).to_have_attribute("lang", "fr")
    page.locator("summary", has_text="Compte de mia").click()
    page.get_by_role("button", name="Se déconnecter").click()

    expect(page.get_by_role("status")).to_contain_text("Vous êtes déconnecté.")
    context.close()
