"""The inbox in Chromium: what people see happen, with JavaScript and without."""

from collections.abc import Callable

import pytest
from django.utils import timezone
from playwright.sync_api import Locator, Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Conversation, Creator, Message, User
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_conversation, make_fan, make_message

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def scrolled_up(page: Page) -> None:
    page.locator("#scroller").evaluate("scroller => scroller.scrollTop = -scroller.scrollHeight")


def top_of(page: Page, message: Message) -> float:
    box = page.locator(f"#m-{message.public_id}").bounding_box()
    assert box
    return box["y"]


def test_from_sign_in_to_a_reply(
    page: Page, live_server: LiveServer, user: User, conversation: Conversation, width: int
) -> None:
    page.goto(f"{live_server.url}/")
    page.get_by_label("Username").fill(user.username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="Daniel").click()

    page.get_by_label("Message to Daniel").fill("Hello Daniel!\nHow was your day?")
    page.keyboard.press("Control+Enter")

    bubble = page.locator("#thread .message", has_text="How was your day?")
    expect(bubble).to_contain_text("Waiting")
    expect(page.get_by_label("Message to Daniel")).to_have_value("")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width < 768:
        page.get_by_role("link", name="All conversations").click()
    expect(page.locator(".row-preview")).to_contain_text("Hello Daniel! How was your day?")
    assert Message.objects.get().text == "Hello Daniel!\nHow was your day?"


def test_the_bubble_is_there_before_the_server_has_answered(opened: Page) -> None:
    waiting: list[Route] = []
    opened.route("**/messages/onlyfans/*", lambda route: _hold_posts(route, waiting))
    opened.get_by_label("Message to Daniel").fill("Right away")

    milliseconds = opened.evaluate(
        """() => new Promise((seen) => {
            const start = performance.now();
            new MutationObserver(() => seen(performance.now() - start))
                .observe(document.getElementById("pending"), { childList: true });
            document.getElementById("composer").requestSubmit();
        })"""
    )

    assert milliseconds < 100
    expect(opened.locator("#pending .message")).to_contain_text("Right away")
    opened.wait_for_timeout(200)
    waiting.pop().continue_()
    expect(opened.locator("#thread .message")).to_contain_text("Right away")
    expect(opened.locator("#pending .message")).to_have_count(0)


def test_replies_written_fast_arrive_each_once_and_in_order(opened: Page) -> None:
    for text in ("one", "two", "three"):
        opened.get_by_label("Message to Daniel").fill(text)
        opened.keyboard.press("Control+Enter")

    expect(opened.locator("#thread .text")).to_have_text(["one", "two", "three"])
    assert list(Message.objects.order_by("id").values_list("text", flat=True)) == ["one", "two", "three"]


def test_text_is_back_when_the_server_cannot_be_reached_and_goes_out_once(opened: Page, quiet: list[str]) -> None:
    # The worst case: the message was stored, only the answer was lost.
    opened.route("**/messages/onlyfans/*", _lose_answers)
    opened.get_by_label("Message to Daniel").fill("Only once")
    opened.keyboard.press("Control+Enter")
    expect(opened.get_by_text("The server did not answer.")).to_be_visible()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("Only once")

    opened.unroute_all()
    opened.get_by_role("button", name="Send").click()

    expect(opened.get_by_label("Message to Daniel")).to_have_value("")
    expect(opened.locator("#thread .message")).to_have_count(1)
    assert Message.objects.count() == 1
    assert all("ERR_FAILED" in complaint for complaint in quiet)
    quiet.clear()


def test_several_replies_that_come_back_stand_in_the_order_they_were_written(opened: Page, quiet: list[str]) -> None:
    held: list[Route] = []
    opened.route("**/messages/onlyfans/*", lambda route: _hold_posts(route, held))
    for text in ("one", "two"):
        opened.get_by_label("Message to Daniel").fill(text)
        opened.keyboard.press("Control+Enter")
    opened.get_by_label("Message to Daniel").fill("three, still being typed")
    expect(opened.locator("#pending .message")).to_have_count(2)

    held.pop().abort()

    expect(opened.get_by_label("Message to Daniel")).to_have_value("one\n\ntwo\n\nthree, still being typed")
    expect(opened.locator("#pending .message")).to_have_count(0)
    assert not held, "the second is not posted past the first"
    assert not Message.objects.exists()
    assert all("ERR_FAILED" in complaint for complaint in quiet)
    quiet.clear()


def test_an_error_stands_at_its_field_and_what_was_typed_stays(opened: Page, quiet: list[str]) -> None:
    opened.get_by_text("Price, media, time").click()
    opened.get_by_label("Price in dollars").fill("250")
    opened.get_by_label("Message to Daniel").fill("For you")
    opened.get_by_role("button", name="Send").click()

    expect(opened.get_by_text("A price is 0, or from $3 to $200.")).to_be_visible()
    expect(opened.get_by_label("Price in dollars")).to_be_focused()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("For you")
    assert not Message.objects.exists()

    opened.get_by_label("Price in dollars").fill("25")
    opened.get_by_label("Media addresses").fill("https://a.example/1.jpg")
    opened.keyboard.press("Control+Enter")
    expect(opened.locator("#thread .message")).to_contain_text("$25 to unlock")
    assert all("400 (Bad Request)" in complaint for complaint in quiet)
    quiet.clear()


def test_a_text_that_is_too_long_is_counted_and_not_sent(opened: Page) -> None:
    opened.get_by_label("Message to Daniel").fill("🥹" * 5001)
    opened.keyboard.press("Control+Enter")

    expect(opened.locator(".characters")).to_have_text("5,001 / 5,000")
    expect(opened.locator("#pending .message")).to_have_count(0)
    expect(opened.get_by_label("Message to Daniel")).not_to_have_value("")


def test_seeing_a_conversation_reads_it(
    page: Page, live_server: LiveServer, conversation: Conversation, sign_in: Callable[[], None]
) -> None:
    conversation.receive(text="Are you there?", platform_id="p1", written_at=timezone.now())
    sign_in()
    page.goto(f"{live_server.url}/messages/onlyfans")
    expect(page.locator(".row .badge")).to_contain_text("1")

    page.get_by_role("link", name="Daniel").click()

    expect(page.locator(".row .badge")).to_have_count(0)
    conversation.receive(text="Hello?", platform_id="p2", written_at=timezone.now())
    page.reload()
    expect(page.locator(".row .badge")).to_have_count(0)


def test_older_messages_come_in_above_without_a_jump(opened: Page, conversation: Conversation) -> None:
    messages = [make_message(conversation, status=Status.RECEIVED, text=f"number {n}") for n in range(120)]
    opened.reload()
    scrolled_up(opened)
    before = top_of(opened, messages[70])

    opened.get_by_role("link", name="Older messages").click()

    expect(opened.locator("#thread .message")).to_have_count(100)
    assert top_of(opened, messages[70]) == pytest.approx(before, abs=1)
    make_message(conversation, status=Status.RECEIVED, text="the newest")
    expect(opened.locator("#thread .message")).to_have_count(101)


@pytest.mark.parametrize("width", [1440, 900])
def test_another_conversation_opens_in_place_and_each_keeps_its_draft(opened: Page, creator: Creator) -> None:
    make_conversation(fan=make_fan(creator, name="Sofia"))
    opened.reload()
    opened.get_by_label("Message to Daniel").fill("for Daniel")

    opened.get_by_role("link", name="Sofia").click()
    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()
    expect(opened.get_by_label("Message to Sofia")).to_have_value("")
    expect(opened.get_by_label("Message to Sofia")).to_be_focused()
    opened.get_by_label("Message to Sofia").fill("for Sofia")
    opened.keyboard.press("Control+Enter")
    expect(opened.locator("#thread .message")).to_contain_text("for Sofia")

    opened.get_by_role("link", name="Daniel").click()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("for Daniel")
    assert Message.objects.get().conversation.fan.name == "Sofia"

    opened.go_back()
    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()


@pytest.mark.parametrize("width", [1440, 900])
def test_a_page_made_before_the_draft_was_kept_does_not_hide_it(
    opened: Page, conversation: Conversation, creator: Creator
) -> None:
    make_conversation(fan=make_fan(creator, name="Sofia"))
    opened.reload()
    saves: list[Route] = []

    def save_once_the_page_is_made(asked: Route) -> None:
        page = asked.fetch()
        with opened.expect_response("**/draft"):
            saves.pop().continue_()
        asked.fulfill(response=page)

    opened.route("**/draft", lambda save: saves.append(save))
    opened.route(f"**/messages/onlyfans/{conversation.public_id}", save_once_the_page_is_made)
    with opened.expect_request("**/draft"):
        opened.get_by_label("Message to Daniel").fill("for Daniel")
        opened.get_by_role("link", name="Sofia").click()
    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()

    opened.get_by_role("link", name="Daniel").click()

    expect(opened.get_by_label("Message to Daniel")).to_have_value("for Daniel")


def test_who_is_signed_out_is_told_and_loses_no_text(opened: Page, quiet: list[str]) -> None:
    opened.get_by_label("Message to Daniel").fill("half a sentence")
    opened.context.clear_cookies(name="sessionid")

    expect(opened.get_by_text("You are signed out.").first).to_be_visible()
    opened.keyboard.press("Control+Enter")
    expect(opened.get_by_text("You are signed out. Sign in again in another tab")).to_be_visible()

    expect(opened.get_by_label("Message to Daniel")).to_have_value("half a sentence")
    quiet.clear()


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_shows_one_pane_at_a_time(
    page: Page, live_server: LiveServer, conversation: Conversation, sign_in: Callable[[], None], width: int
) -> None:
    sign_in()
    page.goto(f"{live_server.url}/messages/onlyfans")
    expect(page.locator(".thread-pane")).to_be_hidden()

    page.get_by_role("link", name="Daniel").click()
    expect(page.get_by_role("heading", name="Daniel")).to_be_focused()
    expect(page.locator(".list-pane")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    page.get_by_role("link", name="All conversations").click()
    expect(page.get_by_role("link", name="Daniel")).to_be_visible()


def test_without_javascript_everything_reads_filters_and_sends(
    plain: Page, live_server: LiveServer, user: User, conversation: Conversation
) -> None:
    conversation.receive(text="Are you there?", platform_id="p1", written_at=timezone.now())
    plain.context.clear_cookies()
    plain.goto(f"{live_server.url}/messages/onlyfans")
    plain.get_by_label("Username").fill(user.username)
    plain.get_by_label("Password").fill(PASSWORD)
    plain.get_by_role("button", name="Sign in").click()
    plain.get_by_role("link", name="Unread 1").click()
    plain.get_by_role("link", name="Daniel").click()
    expect(plain.locator("#thread")).to_contain_text("Are you there?")
    plain.locator("#mark-read").get_by_role("button", name="Mark as read").click()
    expect(plain.locator("#mark-read")).to_have_count(0)

    plain.get_by_label("Message to Daniel").fill("I am!")
    plain.get_by_role("button", name="Send").click()

    expect(plain.locator(".message.out")).to_contain_text("I am!")
    expect(plain.locator(".message.out")).to_be_in_viewport()
    Message.objects.filter(direction=Message.Direction.OUT).update(status=Status.FAILED, cause="They said no.")
    plain.get_by_role("link", name="Refresh").click()
    expect(plain.locator(".message.out")).to_contain_text("They said no.")


def _hold_posts(route: Route, held: list[Route]) -> None:
    if route.request.method == "POST":
        held.append(route)
    else:
        route.continue_()


def _lose_answers(route: Route) -> None:
    if route.request.method == "POST":
        route.fetch()
        route.abort()
    else:
        route.continue_()


@pytest.mark.parametrize("width", [1440])
def test_the_columns_are_as_wide_as_somebody_made_them(opened: Page, live_server: LiveServer) -> None:
    divider = opened.get_by_role("separator", name="Width of the list")
    pane, card = opened.locator("#list-pane"), opened.locator("#card")
    usual = width_of(pane)
    place = divider.bounding_box()
    assert place

    opened.mouse.move(place["x"] + 6, 600)
    opened.mouse.down()
    opened.mouse.move(430, 600)
    opened.mouse.up()
    assert width_of(pane) == pytest.approx(430, abs=2)
    expect(divider).to_have_attribute("aria-valuenow", "30")
    divider.press("ArrowRight")
    assert width_of(pane) == pytest.approx(430 + 14.4, abs=2)
    opened.locator(".list-divider").get_by_role("button", name="Narrower").click()
    expect(divider).to_have_attribute("aria-valuenow", "29")

    about = opened.get_by_role("separator", name="Width of what stands about this fan")
    about.press("End")
    assert width_of(card) == pytest.approx(1440 * 0.28, abs=2)
    opened.reload()
    assert (width_of(pane), width_of(card)) == pytest.approx((1440 * 0.29, 1440 * 0.28), abs=4)

    divider.dblclick(position={"x": 6, "y": 700})
    assert width_of(pane) == pytest.approx(usual, abs=1)
    opened.set_viewport_size({"width": 900, "height": 900})
    expect(about).to_be_hidden()
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")


def width_of(pane: Locator) -> float:
    box = pane.bounding_box()
    assert box
    return box["width"]
