"""What has the focus in the inbox is seen, whatever stands fixed above or below it (WCAG 2.2, 2.4.11)."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from crm.clock import database_now
from crm.models import Conversation, Creator
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
