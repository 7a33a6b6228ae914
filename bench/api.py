"""The ledger's API with 1,000 and with 1,000,000 fans, against a bare view. `python bench/api.py`; about 20 minutes.

Two creators with two owners live in one PostgreSQL: one with 1,000 fans and 5,000 messages, one with a million and five
million; their finished days are kept, as dispatch does. One gunicorn worker answers one client over a kept connection;
the kinds of request take turns, so that a busy machine is busy for all of them. The bare view is an APIView with
nothing but a ``get`` that returns a constant of as many bytes, to the same signed-in client; “open” is the same without
anybody signed in, for comparison. Both crowds are asked for pages of equally many rows. A case that misses a goal is
measured once more, as long as before, and judged by all of it. Exits with 1 when a goal is missed.

  --keep FOLDER  leave the database there; the next time it is there already, and this takes a few minutes
  --fans N       so many fans instead of a million
  --requests N   so many requests of each kind (150)
  --only WORD    only cases with this word in their name
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))

from huntaze.laptop.environment import free_ports  # noqa: E402
from tests.postgresql import postgresql  # noqa: E402

BARE = Path(os.environ.get("BENCH_BARE", tempfile.gettempdir()))
ENVIRONMENT = {
    "DEBUG": "0",
    "HTTPS_ONLY": "0",
    "SECRET_KEY": "bench-" + 10 * "secret-",
    "HUNTAZE_KEYRING": "k1:a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=",
    "RATE_LIMITER_ENABLED": "1",
    "LOG_LEVEL": "ERROR",
}
#: What a server for a few million rows is given; and its indexes are built in one go.
MEMORY = {"shared_buffers": "1GB", "maintenance_work_mem": "1GB", "max_wal_size": "16GB"}
PASSWORD = "correct-horse-battery"
GOAL_BARE, GOAL_SIZE = 4.0, 1.5
#: Requests of each kind that are not counted: the first ones fill caches.
WARM_UP = 10
FIGURES = "figures: "

if __name__ != "__main__":
    # gunicorn looks for the application here.
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "huntaze.settings")
    from django.conf import settings

    settings.ROOT_URLCONF = __name__
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()

    from django.urls import include, path
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Bare(APIView):
        """A constant as large as the answer of the same name."""

        constants: dict[str, Any] = {}

        def get(self, request: Request, name: str) -> Response:
            if name not in self.constants:
                self.constants[name] = json.loads((BARE / f"{name}.json").read_text())
            return Response(self.constants[name])

    class Open(Bare):
        """The same, whoever asks."""

        authentication_classes = permission_classes = throttle_classes = ()

    urlpatterns = [
        path("bare/<name>", Bare.as_view()),
        path("open/<name>", Open.as_view()),
        path("", include("huntaze.urls")),
    ]


class Client:
    """One kept connection of one user."""

    def __init__(self, port: int, username: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._sign("token", username=username, password=PASSWORD)

    def renew(self) -> None:
        """An access token is good for ten minutes."""
        self._sign("refresh", refresh=self.refresh)

    def _sign(self, action: str, **body: str) -> None:
        self.connection.request("POST", f"/api/auth/{action}", json.dumps(body), {"Content-Type": "application/json"})
        pair = json.loads(self.connection.getresponse().read())
        self.refresh, self.headers = pair["refresh"], {"Authorization": f"Bearer {pair['access']}"}

    def get(self, address: str) -> tuple[float, bytes]:
        """Milliseconds and the body."""
        began = time.perf_counter()
        self.connection.request("GET", address, headers=self.headers)
        response = self.connection.getresponse()
        body = response.read()
        took = (time.perf_counter() - began) * 1000
        assert response.status == 200, (address, response.status, body[:300])
        return took, body

    def json(self, address: str) -> Any:
        return json.loads(self.get(address)[1])


def cases(client: Client) -> dict[str, str]:
    """What is asked, by name; ids are those of the user's own rows."""

    def first(address: str) -> Any:
        return client.json(address)["results"][0]

    fan = first("/api/crm/fans?sort=-valueCents&limit=1")
    campaign = first("/api/crm/campaigns?sort=-createdAt&status=completed")["id"]
    failed = first("/api/onlyfans/messages/failed")["messageId"]
    tag = first("/api/crm/tags")["id"]
    deep = "/api/crm/fans?sort=valueCents&limit=50"
    for _ in range(8):
        deep = "/" + client.json(deep)["next"].split("/", 3)[3]
    lists = {
        "fans": "fans",
        "fans by value": "fans?sort=-valueCents",
        "fans by last seen": "fans?sort=-lastSeenAt",
        "fans by name": "fans?sort=name",
        "fans of a tag": "fans?tag=tag+3",
        "fans who bought lately": "fans?boughtWithinDays=30",
        "fans who tipped": "fans?tippedWithinDays=90",
        "fans, end of month": "fans?expiresWithinDays=7",
        "fans, month has ended": "fans?expiredWithinDays=30",
        "fans, ended, by value": "fans?expiredWithinDays=30&sort=-valueCents",
        "fans who pay": "fans?subscription=active&subscriptionPaid=true",
        "fans for free": "fans?subscription=active&subscriptionPaid=false",
        "fans blocked": "fans?blocked=true",
        "fans, unreachable": "fans?reachable=false",
        "fans of a status": "fans?subscription=active",
        "fans, status, seen": "fans?subscription=active&sort=-lastSeenAt",
        "fans who spent": "fans?valueMin=5000",
        "fans seen lately": "fans?seenWithinDays=7",
        "fans, silent spenders": "fans?valueMin=500&silentForDays=30&sort=-valueCents",
        "fans, tag and spent": "fans?tag=tag+3&valueMin=500&sort=-valueCents",
        "fans unread": "fans?unread=true",
        "fans, mine": "fans?assigned=me",
        "fans, rare word": "fans?search=1000000777",
        "fans, common word": "fans?search=chloe&sort=-valueCents",
        "conversations": "conversations",
        "conversations unread": "conversations?unread=true",
        "conversations, mine": "conversations?assigned=me",
        "conversations, nobody's": "conversations?assigned=none",
        "conversations failed": "conversations?failed=true",
        "conversations of a tag": "conversations?tag=tag+3",
        "inbox, rare word": "conversations?search=1000000777",
        "inbox, common word": "conversations?search=chloe",
        "thread": f"conversations/{fan['conversationId']}/messages",
        "campaigns": "campaigns",
        "recipients": f"campaigns/{campaign}/recipients",
        "recipients by state": f"campaigns/{campaign}/recipients?state=read",
        "transactions": "transactions",
        "transactions of a kind": "transactions?kind=tip",
        "transactions of a fan": f"transactions?fanId={fan['id']}",
        "subscription events": "subscription-events",
        "tags": "tags",
        "notes": f"notes?fanId={fan['id']}",
        "segments": "segments",
        "snippets": "snippets",
    }
    return {
        **{name: f"/api/crm/{end}{'&' if '?' in end else '?'}limit=50" for name, end in lists.items()},
        "fans, page nine": deep,
        "failed": "/api/onlyfans/messages/failed?limit=50",
        "changes": "/api/crm/changes",
        "fan": f"/api/crm/fans/{fan['id']}",
        "conversation": f"/api/crm/conversations/{fan['conversationId']}",
        "message": f"/api/onlyfans/messages/{failed}",
        "campaign": f"/api/crm/campaigns/{campaign}",
        "tag": f"/api/crm/tags/{tag}",
        f"{FIGURES}top fans": "/api/crm/analytics/top-fans",
        f"{FIGURES}overview": "/api/crm/analytics/overview",
        f"{FIGURES}revenue": "/api/crm/analytics/revenue",
        f"{FIGURES}subscribers": "/api/crm/analytics/subscribers",
        f"{FIGURES}campaigns": "/api/crm/analytics/campaigns",
    }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(small: Client, large: Client, *, requests: int, only: str) -> list[bool]:
    """Whether its goals are met, of each case that has goals."""
    of_small, of_large = cases(small), cases(large)
    verdicts = []
    for name, of_many in of_large.items():
        if only not in name:
            continue
        slug = re.sub(r"\W+", "-", name)
        for client in (small, large):
            client.renew()
        rows = len(small.json(of_small[name]).get("results", ())) or 1
        few, many = (address.replace("limit=50", f"limit={rows}") for address in (of_small[name], of_many))
        body = large.get(many)[1]
        (BARE / f"{slug}.json").write_bytes(body)
        kinds = [(small, f"/open/{slug}"), (small, f"/bare/{slug}"), (small, few), (large, many)]
        take_turns(kinds, min(WARM_UP, requests))
        seen = Times(take_turns(kinds, requests))
        has_goals = not name.startswith(FIGURES)
        if has_goals and not seen.is_good:
            seen = seen.with_more(take_turns(kinds, requests))
        print(f"{name:24} {len(body) / 1024:5.1f} {seen}{_verdict(seen) if has_goals else ''}", flush=True)
        verdicts += [seen.is_good] if has_goals else []
    return verdicts


