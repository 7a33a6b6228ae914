"""Conversations leave the inbox's list and come back, in Chromium."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from crm.clock import database_now
from crm.models import Conversation, Creator
from crm.tests.factories import make_conversation, make_fan
from tests.browser.test_inbox_team import press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sofia(creator: Creator, conversation: Conversation) -> Conversation:
    """The next one of the list."""
    an_hour_ago = database_now() - timedelta(hours=1)
    return make_conversation(fan=make_fan(creator, name="Sofia"), last_message_at=an_hour_ago)


def leave_the_field(page: Page) -> None:
    page.locator("#thread-title").evaluate("title => title.focus()")


def test_closed_the_next_one_opens_and_undo_brings_it_back_at_every_width(
    sofia: Conversation, opened: Page, conversation: Conversation, width: int
) -> None:
    opened.get_by_role("button", name="Close", exact=True).click()

    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()
    expect(opened).to_have_url(f"{opened.url.rsplit('/', 1)[0]}/{sofia.public_id}")
    done = opened.locator("#done")
    expect(done).to_contain_text("Daniel is closed.")
    expect(opened.locator("#list .row")).to_have_count(1)

    done.get_by_role("button", name="Undo").click()

    expect(opened.get_by_role("heading", name="Daniel")).to_be_visible()
    expect(opened.locator("#list .row")).to_have_count(2)
    expect(done).to_be_empty()
    expect(opened.locator("#thread-title" if width == 390 else f"#c-{conversation.public_id} a")).to_be_focused()


@pytest.mark.parametrize("width", [1440, 900])
def test_the_key_closes_and_what_was_being_written_is_not_lost(
    sofia: Conversation, opened: Page, conversation: Conversation
) -> None:
    opened.get_by_label("Message to Daniel").fill("Half a sen")
    leave_the_field(opened)

    # On a French keyboard, too, it is the key that writes “e”.
    press(opened, "e", "KeyE")

    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()
    press(opened, "e", "KeyE")
    expect(opened.get_by_text("No conversation open")).to_be_visible()
    expect(opened.locator("#list .views [aria-current]")).to_be_focused()
    assert Conversation.objects.closed().count() == 2

    opened.get_by_role("link", name="Closed").click()
    opened.get_by_role("link", name="Daniel").click()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("Half a sen")
    leave_the_field(opened)
    press(opened, "e", "KeyE")
    expect(opened.get_by_role("button", name="Close", exact=True)).to_be_visible()
    conversation.refresh_from_db()
    assert conversation.closed_at is None


def test_snoozed_the_next_one_opens_and_its_view_has_it_at_every_width(
    sofia: Conversation, opened: Page, width: int
) -> None:
    if width > 390:
        leave_the_field(opened)
        press(opened, "s", "KeyS")
        expect(opened.locator(".snoozing .menu-item").first).to_be_focused()
    else:
        opened.locator(".snoozing summary").click()
    opened.get_by_role("button", name="Tomorrow morning").click()

    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()
    expect(opened.locator("#done")).to_contain_text("Daniel is snoozed until tomorrow at 09:00.")
    if width == 390:
        opened.get_by_role("link", name="All conversations").click()
    opened.get_by_role("link", name="Snoozed").click()
    opened.get_by_role("link", name="Daniel").click()
    opened.get_by_role("button", name="Reopen").click()
    expect(opened.get_by_role("button", name="Reopen")).to_have_count(0)
    assert not Conversation.objects.filter(snoozed_until__isnull=False).exists()


@pytest.mark.parametrize("width", [1440])
def test_the_fan_writes_and_it_is_back_by_itself(sofia: Conversation, opened: Page, conversation: Conversation) -> None:
    opened.get_by_role("button", name="Close", exact=True).click()
    expect(opened.locator("#list .row")).to_have_count(1)
    opened.mouse.move(900, 500)

    conversation.receive(text="Wait!", platform_id="77", written_at=database_now())

    expect(opened.locator(f"#c-{conversation.public_id}")).to_contain_text("Wait!")


@pytest.mark.usefixtures("sofia")
def test_without_javascript_it_is_closed_and_taken_back(plain: Page) -> None:
    plain.reload()
    plain.get_by_role("link", name="Daniel").click()

    plain.locator("#handling").get_by_role("button", name="Close").click()
    expect(plain.get_by_role("heading", name="Sofia")).to_be_visible()
    plain.get_by_role("button", name="Undo").click()
    expect(plain.get_by_role("heading", name="Daniel")).to_be_visible()
    plain.locator(".snoozing summary").click()
    plain.get_by_label("Date and time").fill("2020-01-01T09:00")
    plain.get_by_role("button", name="Snooze", exact=True).click()
    expect(plain.get_by_text("From a minute to 366 days ahead.")).to_be_visible()
    expect(plain.locator("#list .row")).to_have_count(2)


@pytest.mark.parametrize("width", [1440])
def test_news_of_a_conversation_that_was_closed_meanwhile_are_dropped(opened: Page, conversation: Conversation) -> None:
    late: list[Route] = []
    opened.route("**/messages?*", lambda route: late.append(route))
    with opened.expect_request("**/messages?*"):
        conversation.receive(text="One more thing.", platform_id="p1", written_at=database_now())
    leave_the_field(opened)
    press(opened, "e", "KeyE")
    expect(opened.get_by_text("No conversation open")).to_be_visible()

    with opened.expect_response("**/messages?*"):
        late[0].continue_()
    opened.get_by_role("link", name="Closed").click()

    expect(opened.get_by_role("link", name="Daniel")).to_be_visible()
