"""Every page, in both themes, both languages, wide and on a phone, with what opens on it: axe finds nothing.

The rows are tests/pages.py. axe-core is put into the page by the browser's own protocol, so the page's strict policy
stays as it is. Every theme meets every language; the light one at the first width of LOOKS with all rules, the dark
one, which has the same structure, at the second and with those about colours.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import BrowserContext, Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from tests.pages import PAGES, furnish
from tests.pages import Page as Row

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = Path(__file__).parent / "vendor" / "axe" / "axe-4.14.1.min.js"
#: WCAG 2.0, 2.1 and 2.2, levels A and AA, and what axe's authors recommend besides.
EVERYTHING = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
RUN_AXE = """(rules) => axe.run(
    document, {runOnly: rules, resultTypes: ["violations"], selectors: false, preload: false},
).then(({violations}) => violations.flatMap((found) => found.nodes.map((node) =>
    `${found.id}: ${node.html.slice(0, 200)} — ${node.failureSummary.replace(/\\s+/g, " ")}`)))"""
WIDE, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
LOOKS = (("en", WIDE, PHONE), ("fr", PHONE, WIDE))


@pytest.mark.timeout(600)
def test_axe_finds_nothing_on_any_page(
    page: Page, context: BrowserContext, live_server: LiveServer, quiet: list[str]
) -> None:
    context.add_init_script(path=AXE)
    page.emulate_media(reduced_motion="reduce")
    user, creator = furnish()
    user.is_demo = False
    user.save()
    client = Client()
    client.force_login(user)
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}

    found: list[str] = []
    for language, light, dark in LOOKS:
        chosen = {"name": "django_language", "value": language, "url": live_server.url}
        for row in [*PAGES, Row("nothing-here", lambda creator: "/nowhere")]:
            # A page that asks by itself what is new would be told that nobody is signed in.
            page.goto("about:blank")
            context.clear_cookies()
            context.add_cookies([chosen, session] if row.signed_in else [chosen])  # type: ignore[list-item]
            violations = _violations(page, live_server.url + row.address(creator), row, light, dark)
            found += [f"{row.name}, {language}, {violation}" for violation in violations]
            assert page.locator("html").get_attribute("lang") == language

    assert not found, "\n".join(found)
    for _look in LOOKS:
        quiet.remove("Failed to load resource: the server responded with a status of 404 (Not Found)")


def _violations(page: Page, address: str, row: Row, light: ViewportSize, dark: ViewportSize) -> Iterator[str]:
    _open(page, address, light)
    yield from _run(page, EVERYTHING, f"light, {light['width']}")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(dark)
    yield from _run(page, COLOURS, f"dark, {dark['width']}")
    for selector in row.opens:
        _open(page, address, light)
        opener = page.locator(selector).first
        if opener.is_visible():
            opener.click()
            yield from _run(page, EVERYTHING, f"light, {light['width']}, {selector}")
            page.emulate_media(color_scheme="dark")
            yield from _run(page, COLOURS, f"dark, {light['width']}, {selector}")


def _open(page: Page, address: str, size: ViewportSize) -> None:
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(size)
    page.goto(address)


def _run(page: Page, rules: dict[str, Any], where: str) -> list[str]:
    return [f"{where}: {violation}" for violation in page.evaluate(RUN_AXE, rules)]
