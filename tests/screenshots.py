"""Pictures of every page for docs/screenshots/: ``python -m tests.screenshots [PAGE …]`` (``make screenshots``).

The demo is seeded into a database of its own and served by Django; Chromium looks at each row of tests/pages.py in both
themes at three widths, the staff's with them. WebP keeps the folder small. Names are ``<page>-<width>-<theme>.webp``.
"""

import base64
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from playwright.sync_api import CDPSession, Page, expect, sync_playwright

from tests import chromium
from tests.servers import RedisProcess
from tests.serving import environment, served, session_of

WIDTHS = {1440: 900, 900: 900, 390: 844}
FOLDER = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
QUALITY = 60
#: Pages that say little more than another one does.
LEFT_OUT = {"inbox-nothing-unread", "fans-none-found"}


def main(wanted: list[str]) -> None:
    with environment():
        # Rows are read by the models, which are there from now on.
        from django.test import Client

        from crm.clock import database_now
        from crm.models import Dispatch
        from crm.tests.factories import make_user
        from tests.pages import PAGES, STAFF_PAGES, furnish

        user, creator = furnish()
        staff = make_user("sam", is_staff=True, is_superuser=True)
        people = (
            (None, [row for row in PAGES if not row.signed_in]),
            (user, [row for row in PAGES if row.signed_in]),
            (staff, STAFF_PAGES),
        )
        with _redis(), served() as address, sync_playwright() as playwright:
            program = chromium.find_or_install()
            browser = playwright.chromium.launch(executable_path=program, args=list(chromium.ARGUMENTS))
            context = browser.new_context(reduced_motion="reduce")
            page = context.new_page()
            devtools = context.new_cdp_session(page)
            # The pages would say, and rightly, that nothing sends.
            Dispatch.note(heartbeat_at=database_now() + timedelta(days=1))
            for person, rows in people:
                page.goto("about:blank")
                context.clear_cookies()
                if person:
                    client = Client()
                    client.force_login(person)
                    context.add_cookies([session_of(client, address)])  # type: ignore[list-item]
                for row in rows:
                    if row.name not in LEFT_OUT and (not wanted or row.name in wanted):
                        _take(page, devtools, address + row.address(creator), row.name)
            browser.close()
    pictures = list(FOLDER.glob("*.webp"))
    size = sum(picture.stat().st_size for picture in pictures) / 2**20
    sys.stdout.write(f"{len(pictures)} pictures, {size:.1f} MiB\n")


@contextmanager
def _redis() -> Iterator[None]:
    """Without the bucket that it holds, a campaign's page could name no end."""
    with tempfile.TemporaryDirectory(prefix="huntaze-tool-") as folder:
        process = RedisProcess(settings.REDIS_ENDPOINT, Path(folder))
        try:
            process.start()
            yield
        finally:
            process.kill()


def _take(page: Page, devtools: CDPSession, address: str, name: str) -> None:
    page.goto(address)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        # The fan's card comes a moment after the page.
        expect(page.locator("#card-body .skeleton:visible")).to_have_count(0)
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            shot = devtools.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
            (FOLDER / f"{name}-{width}-{theme}.webp").write_bytes(base64.b64decode(shot["data"]))


if __name__ == "__main__":
    main(sys.argv[1:])
