"""A creator's business at its real size, as a person does it: `python bench/rehearsal.py [--postgresql]`.

The whole product of `make run`, its pages opened and its buttons pressed over HTTP, without JavaScript and with nothing
done behind their backs: 100,000 fans come from a CSV file through the wizard, a campaign is written to 20,000 of them
with exclusions, launched, paused, resumed and cancelled while it runs as fast as it can. The simulated platform's own
ledger says who got it. Then the pages are asked for beside those of the small demo, by turns, with everything but the
web stopped; what counts is the processor time of the web and of PostgreSQL, so that a busy machine does not show.

Each row says what was seen, the goal, and whether it is met; one that is MISSED makes the exit code 1.

  --fans N       so many fans in the file (100,000)
  --audience N   so many of them whom the campaign is for, those included whom it leaves out (20,000)
  --sends N      so many are sent before the pause, and again before the cancellation (400)
  --requests N   so many requests of each page and size (40)
  --postgresql   on PostgreSQL instead of SQLite
  --home PATH    where the product lives and logs, and what it leaves is kept; else nowhere
"""

import argparse
import csv
import io
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))

from bench.processor import Processor  # noqa: E402
from bench.report import Seen  # noqa: E402
from tests.faults.parts import Ledger  # noqa: E402
from tests.postgresql import postgresql  # noqa: E402
from tests.product import Product, new_product  # noqa: E402
from tests.reader import Page, Reader  # noqa: E402

#: The goals. What is on its way when a campaign is stopped may still arrive, for so long.
LAUNCH_SECONDS, STOPS_SECONDS, TIMES_THE_DEMO, TIMES_ALONE = 5.0, 1.0, 1.5, 1.5
#: Without the gap that a burst else has, so that the workers always have something at hand.
UNLIMITED = "100000/1:1000"
#: A campaign leaves out who got something in so many hours, and who is in this segment.
HOURS, SEGMENT, SPENT_MIN = 24, "Big spenders", 9_000
#: So many are written to beforehand, enough to fill a page of who is left out, and so many blocked.
WRITTEN_TO, BLOCKED = 60, 3
#: Calls to the platform at once; of one creator's line one fewer.
WORKERS = 4
HEADER = "Fan ID,Username,Display Name,Email,Subscription Tier,Total Spent,Last Seen\n"
QUIET_SECONDS = 3.0
#: A busy machine takes its time.
STARTS_SECONDS = 240
ANY_NUMBER = r"[\d.,\s  ]+"


@dataclass(frozen=True, slots=True)
class Size:
    fans: int = 100_000
    audience: int = 20_000
    sends: int = 400
    requests: int = 40


#: What the demo's creator gets: enough to fill a page of everything.
DEMO = (200, 160)


# --- Who is in the file


@dataclass(frozen=True, slots=True)
class Guest:
    """One row of the file. ``place`` is among those whom the campaign is for, else None."""

    number: int
    place: int | None

    @property
    def handle(self) -> str:
        return f"guest{self.number}"

    @property
    def platform_id(self) -> str:
        return "" if self.is_unreachable else str(9_007_199_254_740_993 + self.number)

    @property
    def is_unreachable(self) -> bool:
        return self.place is not None and self.place % 40 == 1

    @property
    def spends_much(self) -> bool:
        return self.place is not None and self.place % 20 == 2

    @property
    def row(self) -> str:
        tier, spent = "Silver" if self.place is None else "Gold", 9_100 if self.spends_much else self.number % 900
        seen = f"2026-{1 + self.number % 9:02d}-{1 + self.number % 28:02d}T10:{self.number % 60:02d}:00Z"
        who = f"{self.platform_id},{self.handle},Guest Number {self.number},{self.handle}@example.com"
        return f"{who},{tier},{spent}.{self.number % 100:02d},{seen}\n"


