"""Delivery, measured: `python bench/delivery.py [--small] [--postgresql] [section ...]`; a quarter of an hour for all.

The whole line as it runs in production: dispatch, a Celery worker, Redis, SQS and the platform, each a process of its
own. moto serves SQS and the simulator is the platform, whose ledger says what was delivered, and when. SQLite keeps our
own ledger, or PostgreSQL. Each row says what was seen, the goal, and whether it is met; one that is MISSED makes the
exit code 1. `--small` asks for a few of everything, to see in three minutes that it runs; its verdicts mean little.

  rate      messages/s without a limit, against a Celery no-op task on the same endpoint, worker and pool; CPU
  requests  SQS requests for a delivered message, from the stand-in's own count
  pace      how much of the permitted rate is used: 1 and 100 creators at 10/min, 1,000 at 1/min, in real time
  reply     how long a reply takes beyond the wait for its token while 10,000 campaign messages wait, here and elsewhere
  growth    rate and reply again, half as many, with 10^3, 10^4 and 10^5 rows waiting
"""

import argparse
import base64
import json
import math
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import psutil
from celery import shared_task

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))

from bench.report import Seen  # noqa: E402
from huntaze.laptop.environment import free_ports, redis_server, stand_in_aws  # noqa: E402
from huntaze.laptop.queues import QUEUE  # noqa: E402
from tests.faults.parts import Ledger, Part  # noqa: E402
from tests.postgresql import postgresql  # noqa: E402

if TYPE_CHECKING:
    from crm.models import Conversation, Creator

