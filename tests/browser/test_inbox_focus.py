"""What has the focus in the inbox is seen, whatever stands fixed above or below it (WCAG 2.2, 2.4.11), and nobody who
works by keyboard is sent back to the page's beginning."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.clock import database_now
from crm.models import Conversation, Creator, Note, Tag, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan, make_message

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

#: What hides the focused element wholly: it is outside the window, or others lie over each of nine points of it.
HIDDEN = """() => {
  const focused = document.activeElement;
  if (!focused || focused === document.body) return null;
  // A box that is drawn by its label, as large as the label.
  const shown = focused.closest("label") ?? focused;
  const box = shown.getBoundingClientRect();
  const parts = [0.1, 0.5, 0.9];
  const isSeen = parts.some((x) => parts.some((y) => {
    const top = document.elementFromPoint(box.left + box.width * x, box.top + box.height * y);
    return shown.contains(top);
  }));
  return { name: focused.id || focused.textContent.trim().slice(0, 40) || focused.outerHTML.slice(0, 80), isSeen };
}"""


def hidden_on_the_way(page: Page) -> tuple[int, list[str]]:
    """Tab through the whole page: how many had the focus, and who of them could not be seen."""
    page.evaluate("document.activeElement?.blur()")
    steps, hidden = 0, []
    for _ in range(150):
        page.keyboard.press("Tab")
        found: Any = page.evaluate(HIDDEN)
        if found is None:
            break
        steps += 1
        if not found["isSeen"]:
            hidden.append(found["name"])
    return steps, hidden


@pytest.mark.parametrize("width", [900, 390])
def test_nothing_that_is_fixed_hides_what_has_the_focus(
    opened: Page, live_server: LiveServer, creator: Creator, conversation: Conversation
) -> None:
    now = database_now()
    for number in range(12):
        make_conversation(fan=make_fan(creator, name=f"Fan {number}"), last_message_at=now - timedelta(hours=number))
        make_message(conversation, status=Status.FAILED, text=f"number {number}")
    opened.reload()
    steps, hidden = hidden_on_the_way(opened)
    assert (steps > 20, hidden) == (True, [])

    # With the bar that stands below the list once something is selected.
    opened.goto(f"{live_server.url}/messages/onlyfans")
    opened.locator(".pick input").first.check(force=True)
    steps, hidden = hidden_on_the_way(opened)
    assert (steps > 20, hidden) == (True, [])


def press(control: Locator) -> None:
    control.focus()
    control.press("Enter")


def test_whoever_works_on_the_card_by_keyboard_stays_there(opened: Page, creator: Creator, width: int) -> None:
    card = opened.get_by_role("complementary", name="About this fan")
    if width < 1024:
        press(opened.get_by_role("link", name="About Daniel"))
        expect(card).to_be_focused()
    field, add = card.get_by_label("Add a tag"), card.get_by_role("button", name="Add", exact=True)
    for name in ("early bird", "night owl"):
        field.fill(name)
        press(add)
        expect(card.get_by_role("button", name=f"Take {name} off")).to_be_visible()
        expect(add).to_be_focused()

    press(card.get_by_role("button", name="Take early bird off"))
    expect(card.get_by_role("button", name="Take early bird off")).to_have_count(0)
    expect(card.get_by_role("button", name="Take night owl off")).to_be_focused()
    press(card.get_by_role("button", name="Take night owl off"))
    expect(field).to_be_focused()

    for text in ("Likes tea", "Likes balconies"):
        card.get_by_label("New note").fill(text)
        press(card.get_by_role("button", name="Add note"))
        expect(card.locator(".card-note-text").first).to_have_text(text)
        expect(card.get_by_role("button", name="Add note")).to_be_focused()
    newer = card.locator("summary", has_text="Change").first
    for act in ("Save", "Delete note"):
        press(newer)
        press(card.get_by_role("button", name=act))
        expect(card.locator("details[open]")).to_have_count(0)
        expect(card.locator("summary:focus")).to_have_count(1)
    expect(card.locator(".card-note-text")).to_have_text(["Likes tea"])
    expect(newer).to_be_focused()
    assert (Tag.objects.count(), Note.objects.count()) == (2, 1)


def test_whoever_settles_a_message_by_keyboard_stays_at_it(opened: Page, conversation: Conversation) -> None:
    waits, failed, sent, lost = (
        make_message(conversation, status=status, text=f"the one that is {status}")
        for status in (Status.QUEUED, Status.FAILED, Status.NEEDS_PERSON, Status.NEEDS_PERSON)
    )
    opened.reload()
    for message, act, becomes in (
        (waits, "Cancel", Status.CANCELLED),
        (failed, "Send again", Status.QUEUED),
        (sent, "It was sent", Status.SENT),
        (lost, "Send it again", Status.QUEUED),
    ):
        bubble = opened.locator(f"#m-{message.public_id}")
        press(bubble.get_by_role("button", name=act, exact=True))
        expect(bubble.get_by_role("button", name=act, exact=True)).to_have_count(0)
        expect(bubble).to_be_focused()
        message.refresh_from_db()
        assert message.status == becomes

    # What waits may be sent, or cancelled by somebody else, while its button has the focus.
    bubble = opened.locator(f"#m-{failed.public_id}")
    bubble.get_by_role("button", name="Cancel").focus()
    failed.refresh_from_db()
    failed.cancel(by=User.objects.get())
    expect(bubble).to_contain_text("Cancelled")
    expect(bubble).to_be_focused()


@pytest.mark.parametrize("width", [1440])
def test_older_messages_and_conversations_come_without_the_focus_being_lost(
    opened: Page, creator: Creator, conversation: Conversation
) -> None:
    for number in range(60):
        make_message(conversation, status=Status.RECEIVED, text=f"number {number}")
    now = database_now()
    for number in range(60):
        make_conversation(fan=make_fan(creator, name=f"Fan {number}"), last_message_at=now - timedelta(hours=number))
    opened.reload()

    press(opened.get_by_role("link", name="Older messages"))
    expect(opened.get_by_role("link", name="Older messages")).to_have_count(0)
    expect(opened.locator("#scroller")).to_be_focused()

    press(opened.locator("#list").get_by_role("link", name="Unread"))
    expect(opened.locator("#list").get_by_role("link", name="Unread")).to_have_attribute("aria-current", "true")
    expect(opened.locator("#list").get_by_role("link", name="Unread")).to_be_focused()
    press(opened.locator(".views a").first)
    press(opened.get_by_role("link", name="Older conversations"))
    expect(opened.get_by_role("link", name="Newest conversations")).to_be_focused()
