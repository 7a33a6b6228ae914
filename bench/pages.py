"""What the pages cost: bytes, questions to the database, server time by size, the bubble. `python bench/pages.py`.

Two creators live in one database, one with 1,000 conversations and one with 100,000, each with a campaign to all of
them under way. Their pages take turns in one process, through Django's client; what counts is processor time, that of
PostgreSQL included, so that a busy machine does not show. Then Chromium writes in a thread, and the page says how long
after Enter the bubble was there. Exits with 1 when a goal is missed.

  --large N      so many conversations instead of 100,000
  --requests N   so many requests of each page and size (60)
  --postgresql   on PostgreSQL instead of SQLite
"""

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))

from playwright.sync_api import sync_playwright  # noqa: E402

from bench.processor import Processor  # noqa: E402
from tests import chromium  # noqa: E402
from tests.postgresql import postgresql  # noqa: E402
from tests.serving import environment, served, session_of  # noqa: E402

GOAL_BYTES, GOAL_QUERIES, GOAL_SIZE, GOAL_BUBBLE_MS = 60 * 1024, 12, 1.5, 100
#: The pages whose time is to be the same for any size; the other ones say theirs.
FLAT = ("inbox", "campaign,", "recipients")
SMALL = 1_000
#: So much of the large campaign has gone out, this many of a thousand in vain; so many wait in the line.
SENT_OF_CAMPAIGN, FAILED_OF_THOUSAND, STILL_QUEUED = 3_000, 60, 100
BUBBLES = 20
WRITE = """() => new Promise((seen) => {
    const text = document.querySelector("#composer textarea");
    text.value = "How long does it take?";
    text.dispatchEvent(new Event("input", {bubbles: true}));
    new MutationObserver((_changes, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => {
            performance.mark("bubble");
            seen(performance.measure("enter to bubble", "enter", "bubble").duration);
        }));
    }).observe(document.getElementById("pending"), {childList: true});
    performance.mark("enter");
    text.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", ctrlKey: true, bubbles: true, cancelable: true}));
})"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        database = f"{stack.enter_context(postgresql())}/postgres" if options.postgresql else ""
        stack.enter_context(environment(database))
        good = [_sizes(options.large, options.requests), _bubble()]
    return 0 if all(good) else 1


def _sizes(large: int, requests: int) -> bool:
    from django.db import connection
    from django.db.models import F
    from django.test import Client
    from django.test.utils import CaptureQueriesContext
    from django.urls import reverse

    from crm import analytics
    from crm.clock import database_now
    from crm.models import User
    from onlyfans.crowd import seed_crowd
    from tests.weight import weight

    server = Processor([_backend(connection)] if connection.vendor == "postgresql" else [])

    def spent() -> float:
        return time.process_time() * 1000 + server.milliseconds()

    asking = {}
    for size in (SMALL, large):
        user = User.objects.create_user(f"owner{size}")
        began = time.perf_counter()
        creator = seed_crowd(user, fans=size)
        print(f"{size:,} conversations in {time.perf_counter() - began:.0f} s", flush=True)
        sent, running = creator.campaigns.get(name="News"), _campaign_under_way(creator)
        # Much of an inbox is dealt with, here and there.
        creator.conversations.alias(odd=F("pk") % 2).filter(odd=1).update(closed_at=database_now(), unread_count=0)
        # As dispatch does, once a minute.
        analytics.keep(database_now())
        client = Client()
        client.force_login(user)
        talk = creator.conversations.order_by("-last_message_at").select_related("fan")[size // 2]
        asking[size] = (
            client,
            {
                "inbox": reverse("inbox"),
                "inbox, unread": reverse("inbox", query={"show": "unread"}),
                "inbox, closed": reverse("inbox", query={"show": "closed"}),
                "conversation": reverse("conversation", args=[talk.public_id]),
                "fans": reverse("fans"),
                "fan": reverse("fan", args=[talk.fan.public_id]),
                "campaigns": reverse("campaigns"),
                "campaign, done": reverse("campaign", args=[sent.public_id]),
                "campaign, running": reverse("campaign", args=[running.public_id]),
                "recipients": reverse("recipients", args=[running.public_id]),
                "recipients, sent": reverse("recipients", args=[running.public_id], query={"state": "sent"}),
                "recipients, failed": reverse("recipients", args=[running.public_id], query={"state": "failed"}),
                "recipients, left out": reverse("recipients", args=[running.public_id], query={"state": "excluded"}),
                "new campaign": reverse("new_campaign"),
                "analytics": reverse("analytics"),
            },
        )
    print(
        f"\n{'processor ms':22}{f'p50 {SMALL:,}':>12}{'p95':>8}{f'p50 {large:,}':>13}{'p95':>8}"
        f"{'p95 ×':>8}{'KiB':>7}{'queries':>9}"
    )
    good = True
    for name in asking[large][1]:
        times: dict[int, list[float]] = {SMALL: [], large: []}
        for number in range(requests + 3):
            for size, (client, addresses) in asking.items():
                began = spent()
                response = client.get(addresses[name])
                took = spent() - began
                assert response.status_code == 200, (name, response.status_code)
                if number >= 3:
                    times[size].append(took)
        client, addresses = asking[large]
        with CaptureQueriesContext(connection) as queries:
            kilobytes = weight(client.get(addresses[name]).content.decode()) / 1024
        asked = len(queries) - 2  # who is it?
        p95 = {size: sorted(taken)[int(len(taken) * 0.95)] for size, taken in times.items()}
        ratio = p95[large] / p95[SMALL]
        missed = kilobytes * 1024 > GOAL_BYTES or (
            name.startswith(FLAT) and (ratio > GOAL_SIZE or asked > GOAL_QUERIES)
        )
        good = good and not missed
        medians = {size: statistics.median(taken) for size, taken in times.items()}
        print(
            f"{name:22}{medians[SMALL]:12.1f}{p95[SMALL]:8.1f}{medians[large]:13.1f}{p95[large]:8.1f}{ratio:8.2f}"
            f"{kilobytes:7.1f}{asked:9}{'   MISSED' if missed else ''}",
            flush=True,
        )
    return good


def _backend(connection: Any) -> int:
    """The pid of the PostgreSQL process that answers this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _campaign_under_way(creator: Any) -> Any:
    """A campaign to all of the creator's fans, some of whom are left out, some have it and some could not get it."""
    from django.db.models import F

    from crm import campaigning
    from crm.clock import database_now
    from crm.models import Message, Tally
    from crm.models.messages import Status

    creator.fans.filter(pk__in=creator.fans.order_by("pk").values("pk")[5:205]).update(blocked_at=database_now())
    campaign = campaigning.draft(creator, author=None, name="All", text="Hi {name|you}", audience={"rule": {}})
    began = time.perf_counter()
    campaigning.launch(campaign)
    print(f"launch for {campaign.recipients.count():,} in {time.perf_counter() - began:.1f} s", flush=True)
    for _thousand in range(SENT_OF_CAMPAIGN // 1000):
        campaigning.serve()
        queued = campaign.messages.filter(status=Status.QUEUED).order_by("pk")
        front = list(queued.values_list("pk", flat=True))[:-STILL_QUEUED]
        failed, sent = front[:FAILED_OF_THOUSAND], front[FAILED_OF_THOUSAND:]
        for keys, status, sent_at in ((failed, Status.FAILED, None), (sent, Status.SENT, F("due_at"))):
            messages = Message.objects.filter(pk__in=keys)
            number = messages.update(status=status, sent_at=sent_at, settled_at=F("due_at"))
            Tally.objects.moved(campaign.pk, source=Status.QUEUED, to=status, number=number)
    return campaign


def _bubble() -> bool:
    from django.test import Client

    from crm.clock import database_now
    from crm.models import Creator, Dispatch, User
    from crm.tests.factories import make_conversation, make_creator, make_fan

    user = User.objects.create_user("writer")
    creator: Creator = make_creator(user, name="Mia")
    talk = make_conversation(fan=make_fan(creator, name="Daniel"))
    Dispatch.note(heartbeat_at=database_now())
    client = Client()
    client.force_login(user)
    with served() as address, sync_playwright() as playwright:
        program = chromium.find_or_install()
        browser = playwright.chromium.launch(executable_path=program, args=list(chromium.ARGUMENTS))
        context = browser.new_context()
        context.add_cookies([session_of(client, address)])  # type: ignore[list-item]
        page = context.new_page()
        page.goto(f"{address}/messages/onlyfans/{talk.public_id}")
        taken = []
        for _number in range(BUBBLES):
            page.wait_for_function("() => !document.querySelector('#pending [data-pending]')")
            taken.append(float(page.evaluate(WRITE)))
        browser.close()
    worst = max(taken)
    print(f"\nEnter to bubble: median {statistics.median(taken):.0f} ms, worst {worst:.0f} ms of {BUBBLES}")
    return worst < GOAL_BUBBLE_MS


if __name__ == "__main__":
    sys.exit(main())
