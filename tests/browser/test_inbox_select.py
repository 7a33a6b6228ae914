"""Conversations of the inbox's list are selected in Chromium, and handled together."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.clock import database_now
from crm.models import Conversation, Creator, Membership
from crm.tests.factories import make_conversation, make_fan, make_membership, make_user
from tests.browser.test_inbox_team import press

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def talks(creator: Creator) -> list[Conversation]:
    """The newest first, each with something unread."""
    now = database_now()
    return [
        make_conversation(
            fan=make_fan(creator, name=name), last_message_at=now - timedelta(hours=hours), unread_count=1
        )
        for hours, name in enumerate(("Ann", "Bo", "Cy", "Dee"))
    ]


@pytest.fixture
def inbox(page: Page, live_server: LiveServer, talks: list[Conversation], sign_in: Any) -> Page:
    sign_in()
    page.goto(f"{live_server.url}/messages/onlyfans")
    return page


def box(page: Page, name: str) -> Any:
    return page.get_by_role("checkbox", name=f"Select {name}")


def ticked(page: Page) -> list[str]:
    return [str(row).split()[1] for row in page.locator(".row:has(:checked) .pick").all_text_contents()]


@pytest.mark.parametrize("width", [1440])
def test_keys_select_and_act_and_the_rest_of_the_page_stays(inbox: Page, creator: Creator) -> None:
    bar = inbox.get_by_role("group", name="Selected conversations")
    expect(bar).to_be_hidden()
    for key in "jxjjx":
        press(inbox, key, "Any")
    expect(bar).to_contain_text("2 selected")
    assert ticked(inbox) == ["Ann", "Cy"]

    press(inbox, "Escape", "Escape")
    expect(bar).to_be_hidden()

    box(inbox, "Ann").check(force=True)
    box(inbox, "Cy").click(modifiers=["Shift"], force=True)
    expect(bar).to_contain_text("3 selected")
    press(inbox, "t", "KeyT")
    inbox.get_by_role("combobox", name="Add a tag").fill("Night owl")
    inbox.keyboard.press("Enter")
    expect(inbox.locator("#done")).to_contain_text("3 more fans have “Night owl” now.")
    expect(inbox.locator(".row", has_text="Night owl")).to_have_count(3)
    expect(bar).to_be_hidden()
    expect(inbox.get_by_role("link", name="Cy")).to_be_focused()
    assert creator.conversations.filter(unread_count=1).count() == 4


@pytest.mark.parametrize("width", [390])
def test_a_thumb_ticks_all_and_closes_them_and_undo_brings_them_back(inbox: Page) -> None:
    target = inbox.locator(".pick").first.bounding_box()
    assert target
    assert min(target["width"], target["height"]) >= 24

    box(inbox, "Bo").check(force=True)
    inbox.get_by_role("checkbox", name="Select all on this page").check()
    expect(inbox.get_by_text("4 selected")).to_be_visible()
    box(inbox, "Dee").uncheck()
    inbox.get_by_role("group", name="Selected conversations").get_by_role("button", name="Close").click()

    expect(inbox.locator("#list .row")).to_have_count(1)
    done = inbox.locator("#done")
    expect(done).to_contain_text("3 conversations are closed.")
    done.get_by_role("button", name="Undo").click()
    expect(inbox.locator("#list .row")).to_have_count(4)


@pytest.mark.parametrize("width", [900])
def test_a_list_that_refreshes_keeps_what_is_selected_and_still_there(
    inbox: Page, creator: Creator, talks: list[Conversation]
) -> None:
    inbox.locator(".views").get_by_role("link", name="Unread").click()
    expect(inbox).to_have_url(f"{inbox.url.split('?')[0]}?show=unread")
    for name in ("Ann", "Cy", "Dee"):
        box(inbox, name).check(force=True)
    inbox.mouse.move(700, 400)

    talks[0].mark_read()
    talks[3].receive(text="Hello?", platform_id="7", written_at=database_now())

    expect(inbox.locator("#list .row-name")).to_have_text(["Dee", "Bo", "Cy"])
    expect(inbox.get_by_text("2 selected")).to_be_visible()
    expect(box(inbox, "Dee")).to_be_focused()
    assert ticked(inbox) == ["Dee", "Cy"]

    # Under the pointer nothing moves, and nothing is lost either.
    inbox.locator(".row", has_text="Bo").hover()
    talks[1].receive(text="And me?", platform_id="8", written_at=database_now())
    expect(inbox.get_by_role("button", name="1 new")).to_be_visible()
    expect(inbox.locator("#list .row-name")).to_have_text(["Dee", "Bo", "Cy"])
    assert ticked(inbox) == ["Dee", "Cy"]


@pytest.mark.parametrize("width", [1440])
def test_they_go_to_a_colleague_and_one_that_is_gone_stops_it(
    inbox: Page, creator: Creator, talks: list[Conversation], quiet: list[str]
) -> None:
    anna = make_user("anna", first_name="Anna")
    make_membership(anna, creator, role=Membership.Role.CHATTER)
    inbox.get_by_role("link", name="Ann").click()
    inbox.get_by_label("Message to Ann").fill("Half a sen")
    expect(inbox.get_by_text("Draft kept")).to_be_visible()
    inbox.reload()
    for name in ("Ann", "Bo"):
        box(inbox, name).check(force=True)
    inbox.get_by_text("Assign", exact=True).first.click()
    inbox.get_by_role("button", name="Anna").click()

    expect(inbox.locator("#done")).to_contain_text("2 conversations are assigned to Anna.")
    expect(inbox.locator(".assignment")).to_contain_text("Anna")
    expect(inbox.get_by_label("Message to Ann")).to_have_value("Half a sen")
    assert creator.conversations.filter(assigned_to=anna).count() == 2

    for name in ("Bo", "Cy"):
        box(inbox, name).check(force=True)
    address = inbox.url
    press(inbox, "t", "KeyT")
    expect(inbox.locator(".selection-bar [name=tag]")).to_be_focused()
    inbox.keyboard.press("Enter")
    expect(inbox.get_by_role("alert").filter(has_text="Name the tag.")).to_be_visible()
    assert (ticked(inbox), inbox.url) == (["Bo", "Cy"], address)
    talks[1].delete()
    inbox.get_by_role("button", name="Mark as read").first.click()
    expect(inbox.locator("#done")).to_contain_text("not here any more")
    expect(inbox.locator("#list .row")).to_have_count(3)
    assert ticked(inbox) == ["Cy"]
    assert all("404" in complaint or "400" in complaint for complaint in quiet)
    quiet.clear()


@pytest.mark.usefixtures("talks")
def test_without_javascript_the_list_is_a_form(plain: Page, live_server: LiveServer) -> None:
    plain.goto(f"{live_server.url}/messages/onlyfans?show=unread")
    for name in ("Ann", "Cy"):
        box(plain, name).check()
    plain.get_by_role("button", name="Mark as read").click()

    expect(plain.get_by_text("2 conversations are marked as read.")).to_be_visible()
    expect(plain.locator("#list .row-name")).to_have_text(["Bo", "Dee"])
    plain.get_by_role("link", name="Select all on this page").click()
    expect(plain.locator(".pick :checked")).to_have_count(2)
    plain.goto(f"{live_server.url}/messages/onlyfans")
    plain.get_by_role("button", name="Mark as read").click()
    expect(plain.get_by_role("alert")).to_contain_text("Choose from 1 to 100 conversations")
