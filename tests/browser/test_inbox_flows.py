"""What a shift at the inbox is made of, in Chromium at every width, with scripts and without."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Locator, Page, expect

from crm.clock import database_now
from crm.models import Conversation, Creator, Message, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_message, make_user

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def anna(creator: Creator) -> User:
    anna = make_user("anna", first_name="Anna")
    make_membership(anna, creator)
    return anna


@pytest.fixture
def luna(user: User) -> Creator:
    """Another creator of the same team, with a fan of her own."""
    luna = make_creator(user, name="Luna")
    make_conversation(fan=make_fan(luna, name="Viktor"))
    return luna


def schedule(page: Page, creator: Creator) -> None:
    """Write for tomorrow, when nothing else waits."""
    tomorrow = database_now().astimezone(ZoneInfo(creator.timezone)) + timedelta(days=1)
    page.get_by_text("Price, media, time").click()
    page.get_by_label("Message to Daniel").fill("Good morning")
    page.get_by_label("Send at").fill(f"{tomorrow:%Y-%m-%d}T09:30")
    page.get_by_label("Its turn").select_option("When nothing else waits")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#thread .message")).to_contain_text("Scheduled")
    message = Message.objects.get()
    assert f"{message.send_at.astimezone(ZoneInfo(creator.timezone)):%d %H:%M}" == f"{tomorrow:%d} 09:30"
    assert message.priority == Message.PRIORITY_MIN


def switch(page: Page, to: str, fan: str) -> None:
    page.locator(".creator-switch summary").click()
    page.locator(".creator-switch").get_by_role("link", name=to).click()
    expect(page.locator("#list .row-name")).to_have_text([fan])


def assign(card: Page | Locator, to: str) -> None:
    card.get_by_role("combobox", name="Assigned to").select_option(to)
    card.get_by_role("button", name="Assign", exact=True).click()


def test_a_message_is_scheduled_with_its_turn(opened: Page, creator: Creator) -> None:
    schedule(opened, creator)
    expect(opened.get_by_label("Send at")).to_have_value("")


@pytest.mark.usefixtures("luna")
def test_whoever_works_for_several_creators_goes_from_one_to_the_other(opened: Page, width: int) -> None:
    if width == 390:
        opened.get_by_role("link", name="All conversations").click()
    switch(opened, "Luna", "Viktor")
    opened.get_by_role("link", name="Viktor").click()
    expect(opened.get_by_label("Message to Viktor")).to_be_visible()
    if width == 390:
        opened.get_by_role("link", name="All conversations").click()
    switch(opened, "Mia", "Daniel")


def test_the_card_hands_a_conversation_to_a_colleague(
    opened: Page, conversation: Conversation, anna: User, width: int
) -> None:
    opened.reload()
    if width < 1024:
        opened.get_by_role("link", name="About Daniel").click()
    assign(opened.get_by_role("complementary", name="About this fan"), "Anna")
    expect(opened.locator(".assignment button")).to_have_attribute("title", "Assigned to Anna. Press to take it.")
    conversation.refresh_from_db()
    assert conversation.assigned_to == anna


def test_without_javascript_it_is_all_the_same(
    plain: Page, creator: Creator, conversation: Conversation, anna: User, luna: Creator, width: int
) -> None:
    plain.reload()
    switch(plain, "Mia", "Daniel")
    switch(plain, "Luna", "Viktor")
    switch(plain, "Mia", "Daniel")
    plain.get_by_role("link", name="Daniel").click()
    schedule(plain, creator)
    failed, lost = Status.FAILED, Status.NEEDS_PERSON
    others = [make_message(conversation, status=status, text="Hello") for status in (failed, lost, lost)]
    messages = [Message.objects.earliest("pk"), *others]
    plain.get_by_role("link", name="Refresh").click()
    acts = ("Cancel", "Send again", "It was sent", "Send it again")
    becomes = (Status.CANCELLED, Status.QUEUED, Status.SENT, Status.QUEUED)
    for message, act, status in zip(messages, acts, becomes, strict=True):
        bubble = plain.locator(f"#m-{message.public_id}")
        bubble.get_by_role("button", name=act, exact=True).click()
        expect(bubble.get_by_role("button", name=act, exact=True)).to_have_count(0)
        expect(bubble).to_be_in_viewport()
        message.refresh_from_db()
        assert message.status == status

    plain.get_by_role("link", name="About Daniel" if width < 1024 else "Tags, notes, purchases and campaigns").click()
    assign(plain, "Anna")
    conversation.refresh_from_db()
    assert conversation.assigned_to == anna


@pytest.mark.parametrize("width", [1440])
@pytest.mark.usefixtures("conversation")
def test_without_javascript_going_back_does_not_offer_what_was_sent(plain: Page) -> None:
    plain.reload()
    plain.get_by_role("link", name="Daniel").click()
    plain.get_by_label("Message to Daniel").fill("Only once")
    plain.get_by_role("button", name="Send", exact=True).click()
    expect(plain.locator("#thread .message")).to_contain_text("Only once")

    plain.go_back()

    expect(plain.locator("#thread .message")).to_contain_text("Only once")
    expect(plain.get_by_label("Message to Daniel")).to_have_value("")