class Guests:
    """The file, and who of those for whom the campaign is gets it."""

    def __init__(self, fans: int, audience: int) -> None:
        step = fans // audience
        self.all = [
            Guest(number, number // step if number % step == 0 and number // step < audience else None)
            for number in range(fans)
        ]
        invited = [guest for guest in self.all if guest.place is not None]
        usual = [guest for guest in invited if not guest.is_unreachable and not guest.spends_much]
        self.blocked, self.written_to = usual[:BLOCKED], usual[BLOCKED : BLOCKED + WRITTEN_TO]
        self.reached = {guest.platform_id for guest in usual[BLOCKED + WRITTEN_TO :]}
        self.left_out = len(invited) - len(self.reached)


# --- What a person does


class Business:
    """One creator of the demo's user, and what is done for it on the pages."""

    def __init__(self, reader: Reader, name: str) -> None:
        self.reader = reader
        creators = self.api("/api/onlyfans/messages/status")["creators"]
        self.id = next(each["id"] for each in creators if each["name"] == name)
        self.addresses: dict[str, str] = {}

    def api(self, address: str) -> Any:
        page = self.reader.read(address)
        assert page.status == 200, page.text
        return page.json

    def page(self, address: str) -> Page:
        page = self.reader.read(f"{address}{'&' if '?' in address else '?'}creator={self.id}")
        assert page.status == 200, (address, page.status, page.words)
        return page

    def connect(self, account: str, key: str) -> None:
        page = self.page("/platforms/connect/onlyfans")
        page = self.reader.read(page.link(rf"/{self.id}$|account"))
        page = self.reader.press(page, "Connect", provider="ofapi", account_id=account, api_key=key)
        assert "Saved." in page.words, page.words

    def bring(self, people: list[Guest], meanwhile: Callable[[], object] = lambda: None) -> dict[str, float]:
        """Import them through every step of the wizard; the answer is the seconds of each.

        ``meanwhile`` is called again and again while the file is checked and imported.
        """
        file = (HEADER + "".join(guest.row for guest in people)).encode()
        began = time.perf_counter()
        page = self.reader.press(
            self.page("/platforms/connect/onlyfans"), "Upload and look at it", file=("guests.csv", file)
        )
        assert "Every column has its place." in page.words, page.words
        took = {"megabytes": len(file) / 1e6, "upload": time.perf_counter() - began}
        began = time.perf_counter()
        page = self._when_done(self.reader.press(page, "Check the whole file"), meanwhile)
        took["dry run"] = time.perf_counter() - began
        began = time.perf_counter()
        page = self._when_done(self.reader.press(page, rf"Import{ANY_NUMBER}rows"), meanwhile)
        took["import"] = time.perf_counter() - began
        created = number_after(page, "Created")
        assert created == len(people), f"{created} of {len(people)} created: {page.words}"
        self.addresses["import result"] = page.address
        return took

    def _when_done(self, page: Page, meanwhile: Callable[[], object], seconds: float = 1_800) -> Page:
        deadline = time.monotonic() + seconds
        while 'class="progress"' in page.text:
            assert time.monotonic() < deadline, page.words
            time.sleep(0.2)
            meanwhile()
            page = self.reader.read(page.address)
        return page

    def keep_segment(self) -> None:
        page = self.page(f"/segments/new?spentMin={SPENT_MIN}")
        page = self.reader.press(page, "Save the segment", name=SEGMENT)
        assert "is saved" in page.words, page.words
        self.addresses["segment"] = page.address

    def block(self, guest: Guest) -> None:
        page = self.reader.read(self.page(f"/fans?search={guest.platform_id}").link(r"^/fans/[0-9a-f-]{36}"))
        self.addresses["fan"] = page.address
        page = self.reader.press(self.reader.read(page.link(r"/edit$")), "Save", is_blocked="on")
        assert page.status == 200, page.words

    def write(self, name: str, text: str, **typed: str) -> Page:
        """A campaign, kept and shown for review."""
        empty = self.page("/messages/bulk")
        if "tag" in typed:
            typed["tag"] = empty.choice("tag", typed["tag"])
        if "leave_out" in typed:
            found = re.search(rf'name="leave_out" value="([^"]+)"[^>]*>\s*(?:<span>)?{typed["leave_out"]}', empty.text)
            assert found, empty.words
            typed["leave_out"] = found[1]
        page = self.reader.press(empty, "Keep and review", name=name, text=text, **typed)
        assert page.status == 200, page.words
        return page

    def decide(self, page: Page, button: str) -> Page:
        """Press one of a campaign's buttons, on its page as it is now."""
        page = self.reader.press(self.reader.read(page.address), button)
        assert page.status == 200, page.words
        return page

    def counts(self, page: Page) -> Counter[str]:
        """How many recipients of the campaign are in each state, as the API has it."""
        return Counter(self.api(f"/api/crm/campaigns/{id_in(page.address)}")["counts"])


def p95(taken: list[float]) -> float:
    return sorted(taken)[int(len(taken) * 0.95)]


def id_in(address: str) -> str:
    found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", address)
    assert found, address
    return found[0]


def number_after(page: Page, words: str) -> int:
    """The figure of the page that is called so."""
    found = re.search(rf"<dt>{words}</dt><dd[^>]*>({ANY_NUMBER})</dd>", page.text)
    assert found, f"no {words} on {page.address}: {page.words}"
    return int(re.sub(r"\D", "", found[1]))


# --- The rehearsal


class Rehearsal:
    """All of it, in the order of the story. ``seen`` yields each row as soon as it is known."""

    def __init__(self, product: Product, size: Size, postgresql: int | None = None) -> None:
        """``postgresql`` is the pid of the server if there is one."""
        self.product, self.size, self.postgresql = product, size, postgresql
        self.reader = Reader(product.url)
        self.guests = Guests(size.fans, size.audience)
        self.platform = Ledger(product.home / "simulator-ledger.jsonl")

    def seen(self) -> Iterator[Seen]:
        secrets = dict(line.split("=", 1) for line in (self.product.home / "laptop.env").read_text().splitlines()[1:])
        self.product.manage("create_creator", "Rehearsal", "--owner", "demo", "--pace", UNLIMITED)
        self.reader.sign_in("demo", "demo-huntaze")
        self.demo = Business(self.reader, "Ava Laurent")
        self.large = Business(self.reader, "Rehearsal")
        self.large.connect("acct_rehearsal", secrets["SIMULATOR_API_KEY"])
        yield from self._import()
        page = self._prepare(self.large, self.guests)
        yield from self._campaign(page)
        yield from self._afterwards()
        few = Guests(*DEMO)
        self.demo.bring(few.all)
        self._launch(self._prepare(self.demo, few), "Completed")
        yield from self._pages()
        self.reader.close()

    def _import(self) -> Iterator[Seen]:
        # The first one compiles templates.
        self._inbox()
        before, during = [self._inbox() for _request in range(self.size.requests)], list[float]()
        took = self.large.bring(self.guests.all, meanwhile=lambda: during.append(self._inbox()))
        words = ", ".join(f"{step} {took[step]:.1f} s" for step in ("upload", "dry run", "import"))
        yield Seen(f"{self.size.fans:,} fans, {took['megabytes']:.1f} MB, by the wizard", words)
        yield Seen("rows/s of the import", f"{self.size.fans / took['import']:,.0f}")
        alone, beside = p95(before), p95(during)
        yield Seen(
            "p95 of the inbox while it imports",
            f"{1000 * beside:.0f} ms of {len(during)}, before it {1000 * alone:.0f} ms: × {beside / alone:.2f}",
            f"at most × {TIMES_ALONE}",
            beside <= alone * TIMES_ALONE,
            by_the_clock=True,
        )

    def _inbox(self) -> float:
        """Seconds until somebody who answers fans has it on the screen."""
        return self.demo.page("/messages/onlyfans").seconds

    def _prepare(self, business: Business, guests: Guests) -> Page:
        """Somebody is blocked, some have just been written to; the campaign that leaves them out, to be reviewed."""
        business.keep_segment()
        for guest in guests.blocked:
            business.block(guest)
        handles = "\n".join(guest.handle for guest in guests.written_to)
        self._launch(business.write("Before", "Before: hello {name|you}", source="fans", fans=handles), "Completed")
        words, out = "Rehearsal: hello {name|you}", {"leave_out": SEGMENT, "leave_out_hours": str(HOURS)}
        page = business.write("Rehearsal", words, source="filter", tag="Gold", **out)
        business.addresses |= {"campaign": page.address, "recipients": f"{page.address}/recipients"}
        return page

    def _launch(self, page: Page, until: str) -> Page:
        launched = self.reader.press(page, "Launch now")
        self._wait(lambda: until in self.reader.read(page.address).words)
        return launched

    def _campaign(self, page: Page) -> Iterator[Seen]:
        reached, left_out = len(self.guests.reached), self.guests.left_out
        found = number_after(page, "Would get it"), number_after(page, "Left out")
        yield Seen(
            "who would get it, and who would not",
            f"{found[0]:,} and {found[1]:,}",
            f"{reached:,} and {left_out:,}",
            found == (reached, left_out),
        )
        page = self._launch(page, "Running")
        yield Seen(
            f"launch for {self.size.audience:,}",
            f"{page.seconds:.2f} s, its page included",
            f"at most {LAUNCH_SECONDS:g} s",
            page.seconds <= LAUNCH_SECONDS,
            by_the_clock=True,
        )
        yield self._sum(page, "running")
        began, first = time.perf_counter(), len(self._got())
        self._wait(lambda: len(self._got()) >= self.size.sends)
        yield Seen("messages/s", f"{(len(self._got()) - first) / (time.perf_counter() - began):.1f}")
        yield from self._stop(page, "Pause")
        page = self.large.decide(page, "Resume")
        self._wait(lambda: len(self._got()) >= 2 * self.size.sends)
        yield self._sum(page, "resumed")
        yield from self._stop(page, "Cancel this campaign")
        counts = self.large.counts(page)
        left = {state: number for state, number in counts.items() if state not in ("sent", "excluded", "cancelled")}
        yield Seen("still going after the cancellation", str(left or "nobody"), "nobody", not left)

    def _stop(self, page: Page, button: str) -> Iterator[Seen]:
        """Press it while messages go; afterwards the platform's ledger stands still."""
        page = self.large.decide(page, button)
        stopped = time.time()
        time.sleep(QUIET_SECONDS)
        late = [entry["at"] - stopped for entry in self._got() if entry["at"] > stopped]
        few = len(late) < WORKERS
        yield Seen(f"“{button}”: sent after the answer", str(len(late)), f"fewer than {WORKERS}, on their way", few)
        yield Seen(
            f"“{button}”: the last one after the answer",
            f"{max(late, default=0.0):.2f} s",
            f"at most {STOPS_SECONDS:g} s",
            max(late, default=0.0) <= STOPS_SECONDS,
            by_the_clock=True,
        )
        yield self._sum(page, f"after “{button}”")

    def _sum(self, page: Page, when: str) -> Seen:
        counts = self.large.counts(page)
        words = ", ".join(f"{state} {number:,}" for state, number in sorted(counts.items()))
        whole = counts.total() == self.size.audience
        return Seen(f"sum of states, {when}", f"{counts.total():,}: {words}", f"{self.size.audience:,}", whole)

    def _afterwards(self) -> Iterator[Seen]:
        """The platform's books against ours, fan by fan."""
        got = Counter(entry["chat"] for entry in self._got())
        yield Seen("who got it twice", str(sum(number > 1 for number in got.values())), "0", max(got.values()) == 1)
        wrong = got.keys() - self.guests.reached
        yield Seen("who got it and is left out, or not meant", str(len(wrong)), "0", not wrong)
        page = self.large.addresses["campaign"]
        rows = list(csv.DictReader(io.StringIO(self.reader.read(f"{page}/recipients.csv").text.removeprefix("﻿"))))
        counts = Counter(row["State"] for row in rows)
        sent = {row["Platform ID"] for row in rows if row["State"] == "sent"}
        yield Seen(
            "the file of recipients beside the ledger",
            f"{len(sent):,} sent, {len(got):,} accepted",
            "the same fans",
            sent == set(got),
        )
        told = self.large.counts(self.reader.read(page))
        yield Seen("the file beside the figures", f"{counts.total():,} rows", "the same", counts == told)

    def _pages(self) -> Iterator[Seen]:
        """Each page of both creators, by turns, on the quiet product."""
        for business in (self.demo, self.large):
            talk = business.api(f"/api/crm/conversations?creatorId={business.id}&limit=1")["results"]
            if talk:
                business.addresses["conversation"] = f"/messages/onlyfans/{talk[0]['id']}"
        for role in ("dispatch", "worker", "imports"):
            self.product.switch_off(role)
        web = self.product.pid("web")
        assert web
        servers = [web, *([self.postgresql] if self.postgresql else [])]
        for name, of in PAGES.items():
            pair = [of(self.demo), of(self.large)]
            if not all(pair):
                continue
            times: list[list[float]] = [[], []]
            both = list(zip((self.demo, self.large), pair, times, strict=True))
            for business, address, _taken in both:
                # The first one compiles templates.
                business.page(address)
            processor = Processor(servers)
            for _request in range(self.size.requests):
                for business, address, taken in both:
                    before = processor.milliseconds()
                    business.page(address)
                    taken.append(processor.milliseconds() - before)
            small, large = map(p95, times)
            middle = [statistics.median(taken) for taken in times]
            yield Seen(
                f"p95 of {name}",
                f"{large:.1f} ms, the demo's {small:.1f} ms: × {large / small:.2f} (p50 × {middle[1] / middle[0]:.2f})",
                f"at most × {TIMES_THE_DEMO}",
                large <= small * TIMES_THE_DEMO,
                by_the_clock=True,
            )

    def _got(self) -> list[dict[str, Any]]:
        """What the platform has accepted of the campaign, with its time as seconds."""
        return [
            entry | {"at": datetime.fromisoformat(entry["time"]).astimezone(UTC).timestamp()}
            for entry in self.platform.of("acct_rehearsal")
            if entry["text"].startswith("Rehearsal:")
        ]

    def _wait(self, condition: Callable[[], object], seconds: float = 1_800) -> None:
        """Look now and then: a page that is asked for all the time takes the machine from what it waits for."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds} s in vain"
            time.sleep(0.3)


def fixed(address: str) -> Callable[[Business], str]:
    return lambda business: address


def own(name: str, more: str = "") -> Callable[[Business], str]:
    return lambda business: business.addresses[name] + more if name in business.addresses else ""


PAGES: dict[str, Callable[[Business], str]] = {
    "inbox": fixed("/messages/onlyfans"),
    "conversation": own("conversation"),
    "fans": fixed("/fans"),
    "fans, found by name": fixed("/fans?search=guest"),
    "fans, by tag": fixed("/fans?tag=Silver&sort=-valueCents"),
    "fan": own("fan"),
    "segments": fixed("/segments"),
    "segment": own("segment"),
    "campaigns": fixed("/campaigns"),
    "new campaign": fixed("/messages/bulk"),
    "campaign": own("campaign"),
    "recipients": own("recipients"),
    "recipients, left out": own("recipients", "?state=excluded"),
    "analytics": fixed("/platforms/onlyfans/analytics"),
    "connect": fixed("/platforms/connect/onlyfans"),
    "import result": own("import result"),
}


#: How the product is started: as fast as it can, with a platform that takes everything.
ENVIRONMENT = {
    "HUNTAZE_PACE": UNLIMITED,
    "HUNTAZE_BURST_GAP_SECONDS": "0",
    "SIMULATOR_GAP": "0",
    "SIMULATOR_REPLY_PROBABILITY": "0",
    "WORKER_CONCURRENCY": str(WORKERS),
}


def rehearse(home: Path, size: Size, *, postgresql: int | None = None, **environment: str) -> Iterator[Seen]:
    """Start the product in ``home`` and play it, on the PostgreSQL of this pid if there is one."""
    product = new_product(home, **(ENVIRONMENT | environment))
    try:
        product.start(within=STARTS_SECONDS)
        yield from Rehearsal(product, size, postgresql).seen()
    finally:
        product.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, number in (("fans", 100_000), ("audience", 20_000), ("sends", 400), ("requests", 40)):
        parser.add_argument(f"--{name}", type=int, default=number)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    size = Size(options.fans, options.audience, options.sends, options.requests)
    began, missed = time.monotonic(), 0
    with ExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-"))) / "home"
        where: dict[str, Any] = {}
        if options.postgresql:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rehearsal-pg-")))
            where["DATABASE_URL"] = f"{stack.enter_context(postgresql(folder))}/postgres"
            where["postgresql"] = int((folder / "data" / "postmaster.pid").read_text().split()[0])
        for seen in rehearse(home, size, **where):
            missed += not seen.is_met
            print(seen, flush=True)
    print(f"{missed or 'no'} goals missed; took {time.monotonic() - began:.0f} s", file=sys.stderr)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