def take_turns(kinds: list[tuple[Client, str]], requests: int) -> list[list[float]]:
    """The milliseconds of so many requests of each kind; each kind is as often the first of a turn as the others."""
    times: list[list[float]] = [[] for _kind in kinds]
    for number in range(requests):
        for place in range(len(kinds)):
            which = (number + place) % len(kinds)
            client, asked = kinds[which]
            times[which].append(client.get(asked)[0])
    return times


class Times:
    """The milliseconds of one case: of the open view, of the bare one, of the small crowd and of the large one."""

    def __init__(self, times: list[list[float]]) -> None:
        self.times = times
        self.p95 = [percentile(kind, 0.95) for kind in times]
        self.to_bare, self.to_few = self.p95[3] / self.p95[1], self.p95[3] / self.p95[2]
        self.is_good = self.to_bare <= GOAL_BARE and self.to_few <= GOAL_SIZE

    def with_more(self, times: list[list[float]]) -> "Times":
        return Times([one + other for one, other in zip(self.times, times, strict=True)])

    def __str__(self) -> str:
        p50 = [percentile(kind, 0.5) for kind in self.times]
        columns = " ".join(f"{middle:7.1f} {high:7.1f}" for middle, high in zip(p50, self.p95, strict=True))
        return f"{columns}   {self.to_bare:5.2f} {self.to_few:5.2f} {p50[3] / p50[1]:6.2f} {p50[3] / p50[2]:5.2f} "