#: The goals.
RATIO_MIN, REQUESTS_MAX, USE_MIN, REPLY_MAX_MS, FLAT_MIN = 0.6, 3.2, 0.985, 1000, 0.8
KEY = "bench-key"
UNLIMITED = "100000/1"
#: So many lines are served at once, and so many ids are in SQS at most: moto slows down with depth.
LINES = 40
#: What is compared with each other is measured by turns, so that a machine that slows down does so for each.
TURNS = 2
WORKER = [
    *("-m", "celery", "-A", "huntaze", "worker", "--pool=prefork", "-Q", QUEUE, "-I", "bench.delivery"),
    *("--loglevel", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"),
]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. ``paces`` are (creators, messages a minute, seconds)."""

    messages: int = 800
    tasks: int = 600
    seconds: int = 36
    paces: tuple[tuple[int, int, int], ...] = ((1, 10, 75), (100, 10, 75), (1000, 1, 130))
    replies: int = 60
    waiting: int = 10_000
    growth: tuple[int, ...] = (1_000, 10_000, 100_000)


SMALL = Size(
    messages=150,
    tasks=150,
    seconds=12,
    paces=((1, 10, 20), (10, 10, 20), (20, 1, 64)),
    replies=8,
    waiting=500,
    growth=(500, 2_000),
)


@shared_task(name="bench.noop")
def noop(**_anything: object) -> None:
    """What Celery on SQS costs by itself."""


# --- The stage


class Stage:
    """Every process of the line, up for as long as the bench runs."""

    def __init__(self, folder: Path, database_url: str) -> None:
        redis_port, sqs_port, platform_port = free_ports(3)
        self.sqs_url = f"http://127.0.0.1:{sqs_port}"
        self.environment = {
            **os.environ,
            **stand_in_aws("us-east-1", sqs_port),
            "DJANGO_SETTINGS_MODULE": "huntaze.settings",
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "JWT_SIGNING_KEY": secrets.token_urlsafe(48),
            "HUNTAZE_KEYRING": "bench:" + base64.b64encode(secrets.token_bytes(32)).decode(),
            "HUNTAZE_HOME": str(folder),
            "DATABASE_URL": database_url,
            "REDIS_ENDPOINT": f"127.0.0.1:{redis_port}",
            "OFAPI_BASE_URL": f"http://127.0.0.1:{platform_port}/api",
            "SIMULATOR_API_KEY": KEY,
            "WORKER_CONCURRENCY": "4",
            # Every creator here is new: that all their accounts are read at once is no part of delivering.
            "SYNC_MINUTES": "0",
            "LOG_LEVEL": "WARNING",
            "no_proxy": "127.0.0.1",
        }
        os.environ.update(self.environment)
        django.setup()
        self.folder, self.ledger = folder, Ledger(folder / "ledger.jsonl")
        (folder / "ledger.jsonl").touch()
        redis = [redis_server(), "--bind", "127.0.0.1", "--port", str(redis_port), "--dir", str(folder), "--save", ""]
        platform = ["manage.py", "simulate_platform", "--port", str(platform_port), "--gap", "0"]
        platform += ["--reply-probability", "0", "--ledger", str(folder / "ledger.jsonl")]
        self.parts = {
            "redis": self.part("redis", *redis),
            "sqs": self.part("sqs", "-m", "huntaze.laptop.sqs", "--port", str(sqs_port)),
            "platform": self.part("platform", *platform),
            "dispatch": self.part("dispatch", "manage.py", "dispatch"),
            "worker": self.part("worker", *WORKER),
        }

    def part(self, name: str, *command: str) -> Part:
        return Part(name, *command, environment=self.environment, log=self.folder / f"{name}.log")

    def start(self) -> None:
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=BASE_DIR, env=self.environment, check=True)
        for part in self.parts.values():
            part.start()
        # The first message opens every connection and compiles every query.
        creators = make_creators(1, UNLIMITED)
        time.sleep(5)
        queue(creators, 20)
        self.wait_for(creators, 20)

    def close(self) -> None:
        for part in self.parts.values():
            part.kill()

    def accepted(self, creators: "Sequence[Creator]") -> dict[str, list[dict[str, Any]]]:
        """What the platform has accepted of these creators, by account, with the time as seconds."""
        entries = defaultdict(list)
        for entry in self._of(creators):
            entries[entry["account"]].append(entry | {"at": datetime.fromisoformat(entry["time"]).timestamp()})
        return entries

    def count(self, creators: "Sequence[Creator]") -> int:
        """How many those are; cheap enough to be asked all the time beside what is measured."""
        return len(self._of(creators))

    def _of(self, creators: "Sequence[Creator]") -> list[dict[str, Any]]:
        return self.ledger.of(*(creator.connection.account_id for creator in creators))

    def wait_for(self, creators: "Sequence[Creator]", count: int, seconds: float = 300) -> None:
        deadline = time.monotonic() + seconds
        while self.count(creators) < count:
            assert time.monotonic() < deadline, f"fewer than {count} after {seconds} s"
            time.sleep(0.05)

    def sqs_counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.sqs_url}/_requests", timeout=10) as reply:
            counts: dict[str, int] = json.loads(reply.read())
        return counts

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU that each part has used, its children included."""
        return {name: sum(map(_seconds, _family(part.pid))) for name, part in self.parts.items()}


def _family(pid: int) -> list[psutil.Process]:
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# --- What is sent


def make_creators(count: int, pace: str) -> "list[Creator]":
    from crm.models import Creator, Line
    from onlyfans.models import Connection

    creators = Creator.objects.bulk_create(Creator(name=f"Bench {number}", pace=pace) for number in range(count))
    Line.objects.bulk_create(Line(creator=creator) for creator in creators)
    connections = []
    for creator in creators:
        connection = Connection(creator=creator, account_id=f"acct_{creator.public_id.hex}")
        connection.api_key = KEY
        connections.append(connection)
    Connection.objects.bulk_create(connections)
    return creators


def queue(creators: "Sequence[Creator]", each: int, *, priority: int = 5) -> None:
    """Let ``each`` messages of every creator wait, each to a fan of its own, as a launched campaign does."""
    from django.db import transaction

    from crm.clock import database_now
    from crm.models import Conversation, Fan, Line, Message

    for creator in creators:
        with transaction.atomic():
            now = database_now()
            fans = Fan.objects.bulk_create(
                (Fan(creator=creator, platform_id=f"f{secrets.token_hex(8)}") for _fan in range(each)), 2000
            )
            conversations = Conversation.objects.bulk_create(
                (Conversation(creator=creator, fan=fan) for fan in fans), 2000
            )
            Message.objects.bulk_create(
                (
                    Message(creator=creator, conversation=thread, text="Hi", priority=priority, send_at=now, due_at=now)
                    for thread in conversations
                ),
                2000,
            )
            Line.objects.wake(creator.pk, at=now)


def conversation(creator: "Creator") -> "Conversation":
    from crm.models import Conversation, Fan

    fan = Fan.objects.create(creator=creator, platform_id=f"f{secrets.token_hex(8)}")
    return Conversation.objects.create(creator=creator, fan=fan)


@contextmanager
def backlog(creators: "Sequence[Creator]", rows: int) -> "Iterator[None]":
    """``rows`` waiting messages among these creators, gone again afterwards."""
    queue(creators, rows // len(creators), priority=1)
    yield
    forget(creators)


@contextmanager
def stopped() -> "Iterator[None]":
    """Nothing is sent meanwhile: else the first lines are half done, beside the writing, before the last are there."""
    from crm.clock import database_now
    from crm.models import Dispatch

    Dispatch.stop_sending(reason="The bench writes what is to wait.", now=database_now())
    yield
    Dispatch.resume_sending()


def forget(creators: "Sequence[Creator]") -> None:
    from crm.models import Message

    Message.objects.filter(creator__in=creators, status="queued").update(status="cancelled")


# --- The sections


def rate(stage: Stage, size: Size) -> Iterator[Seen]:
    """The middle of the run, so that neither the first nor the last message counts; both kinds twice, by turns."""
    lines, tasks = [], []
    for _turn in range(TURNS):
        tasks.append(_noop_rate(stage, size.tasks))
        lines.append(_line_rate(stage, size.messages + LINES * 5, size.messages))
    ratio = statistics.mean(each.a_second for each in lines) / statistics.mean(each.a_second for each in tasks)
    yield Seen("messages/s through the line", " and ".join(f"{each.a_second:.1f}" for each in lines))
    yield Seen("no-op tasks/s", " and ".join(f"{each.a_second:.1f}" for each in tasks))
    yield Seen("ratio", f"{ratio:.2f}", f"at least {RATIO_MIN}", ratio >= RATIO_MIN)
    yield Seen("where the time goes: CPU ms a message", lines[-1].where)
    yield Seen("CPU ms a no-op task", tasks[-1].where)


@dataclass(frozen=True, slots=True)
class Rate:
    a_second: float
    #: CPU of each part, in milliseconds for each.
    cpu: dict[str, float]

    @property
    def where(self) -> str:
        parts = ", ".join(f"{name} {used:.1f}" for name, used in self.cpu.items() if used >= 0.05)
        return f"{sum(self.cpu.values()):.1f}: {parts}"


def _line_rate(stage: Stage, rows: int, measured: int) -> Rate:
    creators = make_creators(LINES, UNLIMITED)
    with stopped():
        queue(creators, rows // LINES)
    stage.wait_for(creators, measured // 8)
    before, first = stage.cpu(), stage.count(creators)
    stage.wait_for(creators, measured)
    spent = {name: used - before[name] for name, used in stage.cpu().items()}
    delivered = stage.count(creators) - first
    times = sorted(entry["at"] for entries in stage.accepted(creators).values() for entry in entries)
    forget(creators)
    times = times[measured // 8 : measured]
    a_second = (len(times) - 1) / (times[-1] - times[0])
    return Rate(a_second, {name: used / delivered * 1000 for name, used in spent.items()})


def _noop_rate(stage: Stage, count: int) -> Rate:
    """A publisher of its own, as dispatch is one, with as many tasks under way as the line has messages."""
    publisher = stage.part("publisher", "-m", "bench.delivery", "--publish", str(count))
    done = stage.sqs_counts().get("DeleteMessage", 0)
    publisher.start()
    first, times, cpu = count // 6, [], []
    for reached in (first, count):
        deadline = time.monotonic() + 300
        while stage.sqs_counts().get("DeleteMessage", 0) < done + reached:
            assert time.monotonic() < deadline, "the tasks came to no end"
            time.sleep(0.05)
        times.append(time.monotonic())
        cpu.append(stage.cpu() | {"publisher": sum(map(_seconds, _family(publisher.pid)))})
    publisher.kill()
    spent = {name: (used - cpu[0][name]) / (count - first) * 1000 for name, used in cpu[1].items()}
    return Rate((count - first) / (times[1] - times[0]), {name: used for name, used in spent.items() if used > 0})


def publish(count: int) -> None:
    """Publish no-op tasks as dispatch publishes ids, never more than LINES ahead of the worker."""
    django.setup()
    from onlyfans.queue import publish as publish_one

    def asked() -> tuple[int, int]:
        with urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/_requests", timeout=10) as reply:
            counts = json.loads(reply.read())
        return counts.get("SendMessage", 0), counts.get("DeleteMessage", 0)

    for number in range(count):
        while number % 10 == 0 and (seen := asked())[0] - seen[1] > LINES - 10:
            time.sleep(0.01)
        publish_one(noop, secrets.token_hex(16))  # type: ignore[arg-type]
    # What it took is read when the last task is done.
    time.sleep(600)


def requests(stage: Stage, size: Size) -> Iterator[Seen]:
    """30 creators at the usual pace, while the worker has time to spare."""
    creators = make_creators(30, "10/60")
    queue(creators, 4 + size.seconds // 6)
    stage.wait_for(creators, 60)
    with _counting(stage, creators) as counted:
        time.sleep(size.seconds)
    forget(creators)
    yield _requests_seen("SQS requests a delivered message", counted)


@contextmanager
def _counting(stage: Stage, creators: "Sequence[Creator]") -> Iterator[dict[str, float]]:
    """SQS requests by kind for each message that was delivered meanwhile."""
    counted: dict[str, float] = {}
    before, first = stage.sqs_counts(), stage.count(creators)
    yield counted
    after, delivered = stage.sqs_counts(), stage.count(creators) - first
    for kind in ("SendMessage", "ReceiveMessage", "EmptyReceive", "DeleteMessage"):
        counted[kind] = (after.get(kind, 0) - before.get(kind, 0)) / delivered


def _requests_seen(case: str, counted: dict[str, float]) -> Seen:
    total = sum(counted.values())
    words = ", ".join(f"{kind.removesuffix('Message')} {number:.2f}" for kind, number in counted.items())
    return Seen(case, f"{total:.2f}: {words}", f"at most {REQUESTS_MAX}", total <= REQUESTS_MAX)


def pace(stage: Stage, size: Size) -> Iterator[Seen]:
    for count, limit, seconds in size.paces:
        creators = make_creators(count, f"{limit}/60")
        queue(creators, int(limit * seconds / 60) + 2)
        time.sleep(seconds)
        forget(creators)
        yield _use_seen(f"use of {limit} a minute, creators: {count:,}", stage, creators, limit, 60)


def _use_seen(case: str, stage: Stage, creators: "Sequence[Creator]", limit: int, period: float) -> Seen:
    """The permitted interval divided by the mean one between a creator's messages; and the fullest rolling period."""
    uses, fullest = [], 0
    for entries in stage.accepted(creators).values():
        times = [entry["at"] for entry in entries]
        fullest = max(fullest, *(sum(at <= each < at + period for each in times) for at in times))
        if len(times) > 1:
            uses.append(period / limit * (len(times) - 1) / (times[-1] - times[0]))
    # Who was served once in all that time used nothing of what came after.
    uses += [0.0] * (len(creators) - len(uses))
    mean = statistics.mean(uses)
    words = f"{mean:.2%}, worst {min(uses):.2%}; fullest {period:g} s: {fullest} of {limit}"
    return Seen(case, words, f"at least {USE_MIN:.1%}, never above", mean >= USE_MIN and fullest <= limit)


def reply(stage: Stage, size: Size) -> Iterator[Seen]:
    yield from _reply(stage, size.waiting, size.replies)


def _reply(stage: Stage, waiting: int, replies: int) -> Iterator[Seen]:
    """Ten times the usual pace. A reply may have to wait for a token, which is the pace and not our doing."""
    interval = 0.6 * 1.005
    [busy, other] = make_creators(2, "10/6")
    asked: dict[str, float] = {}
    threads = {creator.pk: conversation(creator) for creator in (busy, other)}
    with backlog([busy], waiting):
        stage.wait_for([busy], 3)
        with _counting(stage, [busy, other]) as counted:
            for number in range(replies):
                for creator in (busy, other):
                    text = f"reply {number} {creator.pk}"
                    threads[creator.pk].queue(text=text, author=None)
                    asked[text] = time.time()
                time.sleep(0.7 + number % 7 / 10)
            stage.wait_for([other], replies)
            time.sleep(3)
    for creator, name in ((busy, "the same creator"), (other, "another creator")):
        beyond = []
        for before, entry in pairwise([{"at": 0.0}, *stage.accepted([creator])[creator.connection.account_id]]):
            if entry["text"] in asked:
                may_go = max(asked[entry["text"]], before["at"] + interval)
                beyond.append((entry["at"] - may_go) * 1000)
        assert len(beyond) == replies, f"{replies - len(beyond)} replies are missing"
        p50, p99 = statistics.median(beyond), sorted(beyond)[math.ceil(len(beyond) * 0.99) - 1]
        yield Seen(
            f"reply beyond its token, {waiting:,} wait for {name}",
            f"p50 {p50:.0f} ms, p99 {p99:.0f} ms",
            f"p99 at most {REPLY_MAX_MS} ms",
            p99 <= REPLY_MAX_MS,
        )
    yield _requests_seen(f"SQS requests a delivered message, {waiting:,} wait", counted)
    # A shorter interval lets the same few hundredths of a second a message weigh ten times as much: no goal here.
    use = _use_seen(f"use of 10/6 s, {waiting:,} wait", stage, [busy], 10, 6)
    yield Seen(use.case, use.figure)


def growth(stage: Stage, size: Size) -> Iterator[Seen]:
    rates = defaultdict[int, list[float]](list)
    for _turn in range(TURNS):
        for rows in size.growth:
            rates[rows].append(_line_rate(stage, rows, min(size.messages, rows * 3 // 4)).a_second)
    least = size.growth[0]
    goal = f"together at least {FLAT_MIN:.0%} of those with {least:,}"
    for rows, seen in rates.items():
        flat = sum(seen) >= sum(rates[least]) * FLAT_MIN
        yield Seen(f"messages/s with {rows:,} waiting", " and ".join(f"{each:.1f}" for each in seen), goal, flat)
        yield from _reply(stage, rows, size.replies // 2)


SECTIONS: list[Callable[[Stage, Size], Iterable[Seen]]] = [rate, requests, pace, reply, growth]


def main(chosen: list[str], size: Size, *, on_postgresql: bool) -> None:
    """Print what is seen as it is seen; exit code 1 when a goal is missed."""
    began, missed = time.monotonic(), 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder}/bench.sqlite3"
        if on_postgresql:
            url = stack.enter_context(postgresql()) + "/postgres"
        stage = Stage(folder, url)
        stack.callback(stage.close)
        stage.start()
        for section in SECTIONS:
            if section.__name__ in chosen or not chosen:
                for seen in section(stage, size):
                    missed += not seen.is_met
                    print(f"{section.__name__:<8} | {seen}", flush=True)
    print(f"{missed or 'no'} goals missed; took {time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(bool(missed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="section")
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--small", action="store_true", help="a few of everything, to see that it runs")
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.sections) - {section.__name__ for section in SECTIONS}:
        parser.error(f"there is no section {', '.join(sorted(unknown))}")
    if options.publish:
        publish(options.publish)
    else:
        main(options.sections, SMALL if options.small else Size(), on_postgresql=options.postgresql)
