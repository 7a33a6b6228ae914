"""Every page, in both themes, both languages, wide and on a phone, with whatever opens on it: axe finds nothing.

The rows are tests/pages.py. axe-core is put into the page by the browser's own protocol, so the page's strict policy
stays as it is. A page is loaded once a language; its themes and widths are changed on the spot. The dark theme has the
same structure as the light one, so of it the rules about colours are asked. What opens is found by itself, and looked
at alone: what lies behind it has been looked at before.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from crm.models import User
from crm.tests.factories import make_user
from tests.pages import PAGES, STAFF_PAGES, furnish
from tests.pages import Page as Row

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("width", [1440]),
]

AXE = Path(__file__).parent / "vendor" / "axe" / "axe-4.14.1.min.js"
#: WCAG 2.0, 2.1 and 2.2, levels A and AA, and what axe's authors recommend besides.
EVERYTHING = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
LANGUAGES = ("en", "fr")
SIZES = (ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844))

#: ``openers`` marks what can be pressed to open something, ``press`` does it and ``shut`` undoes it.
TOOLS = """
const OPENERS = `summary, [popovertarget], [data-dialog], [data-sheet], [data-card-toggle], [data-snippets-open],
  #palette`;
const LATE = "#sheet-body:empty, #palette-options:empty, #card-body .skeleton";
const isShown = (element) => element.checkVisibility({visibilityProperty: true});
window.tools = {
  openers() {
    for (const marked of document.querySelectorAll("[data-opener]")) delete marked.dataset.opener;
    const found = Array.from(document.querySelectorAll(OPENERS)).filter(
      (each) => each.id === "palette" || (isShown(each) && !each.closest("details[open] > summary")));
    return found.map((each, number) => {
      each.dataset.opener = number;
      return each.cloneNode(each.id !== "palette").outerHTML.replace(` data-opener="${number}"`, "");
    });
  },
  opener: (number) => document.querySelector(`[data-opener="${number}"]`),
  press(number) {
    const opener = tools.opener(number);
    const chord = new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true});
    if (opener.id === "palette") document.body.dispatchEvent(chord);
    else opener.click();
  },
  opened: (number) => document.querySelector("dialog[open], :popover-open") ?? tools.opener(number).closest("details")
    ?? document.getElementById(tools.opener(number).getAttribute("aria-controls")),
  async isThere(number) {
    const waits = () => Array.from(document.querySelectorAll(LATE)).some(isShown)
      || (number !== null && !isShown(tools.opened(number)));
    for (let tries = 0; waits(); tries += 1) {
      if (tries > 300) throw new Error(`${location} does not open ${tools.opener(number)?.outerHTML}`);
      await new Promise((later) => setTimeout(later, 20));
    }
  },
  shut(number) {
    const opened = tools.opened(number);
    if (opened.matches("dialog")) opened.close();
    else if (opened.matches("[popover]")) opened.hidePopover();
    else if (opened.matches("details")) opened.open = false;
    else (opened.querySelector("[data-card-close]") ?? tools.opener(number)).click();
  },
  axe: (rules, number) => tools.isThere(number).then(() => axe.run(
    number === null ? document : tools.opened(number),
    {runOnly: rules, resultTypes: ["violations"], selectors: false, preload: false},
  )).then(({violations}) => violations.flatMap((found) => found.nodes.map((node) =>
    `${found.id}: ${node.html.slice(0, 200)} — ${node.failureSummary.replace(/\\s+/g, " ")}`))),
};
"""


@pytest.mark.timeout(600)
def test_axe_finds_nothing_on_any_page(
    page: Page, context: BrowserContext, live_server: LiveServer, quiet: list[str]
) -> None:
    context.add_init_script(path=AXE)
    context.add_init_script(TOOLS)
    page.emulate_media(reduced_motion="reduce")
    user, creator = furnish()
    User.objects.filter(pk=user.pk).update(is_demo=False)
    staff = make_user("sam", is_staff=True, is_superuser=True)
    nowhere = Row("nothing-here", lambda creator: "/nowhere")
    people = (
        (None, [row for row in PAGES if not row.signed_in]),
        (user, [nowhere, *(row for row in PAGES if row.signed_in)]),
        (staff, STAFF_PAGES),
    )

    found: list[str] = []
    for language in LANGUAGES:
        seen: set[tuple[int, str]] = set()
        for person, rows in people:
            # A page that asks by itself what is new would be told that nobody is signed in.
            page.goto("about:blank")
            context.clear_cookies()
            context.add_cookies(list(_cookies(live_server.url, language, person)))
            for row in rows:
                page.goto(live_server.url + row.address(creator))
                assert page.locator("html").get_attribute("lang") == language
                found += [f"{row.name}, {language}, {violation}" for violation in _violations(page, seen)]
        _choose_fans(page, live_server.url)
        found += [f"admin-chosen-fans, {language}, {violation}" for violation in _violations(page, seen)]

    assert not found, "\n".join(found)
    for _language in LANGUAGES:
        quiet.remove("Failed to load resource: the server responded with a status of 404 (Not Found)")


def _choose_fans(page: Page, url: str) -> None:
    """The one page of the staff's that no address leads to."""
    page.set_viewport_size(SIZES[0])
    page.goto(f"{url}{reverse('admin:crm_fan_changelist')}?q=Theo")
    page.locator("input.action-select").first.check()
    page.locator("select[name=action]").select_option("message_selected")
    with page.expect_navigation():
        page.locator("button[name=index]").click()


def _cookies(url: str, language: str, person: User | None) -> Iterator[Any]:
    yield {"name": "django_language", "value": language, "url": url}
    if person:
        client = Client()
        client.force_login(person)
        yield {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}


def _violations(page: Page, seen: set[tuple[int, str]]) -> Iterator[str]:
    """Of the page as it is, and of whatever opens on it; what opens on many pages is looked at once: ``seen``."""
    for size in SIZES:
        page.set_viewport_size(size)
        yield from _in_both_themes(page, f"{size['width']}", None)
        for number, opener in enumerate(page.evaluate("tools.openers()")):
            if (size["width"], opener) in seen:
                continue
            seen.add((size["width"], opener))
            page.evaluate("number => tools.press(number)", number)
            yield from _in_both_themes(page, f"{size['width']}, {opener[:80]}", number)
            page.evaluate("number => tools.shut(number)", number)


def _in_both_themes(page: Page, where: str, number: int | None) -> Iterator[str]:
    themes: tuple[tuple[Literal["light", "dark"], Any], ...] = (("light", EVERYTHING), ("dark", COLOURS))
    for theme, rules in themes:
        page.emulate_media(color_scheme=theme)
        yield from (
            f"{theme}, {where}: {each}" for each in page.evaluate("asked => tools.axe(...asked)", [rules, number])
        )