def _verdict(seen: Times) -> str:
    return "met" if seen.is_good else "MISSED"


def set_up(fans: int) -> None:
    """The tables and the two crowds, in a process of its own."""
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection, transaction

    from crm import analytics
    from crm.clock import database_now
    from crm.models import User
    from onlyfans.crowd import seed_crowd

    call_command("migrate", verbosity=0)
    for username, how_many in (("small", 1_000), ("large", fans)):
        if User.objects.filter(username=username).exists():
            continue
        began = time.monotonic()
        with transaction.atomic():
            seed_crowd(User.objects.create_user(username, password=PASSWORD), fans=how_many)
        print(f"{how_many:,} fans, {how_many * 5:,} messages in {time.monotonic() - began:.0f} s", flush=True)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    # As dispatch does, once a minute.
    analytics.keep(database_now())


@contextmanager
def database(options: argparse.Namespace) -> Iterator[str]:
    """One with both crowds."""
    with postgresql(options.keep, **MEMORY) as server:
        command = [sys.executable, __file__, "--set-up", "--fans", str(options.fans)]
        subprocess.run(command, env=environment_of(f"{server}/postgres"), cwd=BASE_DIR, check=True)
        yield f"{server}/postgres"


def environment_of(url: str) -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "huntaze.settings"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fans", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=150)
    parser.add_argument("--keep", metavar="FOLDER", type=Path)
    parser.add_argument("--only", metavar="WORD", default="")
    parser.add_argument("--set-up", action="store_true")
    options = parser.parse_args()
    if options.set_up:
        set_up(options.fans)
        return 0
    with database(options) as url, tempfile.TemporaryDirectory(prefix="huntaze-bench-") as folder:
        (port,) = free_ports(1)
        environment = environment_of(url) | {"HUNTAZE_HOME": folder, "BENCH_BARE": folder}
        command = [sys.executable, "-m", "gunicorn", "bench.api:application", "--bind", f"127.0.0.1:{port}"]
        command += ["--workers", "1", "--worker-class", "gthread", "--threads", "2", "--no-control-socket"]
        command += ["--keep-alive", "120"]
        process = subprocess.Popen([*command, "--log-level", "error"], env=environment, cwd=BASE_DIR)
        try:
            wait_for(port)
            globals()["BARE"] = Path(folder)
            heads = "".join(f"{head:>16}" for head in ("open", "bare", "1,000 fans", f"{options.fans:,} fans"))
            print(f"{'':30}{heads}   p95 against  p50 against")
            print(f"{'milliseconds':24} {'KiB':>5}" + "     p50     p95" * 4 + "    bare 1,000   bare 1,000")
            clients = Client(port, "small"), Client(port, "large")
            verdicts = measure(*clients, requests=options.requests, only=options.only)
            print(f"goals: p95 at most {GOAL_BARE} × bare, and at most {GOAL_SIZE} × that of 1,000 fans")
            print(f"{verdicts.count(True)} of {len(verdicts)} cases meet both goals")
            return 0 if all(verdicts) else 1
        finally:
            process.terminate()
            process.wait(30)


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/livez")
            return
        except OSError:
            time.sleep(0.2)
    raise TimeoutError("gunicorn did not start")


if __name__ == "__main__":
    sys.exit(main())
