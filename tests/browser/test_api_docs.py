"""The API's own pages in Chromium, under our policy: everything they need comes from this server."""

import re

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.models import Conversation
from crm.tests.factories import PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("width", [1440]),
]


def test_an_operation_is_read_and_tried_out_with_a_token(
    page: Page, live_server: LiveServer, conversation: Conversation
) -> None:
    pair = page.request.post(f"{live_server.url}/api/auth/token", data={"username": "mia", "password": PASSWORD})
    page.goto(f"{live_server.url}/api/docs")
    page.get_by_role("button", name="Authorize", exact=True).click()
    scheme = page.locator(".auth-container").filter(has_text=re.compile(r"(?<![A-Za-z])token\s*\(http"))
    scheme.get_by_role("textbox").fill(pair.json()["access"])
    scheme.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close", exact=True).first.click()

    operation = page.locator("#operations-conversations-getConversationList")
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_role("button", name="Execute").click()

    expect(operation.locator(".live-responses-table")).to_contain_text(str(conversation.public_id))
