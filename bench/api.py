"""The ledger's API with 1,000 and with 1,000,000 fans, against a bare view. `python bench/api.py`; about 15 minutes.

Two creators with two owners live in one PostgreSQL: one with 1,000 fans and 5,000 messages, one with a million and five
million. One gunicorn worker answers one client over a kept connection; the three kinds of request take turns, so that a
busy machine is busy for all of them. The bare view is DRF's least: the same sign-in, the same bytes, a constant.

  --fans N       so many fans instead of a million
  --requests N   so many requests of each kind (200)
  --database URL a database that an earlier `--set-up` has filled, to measure again
"""

import argparse
import http.client
import json
import os
import statistics
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
PASSWORD = "correct-horse-battery"
GOAL_BARE, GOAL_SIZE = 4.0, 1.5

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

    urlpatterns = [path("bare/<name>", Bare.as_view()), path("", include("huntaze.urls"))]


class Client:
    """One kept connection of one user."""

    def __init__(self, port: int, username: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        body = json.dumps({"username": username, "password": PASSWORD})
        self.connection.request("POST", "/api/auth/token", body, {"Content-Type": "application/json"})
        answer = json.loads(self.connection.getresponse().read())
        self.headers = {"Authorization": f"Bearer {answer['access']}"}

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

    def path_of(address: str) -> str:
        return "/" + address.split("/", 3)[3]

    fans = client.json("/api/crm/fans?sort=-valueCents&limit=50")
    fan, talk = fans["results"][0]["id"], fans["results"][0]["conversationId"]
    deep = "/api/crm/fans?sort=valueCents&limit=50"
    for _ in range(8):
        deep = path_of(client.json(deep)["next"])
    return {
        "fans": "/api/crm/fans?limit=50",
        "fans by value": "/api/crm/fans?sort=-valueCents&limit=50",
        "fans by last seen": "/api/crm/fans?sort=-lastSeenAt&limit=50",
        "fans by name": "/api/crm/fans?sort=name&limit=50",
        "fans, page nine": deep,
        "search, rare": "/api/crm/fans?search=1000000777&limit=50",
        "search, common": "/api/crm/fans?search=chloe&sort=-valueCents&limit=50",
        "tag and spent": "/api/crm/fans?tag=tag+3&valueMin=5000&sort=-valueCents&limit=50",
        "fan": f"/api/crm/fans/{fan}",
        "conversations": "/api/crm/conversations?limit=50",
        "unread": "/api/crm/conversations?unread=true&limit=50",
        "inbox, rare": "/api/crm/conversations?search=1000000777&limit=50",
        "inbox, common": "/api/crm/conversations?search=chloe&limit=50",
        "thread": f"/api/crm/conversations/{talk}/messages?limit=50",
        "changes": "/api/crm/changes",
        "transactions": "/api/crm/transactions?limit=50",
    }


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def measure(small: Client, large: Client, requests: int) -> list[tuple[str, list[float], list[float], list[float]]]:
    of_small, of_large = cases(small), cases(large)
    found = []
    for name, address in of_large.items():
        slug = name.replace(" ", "-").replace(",", "")
        body = large.get(address)[1]
        (BARE / f"{slug}.json").write_bytes(body)
        kinds = [(small, f"/bare/{slug}"), (small, of_small[name]), (large, address)]
        for client, asked in kinds:
            for _ in range(10):
                client.get(asked)
        times: list[list[float]] = [[], [], []]
        for _ in range(requests):
            for (client, asked), kept in zip(kinds, times, strict=True):
                kept.append(client.get(asked)[0])
        found.append((name, *times))
        print(line(name, len(body), *times), flush=True)
    return found


def line(name: str, size: int, bare: list[float], small: list[float], large: list[float]) -> str:
    p95 = [percentile(times, 0.95) for times in (bare, small, large)]
    columns = " ".join(
        f"{statistics.median(times):7.1f} {at:7.1f}" for times, at in zip((bare, small, large), p95, strict=True)
    )
    to_bare, to_small = p95[2] / p95[0], p95[2] / p95[1]
    verdict = "met" if to_bare <= GOAL_BARE and to_small <= GOAL_SIZE else "MISSED"
    return f"{name:20} {size / 1024:6.1f} {columns}   {to_bare:5.2f} {to_small:5.2f} {verdict}"


def set_up(fans: int) -> None:
    """The tables and the two crowds, in a process of its own."""
    import django

    django.setup()
    from django.core.management import call_command

    from crm.models import User
    from onlyfans.crowd import seed_crowd

    call_command("migrate", verbosity=0)
    for username, how_many in (("small", 1_000), ("large", fans)):
        began = time.monotonic()
        seed_crowd(User.objects.create_user(username, password=PASSWORD), fans=how_many)
        print(f"{how_many:,} fans, {how_many * 5:,} messages in {time.monotonic() - began:.0f} s", flush=True)


@contextmanager
def database(options: argparse.Namespace) -> Iterator[str]:
    """The one named, or a new one with both crowds."""
    if options.database:
        yield options.database
        return
    with postgresql() as server:
        command = [sys.executable, __file__, "--set-up", "--fans", str(options.fans)]
        subprocess.run(command, env=environment_of(f"{server}/postgres"), cwd=BASE_DIR, check=True)
        yield f"{server}/postgres"


def environment_of(url: str) -> dict[str, str]:
    return {**os.environ, **ENVIRONMENT, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "huntaze.settings"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fans", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--database", metavar="URL")
    parser.add_argument("--set-up", action="store_true")
    options = parser.parse_args()
    if options.set_up:
        set_up(options.fans)
        return
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
            print(f"{'':20} {'':6}       bare          1,000 fans    {options.fans:,} fans     p95 against")
            print(f"{'milliseconds':20} {'KiB':>6}" + "     p50     p95" * 3 + "    bare 1,000")
            measure(Client(port, "small"), Client(port, "large"), options.requests)
            print(f"goals: p95 at most {GOAL_BARE} × bare, and at most {GOAL_SIZE} × that of 1,000 fans")
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
    main()
