"""Many fans at once, and the builder of segments, in a browser that has scripts."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Creator, Fan, Segment, Tag
from crm.tests.factories import make_fan

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def signed_in(page: Page, live_server: LiveServer, creator: Creator, sign_in: Callable[[], None]) -> Page:
    for number, name in enumerate(("Ava", "Ben", "Cleo")):
        make_fan(creator, name=name, value_cents=10_000 * number)
    sign_in()
    return page


def worn(name: str) -> set[str]:
    return set(Fan.objects.filter(tags__name=name).values_list("name", flat=True))


def test_fans_are_found_ticked_tagged_and_written_to(
    signed_in: Page, live_server: LiveServer, creator: Creator
) -> None:
    page = signed_in
    Tag.objects.add(creator, name="Old")
    page.goto(f"{live_server.url}/fans")
    expect(page.locator("#total")).to_have_text("3 fans")

    page.locator("summary", has_text="More filters").click()
    page.get_by_label("Spent at least").fill("100")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("spent $100 or more")).to_be_visible()
    expect(page.locator("#total")).to_have_text("2 fans")

    for name in ("Ben", "Cleo"):
        page.get_by_label(f"Tick {name}").check()
    expect(page.get_by_text("2 / 2")).to_be_visible()
    page.get_by_label("Tag's name").fill("Spender")
    page.get_by_role("button", name="Tag", exact=True).click()
    expect(page.get_by_text("2 more fans have “Spender” now.")).to_be_visible()
    assert worn("Spender") == {"Ben", "Cleo"}

    page.get_by_label("To whom").select_option("all")
    page.get_by_role("button", name="Write to them").click()
    expect(page).to_have_url(f"{live_server.url}/campaigns/new?valueMin=10000")


def test_the_head_of_the_table_ticks_the_page(signed_in: Page, live_server: LiveServer, width: int) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/fans?sort=name")

    # On a phone, where a row is a card, nobody is said to have no tags.
    expect(page.locator("td:has(.tags)").first).to_be_visible(visible=width > 480)
    page.get_by_label("Tick all on this page").check()
    page.get_by_label("Tick Ben").uncheck()

    expect(page.get_by_text("2 / 3")).to_be_visible()
    assert page.get_by_label("Tick all on this page").evaluate("box => box.indeterminate")


def test_a_segment_is_built_and_counts_while_it_is_built(signed_in: Page, live_server: LiveServer) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/segments/new")
    chosen = page.get_by_role("region", name="Whom it chooses now")
    expect(chosen).to_contain_text("3 fans")

    page.get_by_label("Name").fill("Middle")
    page.get_by_role("button", name="Condition").click()
    page.get_by_label("Condition").select_option("valueMin")
    expect(page.get_by_text("USD")).to_be_visible()
    page.get_by_label("Value").fill("100")
    page.get_by_label("Value").blur()
    expect(chosen).to_contain_text("2 fans")

    page.get_by_role("button", name="Group").click()
    page.locator("#how-r\\.1").select_option("none")
    expect(page.locator("#name-r\\.1\\.0")).to_be_visible()
    page.locator("#value-r\\.1\\.0").fill("200")
    page.locator("#value-r\\.1\\.0").blur()
    expect(chosen).to_contain_text("1 fan")
    expect(chosen).to_contain_text("Ben")

    page.get_by_role("button", name="Save the segment").click()
    expect(page.get_by_role("heading", name="Middle")).to_be_visible()
    assert Segment.objects.get().rule == {"all": [{"valueMin": 10_000}, {"not": {"any": [{"valueMin": 20_000}]}}]}


def test_who_builds_faster_than_the_page_answers_loses_no_press(signed_in: Page, live_server: LiveServer) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/segments/new")

    page.evaluate("for (const name of ['add-r', 'nest-r']) document.getElementById(name).click()")

    expect(page.locator("#name-r\\.1\\.0")).to_be_visible()
    expect(page.locator("#name-r\\.0")).to_be_visible()


@pytest.mark.parametrize("width", [1440])
def test_who_builds_by_keyboard_stays_where_a_condition_was(signed_in: Page, live_server: LiveServer) -> None:
    page = signed_in
    page.goto(f"{live_server.url}/segments/new")
    add, remove = page.locator("#add-r"), page.get_by_role("button", name="Remove this condition")
    for number in (1, 2):
        add.press("Enter")
        expect(remove).to_have_count(number)
        expect(add).to_be_focused()

    remove.last.press("Enter")
    expect(remove).to_have_count(1)
    expect(add).to_be_focused()
