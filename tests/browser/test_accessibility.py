"""Every page, in both themes, both languages, wide and on a phone, with what opens on it: axe finds nothing.

A page of your own is a row in PAGES; what opens on it is the selector that is pressed. axe-core is put into the page by
the browser's own protocol, so the page's strict policy stays as it is. Both themes have the same structure: the dark
one is asked for its colours alone, which is much cheaper.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from django.test import Client
from django.urls import reverse
from playwright.sync_api import BrowserContext, Page, ViewportSize
from pytest_django.live_server_helper import LiveServer

from crm import campaigning, teaming
from crm.clock import database_now
from crm.importing import running
from crm.models import Campaign, Conversation, Creator, Dispatch, Import, ImportState, Membership, User
from crm.models.messages import Status
from crm.tests.factories import make_import, make_message
from onlyfans import demo

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = Path(__file__).parent / "vendor" / "axe" / "axe-4.14.1.min.js"
#: WCAG 2.0, 2.1 and 2.2, levels A and AA, and what axe's authors recommend besides.
EVERYTHING = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
RUN_AXE = """(rules) => axe.run(document, {runOnly: rules, resultTypes: ["violations"]}).then(({violations}) =>
    violations.flatMap((found) => found.nodes.map((node) =>
        `${found.id}: ${node.target.join(" ")} — ${node.failureSummary.replace(/\\s+/g, " ")}`)))"""
WIDE, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)


@dataclass(frozen=True, slots=True)
class Row:
    """``opens`` are selectors; each is pressed on a fresh page, at both widths where it can be seen."""

    name: str
    address: Callable[[], str]
    opens: Sequence[str] = ()
    signed_in: bool = True


def _named(name: str, **query: str) -> Callable[[], str]:
    return lambda: reverse(name, query=query or None)


def _opened() -> str:
    """The conversation with a bubble in every state."""
    return reverse("conversation", args=[Conversation.objects.get(fan__name="Theo Marsh").public_id])


def _campaign(name: str, *, begun: bool = True) -> Callable[[], str]:
    return lambda: reverse(name, args=[Campaign.objects.get(launched_at__isnull=not begun).public_id])


def _fan(name: str) -> Callable[[], str]:
    return lambda: reverse(name, args=[Conversation.objects.get(fan__name="Theo Marsh").fan.public_id])


def _import(name: str) -> Callable[[], str]:
    return lambda: reverse("import", args=[Import.objects.get(name=name).public_id])


def _welcome() -> str:
    """The link of an invitation, as somebody gets it."""
    creator = Creator.objects.get()
    owner = creator.memberships.get(role=Membership.Role.OWNER).user
    nina = creator.memberships.filter(user__username="nina").first()
    nina = nina or teaming.invite(creator, username="nina", role=Membership.Role.CHATTER, by=owner)
    return reverse("welcome", args=[nina.user.public_id, teaming.invitation(nina, by=owner)])


def _account() -> str:
    return reverse("account", args=[Creator.objects.get().public_id])


PAGES = [
    Row("sign in", _named("login"), signed_in=False),
    Row("inbox", _named("inbox"), opens=[".topbar-account > summary", ".topbar > .topbar-drawer"]),
    Row("inbox, nothing unread", _named("inbox", show="unread")),
    Row("conversation", _opened, opens=[".extras > summary"]),
    Row("fans", _named("fans"), opens=[".more-filters > summary", "summary:has-text('Columns')"]),
    Row("fans, none found", _named("fans", search="nobody", spentMin="5")),
    Row("new fan", _named("new_fan")),
    Row("fan", _fan("fan"), opens=["summary.plain"]),
    Row("erase a fan", _fan("erase_fan")),
    Row("segments", _named("segments")),
    Row("new segment", _named("new_segment", segment="ready:paid", seenWithinDays="7")),
    Row("campaigns", _named("campaigns")),
    Row("new campaign", _named("new_campaign", valueMin="1"), opens=[".leave-out > summary", ".letter summary"]),
    Row("a running campaign", _campaign("campaign"), opens=["details.menu > .button.danger"]),
    Row("a draft of a campaign", _campaign("campaign", begun=False)),
    Row("its recipients", _campaign("recipients")),
    Row("analytics", _named("analytics"), opens=[".chart-table > summary", ".toolbar .menu > summary"]),
    Row("payments", _named("transactions")),
    Row("subscriptions", _named("subscriptions")),
    Row("by hand", _named("assisted")),
    Row("connect", _named("connect")),
    Row("the account", _account, opens=["summary:has-text('Disconnect')"]),
    Row("import, with questions", _import("asking.csv")),
    Row("import, done", _import("done.csv"), opens=["summary.button"]),
    Row("profile", _named("settings")),
    Row("sign-ins", _named("sign_ins")),
    Row("keys", _named("api_keys")),
    Row("a creator's settings", _named("creator_settings")),
    Row("team", _named("team")),
    Row("snippets", _named("snippets")),
    Row("new snippet", _named("new_snippet")),
    Row("all sending", _named("sending")),
    Row("welcome", _welcome, signed_in=False),
    Row("nothing here", lambda: "/nowhere"),
]


@pytest.fixture
def somebody() -> User:
    """Who may see every page of the demo, where messages have come to every end there is."""
    demo.seed()
    Dispatch.note(heartbeat_at=database_now())
    theo = Conversation.objects.get(fan__name="Theo Marsh")
    for status in Status:
        make_message(theo, status=status, text=f"A message that is {status}", price_cents=500, cause="rejected")
    for name in ("Begun", "Not begun"):
        campaign = campaigning.draft(theo.creator, author=None, name=name, text="Hi {name|you}", audience={"rule": {}})
    campaigning.launch(Campaign.objects.exclude(pk=campaign.pk).get())
    make_import(theo.creator, "Username,Last Seen,Colour\nava,03/04/2025,red\n", name="asking.csv")
    done = make_import(theo.creator, "Username\nava\nb o\n", name="done.csv")
    done.move(ImportState.RUNNING, now=database_now())
    running.work(done)
    user = User.objects.get(username=demo.USERNAME)
    user.is_demo = False
    user.save()
    return user


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.timeout(300)
def test_axe_finds_nothing_on_any_page(
    language: Literal["en", "fr"],
    page: Page,
    context: BrowserContext,
    live_server: LiveServer,
    somebody: User,
    quiet: list[str],
) -> None:
    context.add_init_script(path=AXE)
    page.emulate_media(reduced_motion="reduce")
    client = Client()
    client.force_login(somebody)
    session = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    chosen = {"name": "django_language", "value": language, "url": live_server.url}

    found: list[str] = []
    for row in PAGES:
        context.clear_cookies()
        context.add_cookies([chosen, session] if row.signed_in else [chosen])  # type: ignore[list-item]
        for what in _looked_at(page, live_server.url + row.address(), row.opens):
            found += [f"{row.name}, {what}: {violation}" for violation in _violations(page)]
        assert page.locator("html").get_attribute("lang") == language

    assert not found, "\n".join(found)
    quiet.remove("Failed to load resource: the server responded with a status of 404 (Not Found)")


def _looked_at(page: Page, address: str, opens: Sequence[str]) -> Iterator[str]:
    page.set_viewport_size(WIDE)
    page.goto(address)
    yield "wide"
    page.set_viewport_size(PHONE)
    yield "phone"
    for selector in opens:
        for width, size in (("wide", WIDE), ("phone", PHONE)):
            page.set_viewport_size(size)
            page.goto(address)
            opener = page.locator(selector).first
            if opener.is_visible():
                opener.click()
                yield f"{width}, {selector}"


def _violations(page: Page) -> list[str]:
    page.emulate_media(color_scheme="light")
    found: list[Any] = page.evaluate(RUN_AXE, EVERYTHING)
    page.emulate_media(color_scheme="dark")
    return found + [f"dark, {violation}" for violation in page.evaluate(RUN_AXE, COLOURS)]
