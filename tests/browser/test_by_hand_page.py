"""The page of those who send by hand looks for what is new every few seconds, under somebody's hands."""

from collections.abc import Callable

import pytest
import redis
from django.urls import reverse
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Conversation, Creator
from crm.tests.factories import make_conversation, make_fan, make_message
from onlyfans.models import Connection, Provider

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.parametrize("width", [900])
def test_whoever_sends_by_keyboard_keeps_their_place_while_more_becomes_due(
    page: Page,
    live_server: LiveServer,
    sign_in: Callable[[], None],
    creator: Creator,
    conversation: Conversation,
    redis_server: redis.Redis,
) -> None:
    Connection.objects.create(creator=creator, provider=Provider.ASSISTED)
    make_message(conversation, text="For Daniel")
    sign_in()
    page.goto(live_server.url + reverse("assisted"))
    take = page.get_by_role("button", name="Take it")
    take.focus()
    take.press("Enter")
    expect(page.get_by_text("You are sending this to Daniel")).to_be_visible()
    sent = page.get_by_role("button", name="Sent", exact=True)
    sent.focus()

    for name in ("Nora", "Zoe"):
        make_message(make_conversation(fan=make_fan(creator, name=name)), text=f"For {name}", priority=10)
        expect(page.get_by_text("2 messages are due." if name == "Zoe" else "1 message is due.")).to_be_visible()
        expect(sent).to_be_focused()

    sent.press("Enter")
    expect(page.get_by_text("You are sending this to Daniel")).to_be_hidden()
    assert conversation.messages.get().status == "sent"
