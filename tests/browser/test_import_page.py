"""The wizard, step by step, in a browser that has scripts and in one that has none."""

from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest
from django.db import connections
from django.urls import reverse
from playwright.sync_api import Browser, FilePayload, Page, expect
from pytest_django.live_server_helper import LiveServer

from crm.clock import database_now
from crm.importing.running import work
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_import

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

FILE = FilePayload(
    name="fans.csv",
    mimeType="text/csv",
    buffer=b"Username,Colour,Total Spent\nava,red,$12.50\nben,blue,$3.00\nb o,green,lots\n",
)


@pytest.fixture
def imports(creator: Creator) -> Iterator[None]:
    """The process that imports, as a thread."""
    stop = Event()

    def run() -> None:
        while not stop.wait(0.1):
            for job in Import.objects.to_work_on(database_now()):
                work(job)
        connections.close_all()

    thread = Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()


def upload(page: Page, address: str) -> None:
    page.goto(f"{address}/platforms/connect/onlyfans")
    page.get_by_label("CSV file").set_input_files(FILE)
    page.get_by_role("button", name="Upload and look at it").click()


def test_a_file_comes_in_and_is_taken_back(
    page: Page, live_server: LiveServer, creator: Creator, sign_in: Callable[[], None], imports: None
) -> None:
    sign_in()
    upload(page, live_server.url)
    expect(page.get_by_text("One column is not known: Colour.")).to_be_visible()

    page.get_by_role("button", name="Leave them all out").click()
    expect(page.get_by_text("Every column has its place.")).to_be_visible()
    page.get_by_role("button", name="Check the whole file").click()
    expect(page.get_by_text("Would be created")).to_be_visible()
    expect(page.get_by_text("This is not an amount of money.")).to_be_visible()
    assert not creator.fans.exists()

    page.get_by_role("button", name="Import 2 rows").click()
    expect(page.get_by_role("link", name="Show the fans")).to_be_visible()
    assert set(creator.fans.values_list("handle", flat=True)) == {"ava", "ben"}
    with page.expect_download() as download:
        page.get_by_role("link", name="Download them to correct").click()
    assert "b o" in download.value.path().read_text()

    page.locator("summary", has_text="Undo this import").click()
    page.get_by_role("button", name="Undo it now").click()
    expect(page.get_by_text("Taken back", exact=True)).to_be_visible()
    assert not creator.fans.exists()


def test_a_browser_without_scripts_sees_the_end_too(
    browser: Browser, live_server: LiveServer, creator: Creator, page: Page, sign_in: Callable[[], None], imports: None
) -> None:
    sign_in()
    context = browser.new_context(java_script_enabled=False, storage_state=page.context.storage_state())
    plain = context.new_page()
    upload(plain, live_server.url)
    plain.get_by_role("button", name="Leave them all out").click()
    plain.get_by_role("button", name="Check the whole file").click()
    expect(plain.get_by_text("Would be created")).to_be_visible()
    context.close()


@pytest.mark.parametrize("width", [1440])
def test_while_it_goes_on_whoever_works_by_keyboard_may_still_press_cancel(
    page: Page, live_server: LiveServer, creator: Creator, sign_in: Callable[[], None]
) -> None:
    job = make_import(creator)
    Import.objects.filter(pk=job.pk).update(state=ImportState.RUNNING, rows_total=2)
    sign_in()
    address = f"{live_server.url}{reverse('import', args=[job.public_id])}"
    page.goto(address)
    cancel = page.get_by_role("button", name="Cancel")
    cancel.focus()

    for done in (1, 2):
        Import.objects.filter(pk=job.pk).update(rows_done=done)
        expect(page.get_by_text(f"{done} of 2 rows")).to_be_visible()
        expect(cancel).to_be_focused()
