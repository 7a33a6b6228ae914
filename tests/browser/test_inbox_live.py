"""What the inbox shows by itself, in Chromium: nothing is missed, doubled, or moved under the pointer."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Route, expect

from crm.models import Conversation, Creator
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan, make_message
from tests.browser.test_inbox_page import scrolled_up, top_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_states_and_replies_appear_by_themselves(opened: Page, conversation: Conversation) -> None:
    message = make_message(conversation, text="On its way", status=Status.HANDED_OVER)
    bubble = opened.locator(f"#m-{message.public_id}")
    expect(bubble).to_contain_text("Waiting")

    message.move(Status.SENDING)
    message.move(Status.SENT, sent_at=timezone.now(), lease=None, lease_until=None)
    expect(bubble).to_contain_text("Sent")

    conversation.receive(text="Got it, thank you", platform_id="p1", written_at=timezone.now())
    expect(opened.locator("#thread")).to_contain_text("Got it, thank you")
    expect(opened.get_by_role("log")).to_have_text("Daniel: Got it, thank you")
    # The page tells the server that somebody looks at it only after it has shown it.
    expect(opened.locator("#mark-read")).to_have_count(0)
    expect(opened.locator(".row .badge")).to_have_count(0)
    conversation.refresh_from_db()
    assert conversation.unread_count == 0


def test_what_came_while_the_page_slept_without_a_network_is_shown_once_and_in_order(
    opened: Page, conversation: Conversation, quiet: list[str]
) -> None:
    texts = [f"number {number}" for number in range(30)]

    def receive(numbers: range) -> None:
        for number in numbers:
            conversation.receive(text=texts[number], platform_id=f"p{number}", written_at=timezone.now())

    receive(range(3))
    expect(opened.locator("#thread .text")).to_have_text(texts[:3])
    opened.context.set_offline(True)
    _set_hidden(opened, True)
    receive(range(3, 20))

    # It wakes up before the network does; then the server is being restarted.
    _set_hidden(opened, False)
    expect(opened.get_by_text("The server cannot be reached.")).to_be_visible()
    opened.route("**/changes?*", lambda route: route.abort("connectionrefused"))
    with opened.expect_request("**/changes?*"):
        opened.context.set_offline(False)
    receive(range(20, 30))
    opened.unroute_all()

    expect(opened.locator("#thread .text")).to_have_text(texts)
    expect(opened.get_by_role("log").locator("p")).to_have_text([f"Daniel: {text}" for text in texts])
    expect(opened.locator(".row-preview")).to_have_text("number 29")
    expect(opened.get_by_text("The server cannot be reached.")).to_be_hidden()
    of_the_network = ("ERR_INTERNET_DISCONNECTED", "ERR_CONNECTION_REFUSED", "htmx:")
    assert all(any(known in said for known in of_the_network) for said in quiet)
    quiet.clear()


def test_a_part_whose_update_was_lost_is_asked_for_again(
    opened: Page, conversation: Conversation, quiet: list[str]
) -> None:
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            return route.continue_()
        lost.append(route.request.url)
        return route.abort()

    opened.route("**/messages?*", lose_the_first)
    opened.route("**/messages", lose_the_first)
    conversation.receive(text="Did you get this?", platform_id="p1", written_at=timezone.now())

    expect(opened.locator("#thread .text")).to_have_text(["Did you get this?"])
    assert lost
    assert any("ERR_FAILED" in said for said in quiet)
    quiet.clear()


def test_while_nothing_changes_the_page_is_told_so_without_a_body(opened: Page) -> None:
    with opened.expect_response("**/changes?*") as answered:
        pass

    assert answered.value.status == 304
    assert answered.value.request.header_value("If-None-Match")
    assert "after=" in answered.value.url


def test_an_update_leaves_alone_what_is_being_typed_and_read(opened: Page, conversation: Conversation) -> None:
    messages = [make_message(conversation, status=Status.RECEIVED, text=f"number {n}") for n in range(60)]
    opened.reload()
    opened.get_by_label("Message to Daniel").fill("half a sent")
    scrolled_up(opened)
    before = top_of(opened, messages[15])

    conversation.receive(text="Are you there?", platform_id="p1", written_at=timezone.now())

    expect(opened.locator("#thread")).to_contain_text("Are you there?")
    assert top_of(opened, messages[15]) == pytest.approx(before, abs=1)
    expect(opened.get_by_label("Message to Daniel")).to_have_value("half a sent")
    expect(opened.get_by_label("Message to Daniel")).to_be_focused()
    opened.get_by_role("button", name="New messages").click()
    expect(opened.locator("#thread .text").last).to_be_in_viewport()


@pytest.mark.parametrize("width", [1440, 900])
def test_the_row_under_the_pointer_does_not_move(
    opened: Page, creator: Creator, conversation: Conversation, width: int
) -> None:
    older = make_conversation(fan=make_fan(creator, name="Sofia"), last_message_at=timezone.now() - timedelta(hours=1))
    opened.reload()
    names, row = opened.locator(".row-name"), opened.locator(f"#c-{conversation.public_id}")
    expect(names).to_have_text(["Daniel", "Sofia"])
    row.hover()
    place = row.bounding_box()

    older.receive(text="Me first", platform_id="p1", written_at=timezone.now())
    make_conversation(fan=make_fan(creator, name="Theo")).receive(
        text="And me", platform_id="p2", written_at=timezone.now()
    )

    expect(opened.get_by_role("button", name="2 new")).to_be_visible()
    expect(opened.locator(f"#c-{older.public_id}")).to_contain_text("Me first")
    expect(names).to_have_text(["Daniel", "Sofia"])
    assert row.bounding_box() == place

    opened.get_by_label("Message to Daniel").hover()
    expect(names).to_have_text(["Theo", "Sofia", "Daniel"])


def test_nothing_is_asked_while_nobody_looks(opened: Page) -> None:
    asked: list[str] = []
    opened.on("request", lambda request: asked.append(request.url))

    _set_hidden(opened, True)
    opened.wait_for_timeout(300)
    asked.clear()
    opened.wait_for_timeout(2500)
    assert asked == []

    with opened.expect_request(lambda request: "/changes?" in request.url, timeout=1000):
        _set_hidden(opened, False)


def _set_hidden(page: Page, hidden: bool) -> None:
    """Say what a browser says when its tab goes into the background or comes back."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )
