"""What a team's inbox does in Chromium: drafts, undo, the guard, snippets, the card, search and keys."""

from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect

from crm import composing
from crm.clock import database_now
from crm.models import Conversation, Creator, Draft, Message, Presence, Snippet, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan, make_membership, make_message, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def anna(creator: Creator) -> User:
    anna = make_user("anna", first_name="Anna")
    make_membership(anna, creator)
    return anna


@pytest.fixture
def welcome(creator: Creator) -> Snippet:
    Snippet.objects.create(creator=creator, name="Price", text="It is $5.")
    return Snippet.objects.create(creator=creator, name="Welcome", text="welcome, {first_name|you}")


def press(page: Page, key: str, code: str) -> None:
    """A key as a keyboard of another layout sends it."""
    page.evaluate(
        """([key, code]) => document.activeElement.dispatchEvent(
            new KeyboardEvent("keydown", { key, code, bubbles: true, cancelable: true }))""",
        [key, code],
    )


def test_what_was_typed_survives_a_reload_and_is_gone_once_sent(opened: Page) -> None:
    opened.get_by_label("Message to Daniel").fill("Half a sen")
    expect(opened.get_by_text("Draft kept")).to_be_visible()

    opened.reload()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("Half a sen")
    opened.get_by_label("Message to Daniel").press("Control+Enter")
    expect(opened.locator("#thread .message")).to_contain_text("Half a sen")

    opened.reload()
    expect(opened.get_by_label("Message to Daniel")).to_have_value("")
    assert not Draft.objects.exists()


def test_undo_puts_the_text_back_before_what_was_typed_since(opened: Page, user: User) -> None:
    User.objects.filter(pk=user.pk).update(undo_seconds=10)
    opened.get_by_label("Message to Daniel").fill("Too soon")
    opened.get_by_role("button", name="Send").click()
    undo = opened.get_by_role("button", name="Undo")
    expect(undo).to_be_visible()
    opened.get_by_label("Message to Daniel").fill("typed since")

    undo.click()

    expect(opened.get_by_label("Message to Daniel")).to_have_value("Too soon\n\ntyped since")
    expect(opened.get_by_label("Message to Daniel")).to_be_focused()
    expect(opened.locator("#thread .message")).to_contain_text("Cancelled")
    assert Message.objects.get().status == Status.CANCELLED


def test_nobody_answers_past_an_answer_that_is_not_on_the_page(
    opened: Page, conversation: Conversation, anna: User, quiet: list[str]
) -> None:
    opened.get_by_label("Message to Daniel").fill("My answer")
    opened.evaluate("document.getElementById('thread').classList.add('htmx-request')")
    composing.reply(conversation, author=anna, text="Anna was faster")

    opened.get_by_role("button", name="Send").click()

    expect(opened.get_by_role("alert").filter(has_text="Somebody else has just answered")).to_be_visible()
    expect(opened.locator("#thread")).to_contain_text("Anna was faster")
    expect(opened.get_by_label("Message to Daniel")).to_have_value("My answer")
    assert Message.objects.count() == 1

    opened.get_by_role("button", name="Send anyway").click()
    expect(opened.locator("#thread")).to_contain_text("My answer")
    assert all("409 (Conflict)" in complaint for complaint in quiet)
    quiet.clear()


def test_a_snippet_goes_in_where_the_cursor_is(opened: Page, welcome: Snippet) -> None:
    field = opened.get_by_label("Message to Daniel")
    field.fill("Hello and  to all")
    field.evaluate("area => area.setSelectionRange(10, 10)")
    field.press_sequentially("/")
    shown = opened.locator("#snippet-list [role=option]")
    expect(shown).to_have_count(2)
    expect(field).to_have_attribute("aria-activedescendant", f"snippet-{Snippet.objects.get(name='Price').public_id}")

    field.press("ArrowDown")
    expect(opened.get_by_role("option", name="Welcome")).to_have_attribute("aria-selected", "true")
    field.press("Enter")

    expect(field).to_have_value("Hello and welcome, Daniel to all")
    expect(opened.get_by_role("listbox", name="Snippets")).to_be_hidden()
    opened.get_by_role("button", name="Snippets").click()
    expect(shown).to_have_count(2)
    field.press("Escape")
    expect(opened.get_by_role("button", name="Snippets")).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize("width", [1440])
@pytest.mark.usefixtures("welcome")
def test_snippets_that_nobody_wants_any_more_do_not_come(opened: Page) -> None:
    held: list[Route] = []
    opened.route("**/snippets*", lambda route: held.append(route))
    with opened.expect_request("**/snippets*"):
        opened.get_by_role("button", name="Snippets").click()
    opened.get_by_label("Message to Daniel").press("Escape")

    with opened.expect_response("**/snippets*"):
        held.pop().continue_()
    opened.evaluate("() => new Promise((shown) => setTimeout(() => requestAnimationFrame(shown), 100))")

    expect(opened.get_by_role("button", name="Snippets")).to_have_attribute("aria-expanded", "false", timeout=1)


def test_the_card_takes_tags_and_notes_at_every_width(opened: Page, conversation: Conversation, width: int) -> None:
    card = opened.get_by_role("complementary", name="About this fan")
    if width < 1024:
        opened.get_by_role("link", name="About Daniel").click()
    card.get_by_label("Add a tag").fill("night owl")
    card.get_by_role("button", name="Add", exact=True).click()
    expect(card.get_by_role("button", name="Take night owl off")).to_be_visible()

    card.get_by_label("New note").fill("Likes balconies")
    card.get_by_role("button", name="Add note").click()

    expect(card.locator(".card-notes")).to_contain_text("Likes balconies")
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if width < 1024:
        card.get_by_role("button", name="Close").click()
        expect(card).to_be_hidden()


def test_those_who_look_at_the_same_conversation_know_of_each_other(
    opened: Page, conversation: Conversation, anna: User
) -> None:
    Presence.objects.note(anna, conversation, is_writing=True, now=database_now())

    opened.reload()

    expect(opened.get_by_text("Anna is writing")).to_be_visible()
    assert Presence.objects.get(user__username="mia").conversation == conversation


def test_the_search_jumps_to_what_was_said(opened: Page, conversation: Conversation, width: int) -> None:
    said = make_message(conversation, status=Status.RECEIVED, text="The balcony at six")
    for number in range(70):
        make_message(conversation, status=Status.RECEIVED, text=f"number {number}")
    opened.locator("#thread-title").evaluate("title => title.focus()")

    if width == 390:
        opened.get_by_role("link", name="All conversations").click()
        opened.get_by_label("Search fans and messages").click()
    else:
        press(opened, "/", "Period")
    expect(opened.get_by_label("Search fans and messages").first).to_be_focused()
    opened.keyboard.type("balc")
    opened.keyboard.press("Enter")
    opened.get_by_role("link").filter(has_text="The balcony at six").click()

    hit = opened.locator(f"#m-{said.public_id}")
    expect(hit).to_be_in_viewport()
    expect(hit).to_contain_class("hit")
    expect(opened.locator(".found mark")).to_have_text("balcony")


@pytest.mark.parametrize("width", [1440, 900])
def test_keys_act_by_what_they_write_and_never_while_somebody_writes(
    opened: Page, creator: Creator, conversation: Conversation, user: User
) -> None:
    older = make_conversation(
        fan=make_fan(creator, name="Sofia"), last_message_at=conversation.created_at - timedelta(hours=1)
    )
    opened.reload()
    opened.get_by_label("Message to Daniel").press_sequentially("jku?a")
    expect(opened.get_by_label("Message to Daniel")).to_have_value("jku?a")
    opened.locator("#thread-title").evaluate("title => title.focus()")

    # On a French keyboard: what writes “a” stands where others have Q.
    press(opened, "q", "KeyA")
    press(opened, "a", "KeyQ")
    expect(opened.get_by_role("button", name="Yours")).to_be_visible()
    opened.wait_for_load_state()

    opened.locator("#thread-title").evaluate("title => title.focus()")
    press(opened, "j", "KeyJ")
    expect(opened.locator(f"#c-{older.public_id} a")).to_be_focused()
    press(opened, "o", "KeyO")
    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()
    opened.locator("#thread-title").evaluate("title => title.focus()")
    press(opened, "r", "KeyR")
    expect(opened.get_by_label("Message to Sofia")).to_be_focused()

    for key, code, field in (("n", "KeyN", ".note-form textarea"), ("t", "KeyT", "#card-tag")):
        opened.locator("#thread-title").evaluate("title => title.focus()")
        press(opened, key, code)
        expect(opened.locator(field)).to_be_focused()
    opened.locator("#thread-title").evaluate("title => title.focus()")
    press(opened, "u", "KeyU")
    expect(opened.locator(f"#c-{older.public_id}.unread")).to_be_visible()


def test_the_sheet_lists_the_keys_and_turns_them_off(opened: Page, user: User) -> None:
    opened.locator("#thread-title").evaluate("title => title.focus()")
    press(opened, "?", "Comma")
    sheet = opened.get_by_role("dialog", name="Keys and preferences")
    expect(sheet).to_contain_text("Mark as unread")

    sheet.get_by_label("What was sent can be taken back for").select_option("10 seconds")
    sheet.get_by_label("Single keys act").uncheck()
    sheet.get_by_role("button", name="Save").click()

    expect(sheet).to_be_hidden()
    press(opened, "?", "Comma")
    expect(sheet).to_be_hidden()
    user.refresh_from_db()
    assert (user.undo_seconds, user.uses_shortcuts) == (10, False)


def test_the_palette_goes_to_a_fan_and_inserts_a_snippet(opened: Page, creator: Creator, welcome: Snippet) -> None:
    make_conversation(fan=make_fan(creator, name="Sofia"))
    opened.get_by_label("Message to Daniel").fill("Well, ")
    opened.keyboard.press("End")

    opened.keyboard.press("Control+k")
    opened.keyboard.type("welc")
    expect(opened.get_by_role("option", name="Welcome")).to_have_attribute("aria-selected", "true")
    opened.keyboard.press("Enter")
    expect(opened.get_by_label("Message to Daniel")).to_have_value("Well, welcome, Daniel")

    opened.keyboard.press("Control+k")
    opened.keyboard.type("sof")
    expect(opened.get_by_role("option", name="Sofia")).to_have_attribute("aria-selected", "true")
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("heading", name="Sofia")).to_be_visible()


def test_without_javascript_drafts_snippets_undo_search_and_the_card_work(
    conversation: Conversation, welcome: Snippet, user: User, plain: Page, width: int
) -> None:
    User.objects.filter(pk=user.pk).update(undo_seconds=10)
    make_message(conversation, status=Status.RECEIVED, text="The balcony at six")
    plain.reload()
    plain.get_by_role("link", name="Daniel").click()

    plain.get_by_label("Message to Daniel").fill("Hello,")
    plain.get_by_role("button", name="Snippets").click()
    plain.get_by_role("button", name="Welcome").click()
    expect(plain.get_by_label("Message to Daniel")).to_have_value("Hello,\nwelcome, Daniel")

    plain.get_by_role("button", name="Send").click()
    plain.get_by_role("button", name="Undo").click()
    expect(plain.get_by_label("Message to Daniel")).to_have_value("Hello,\nwelcome, Daniel")

    if width == 390:
        plain.get_by_role("link", name="All conversations").click()
    plain.get_by_label("Search fans and messages").fill("balcony")
    plain.keyboard.press("Enter")
    plain.get_by_role("link").filter(has_text="The balcony at six").click()
    expect(plain.locator(".message.hit")).to_be_in_viewport()

    plain.get_by_role("link", name="About Daniel" if width < 1024 else "Tags, notes, purchases and campaigns").click()
    plain.get_by_label("Add a tag").fill("night owl")
    plain.get_by_role("button", name="Add", exact=True).click()
    expect(plain.get_by_role("button", name="Take night owl off")).to_be_visible()
