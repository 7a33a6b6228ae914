"""What could not be sent although its writer has gone on, in Chromium: it is said, and it is kept."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from crm.models import Conversation, Creator, Message
from crm.tests.factories import make_conversation, make_fan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def sofia(creator: Creator) -> Conversation:
    return make_conversation(fan=make_fan(creator, name="Sofia"))


@pytest.fixture
def held(opened: Page, quiet: list[str]) -> Iterator[list[Route]]:
    """The replies on their way to the server, which does not get them before the test says so."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method == "POST":
            held.append(route)
        else:
            route.continue_()

    opened.context.route("**/messages/onlyfans/*", hold)
    yield held
    assert all("ERR_FAILED" in complaint for complaint in quiet)
    quiet.clear()


@pytest.mark.parametrize("width", [1440, 900])
def test_it_is_said_beside_another_conversation_and_kept_as_a_draft(
    sofia: Conversation, opened: Page, held: list[Route]
) -> None:
    opened.get_by_label("Message to Daniel").fill("For Daniel only")
    with opened.expect_request(lambda request: request.method == "POST"):
        opened.keyboard.press("Control+Enter")
    opened.get_by_role("link", name="Sofia").click()
    opened.get_by_label("Message to Sofia").fill("Half a sen")

    with opened.expect_response("**/draft"):
        held.pop().abort()

    notice = opened.get_by_role("alert").filter(has_text="Your message to Daniel was not sent.")
    expect(notice).to_be_visible()
    expect(opened.get_by_label("Message to Sofia")).to_have_value("Half a sen")
    expect(opened.get_by_label("Message to Sofia")).to_be_focused()
    notice.get_by_role("link", name="Daniel").click()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("For Daniel only")
    expect(notice).to_have_count(0)

    opened.context.unroute_all()
    opened.get_by_role("button", name="Send").click()
    expect(opened.locator("#thread .message")).to_contain_text("For Daniel only")
    assert Message.objects.count() == 1


@pytest.mark.parametrize("width", [1440])
def test_the_browser_asks_before_a_page_goes_that_alone_has_the_text(opened: Page, held: list[Route]) -> None:
    asked: list[str] = []

    def leave(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.accept()

    opened.on("dialog", leave)
    opened.route("**/draft", lambda route: route.abort())
    opened.get_by_label("Message to Daniel").fill("Nowhere else")
    opened.keyboard.press("Control+Enter")
    expect(opened.locator("#pending .message")).to_have_count(1)
    held.pop().abort()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("Nowhere else")

    opened.get_by_role("link", name="Fans", exact=True).click()

    expect(opened.get_by_role("heading", name="Fans")).to_be_visible()
    assert asked == ["beforeunload"]


def test_whoever_leaves_the_page_finds_it_again(opened: Page, held: list[Route]) -> None:
    address = opened.url
    opened.get_by_label("Message to Daniel").fill("one")
    with opened.expect_request(lambda request: request.method == "POST"):
        opened.keyboard.press("Control+Enter")

    # The first never arrives.
    opened.goto(address.replace("/messages/onlyfans", "/fans").rsplit("/", 1)[0])
    held.pop().abort()
    opened.goto(address)
    expect(opened.get_by_label("Message to Daniel")).to_have_value("one")

    # The first arrives, those behind it were not begun.
    for text in ("one", "two"):
        opened.get_by_label("Message to Daniel").fill(text)
        opened.keyboard.press("Control+Enter")
    opened.get_by_label("Message to Daniel").fill("three, still being typed")
    expect(opened.locator("#pending .message")).to_have_count(2)
    opened.goto(address.replace("/messages/onlyfans", "/fans").rsplit("/", 1)[0])
    opened.goto(address)
    expect(opened.get_by_label("Message to Daniel")).to_have_value("two\n\nthree, still being typed")
