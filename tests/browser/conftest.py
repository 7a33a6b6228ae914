"""A page that reports every complaint of the browser, and somebody signed in to look at it."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from crm.clock import database_now
from crm.models import Conversation, Creator, Dispatch, User
from crm.tests.factories import make_conversation, make_creator, make_fan, make_user
from tests.serving import session_of

#: Both databases are tested at once, on two cores: what is slow then is not broken.
PATIENCE_SECONDS = 60
expect.set_options(timeout=PATIENCE_SECONDS * 1000)
REPORT_POLICY = "addEventListener('securitypolicyviolation', (event) => console.error('CSP', event.violatedDirective))"


@pytest.fixture(autouse=True)
def quiet(context: BrowserContext, live_server: LiveServer) -> Iterator[list[str]]:
    """No complaint in the console, no violation of the policy, no request to anybody else.

    A test that provokes complaints takes them out of this list.
    """
    complaints: list[str] = []
    host = urlsplit(live_server.url).netloc
    context.set_default_timeout(PATIENCE_SECONDS * 1000)
    context.add_init_script(REPORT_POLICY)
    context.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    context.on("request", lambda asked: complaints.append(asked.url) if urlsplit(asked.url).netloc != host else None)
    yield complaints
    context.close()
    assert complaints == []


@pytest.fixture
def user() -> User:
    Dispatch.note(heartbeat_at=database_now())
    return make_user("mia")


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user, name="Mia")


@pytest.fixture
def conversation(creator: Creator) -> Conversation:
    return make_conversation(fan=make_fan(creator, name="Daniel"))


@pytest.fixture
def sign_in(context: BrowserContext, live_server: LiveServer, user: User) -> Callable[[], None]:
    """Signs the browser in without the form; the form has a test of its own."""

    def sign_in() -> None:
        client = Client()
        client.force_login(user)
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}])

    return sign_in


@pytest.fixture(params=[1440, 900, 390])
def width(request: pytest.FixtureRequest) -> int:
    """Of the window: a desk's, a tablet's and a phone's."""
    width: int = request.param
    return width


@pytest.fixture
def page(page: Page, width: int) -> Iterator[Page]:
    """A page of each width, which never has to be scrolled sideways."""
    page.set_viewport_size({"width": width, "height": 900})
    yield page
    if not page.is_closed():
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than its window"


@pytest.fixture
def opened(page: Page, live_server: LiveServer, conversation: Conversation, sign_in: Callable[[], None]) -> Page:
    """The conversation in the browser, its updates under way."""
    sign_in()
    page.goto(f"{live_server.url}/messages/onlyfans/{conversation.public_id}")
    return page


@pytest.fixture
def plain(browser: Browser, live_server: LiveServer, user: User, width: int) -> Iterator[Page]:
    """The inbox in a browser that runs no scripts, of each width; somebody is signed in."""
    client = Client()
    client.force_login(user)
    size = ViewportSize(width=width, height=900)
    with browser.new_context(java_script_enabled=False, viewport=size) as context:
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        context.add_cookies([session_of(client, live_server.url)])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(f"{live_server.url}/messages/onlyfans")
        yield page
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than its window"
