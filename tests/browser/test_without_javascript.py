"""Every page, wide and on a phone, in a browser that runs no scripts: whatever can be pressed does something.

The rows are tests/pages.py. The flows of each page have tests of their own.
"""

import pytest
from django.test import Client
from playwright.sync_api import Browser, ViewportSize
from pytest_django.live_server_helper import LiveServer

from tests.pages import PAGES, furnish
from tests.serving import session_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SIZES = (ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844))
#: What is shown, but only a script could answer: a button that submits nothing and opens nothing, a form that cannot be
#: sent, a link to nowhere, something that is still to be filled.
DEAD = """() => {
  const isShown = (element) => element.checkVisibility({visibilityProperty: true});
  const shown = (selector) => Array.from(document.querySelectorAll(selector)).filter(isShown);
  const sends = (form) => Array.from(form.elements).some((each) => each.type === "submit" && isShown(each));
  return [
    ...shown("button").filter((each) => !each.disabled && !each.hasAttribute("popovertarget")
      && !(each.type === "submit" && each.form?.hasAttribute("method"))),
    ...shown("form").filter((each) => !sends(each)),
    ...shown("a").filter((each) => !each.getAttribute("href") || each.getAttribute("href") === "#"),
    ...shown(".skeleton"),
  ].map((each) => each.outerHTML.slice(0, 200));
}"""


@pytest.mark.timeout(300)
def test_nothing_waits_for_a_script_on_any_page(browser: Browser, live_server: LiveServer) -> None:
    user, creator = furnish()
    client = Client()
    client.force_login(user)
    found: list[str] = []
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        for row in PAGES:
            context.clear_cookies()
            if row.signed_in:
                context.add_cookies([session_of(client, live_server.url)])  # type: ignore[list-item]
            answer = page.goto(live_server.url + row.address(creator))
            assert answer
            assert answer.ok, row.name
            for size in SIZES:
                page.set_viewport_size(size)
                found += [f"{row.name}, {size['width']} px: {dead}" for dead in page.evaluate(DEAD)]
    assert found == []
