"""How fast and how large: 100,000 fans from a CSV file, and files made to do harm.

    python bench/importing.py [--rows 100000] [--peer-rows 10000] [--database sqlite|postgresql|both] [section ...]

  fans      our import, django-import-export on the same file, and the same rows by executemany or COPY
  hazards   10 MB of each thing that a parser may choke on: seconds, and memory over idle

Every measurement is a process of its own on a database of its own, so that nobody profits from what another one left.
Ratios are of rows a second; seconds depend on the machine and on what else it does. django-import-export reads the
first ``--peer-rows`` rows of the same file: its time grows with the rows.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
SECTIONS = ("fans", "hazards")
TIERS = ("Gold", "Silver", "Bronze")
HEADER = "Fan ID,Username,Display Name,Email,Subscription Tier,Total Spent,Last Seen\n"
TEN_MB = 10 * 1024 * 1024
#: Rows a second against django-import-export's and against the database's own fastest way; MB over idle; seconds.
GOAL_PEER, GOAL_RAW, GOAL_MEMORY, GOAL_HAZARD_SECONDS = 10, 0.3, 60, 60


def write_fans(path: Path, rows: int) -> None:
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(rows):
            file.write(
                f"{9007199254740993 + number},fan{number},Fan Number {number},fan{number}@example.com,"
                f"{chance.choice(TIERS)},{number % 5000}.{number % 100:02d},"
                f"2025-{1 + number % 12:02d}-{1 + number % 28:02d}T10:{number % 60:02d}:00Z\n"
            )


def _filled(beginning: str, piece: str, end: str = "\n") -> bytes:
    return (beginning + piece * ((TEN_MB - len(beginning) - len(end)) // len(piece)) + end).encode()


HAZARDS: dict[str, Callable[[], bytes]] = {
    "unclosed quote at row 2": lambda: _filled(f'{HEADER}1,"ava,,,,,\n', "2,bo,Bo,,,,\n"),
    "one cell of 10 MB": lambda: _filled(f"{HEADER}1,ava,", "x"),
    "ten million commas": lambda: _filled(HEADER, ","),
    "a header of two million columns": lambda: _filled("Username", ",c"),
    "NULs": lambda: _filled(HEADER, "\0"),
    "quotes, one line": lambda: _filled(HEADER, ',"'),
    "quotes, each on its line": lambda: _filled(HEADER, 'a,"b\n'),
    "bare carriage returns": lambda: _filled(HEADER, "1,ava,Ava,,,,\r", "\r"),
    "short rows": lambda: _filled(HEADER, "1,2\n"),
    "half a million good rows": lambda: b"Username\n" + b"".join(b"fan%d\n" % number for number in range(500_000)),
}


# --- What a measuring process does


def memory(what: str) -> float:
    """Mebibytes: ``VmRSS`` now, ``VmHWM`` at most since it was forgotten."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) / 1024


@contextmanager
def measured() -> Iterator[dict[str, float]]:
    found: dict[str, float] = {}
    Path("/proc/self/clear_refs").write_text("5")
    idle, began, cpu = memory("VmRSS"), time.perf_counter(), time.process_time()
    yield found
    found |= {
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "memory": memory("VmHWM") - idle,
    }


def ours(path: Path) -> dict[str, float]:
    from crm.clock import database_now
    from crm.importing.accepting import at_hand
    from crm.importing.rows import Options
    from crm.importing.running import work
    from crm.models import Creator, ImportState

    creator = Creator.objects.create(name="Bench")
    with measured() as found:
        job = at_hand(creator, lambda: path.open("rb"), name=path.name, options=Options(), now=database_now())
        job.move(ImportState.RUNNING, now=database_now())
        work(job, open_file=lambda: path.open("rb"))
    found["rows"] = job.created_count
    found["left out"] = job.skipped_count
    return found


def raw(path: Path) -> dict[str, float]:
    """The very rows that our import wrote, taken out and put in again, in one transaction."""
    from django.db import connection, transaction

    from crm.models import Fan, FanTag

    ours(path)
    tables = {}
    with connection.cursor() as cursor:
        for model in (FanTag, Fan):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            columns = [column[0] for column in cursor.description]
            tables[model._meta.db_table] = columns, cursor.fetchall()
            model._default_manager.all()._raw_delete("default")
    with measured() as found, transaction.atomic(), connection.cursor() as cursor:
        for table, (columns, rows) in reversed(tables.items()):
            names = ", ".join(columns)
            if connection.vendor == "postgresql":
                with cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                marks = ", ".join(["%s"] * len(columns))
                cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({marks})', rows)
    found["rows"] = len(tables[Fan._meta.db_table][1])
    return found


def peer(path: Path) -> dict[str, float]:
    """django-import-export, told to write in bulk; without tags, which cost it a query a row more."""
    import tablib
    from import_export import fields, resources, widgets

    from crm.models import Creator, Fan

    creator = Creator.objects.create(name="Bench")

    class Cents(widgets.DecimalWidget):
        def clean(self, value: Any, row: Any = None, **options: Any) -> int:
            return int((super().clean(value, row, **options) or 0) * 100)

    class FanResource(resources.ModelResource):
        platform_id = fields.Field("platform_id", "Fan ID")
        handle = fields.Field("handle", "Username")
        name = fields.Field("name", "Display Name")
        email = fields.Field("email", "Email")
        value_cents = fields.Field("value_cents", "Total Spent", widget=Cents())
        last_seen_at = fields.Field("last_seen_at", "Last Seen", widget=widgets.DateTimeWidget("%Y-%m-%dT%H:%M:%SZ"))

        class Meta:
            model = Fan
            import_id_fields = ("platform_id",)
            use_bulk, batch_size, skip_diff, report_skipped = True, 1000, True, False

        def before_save_instance(self, instance: Any, row: Any, **options: Any) -> None:
            instance.creator = creator

    with measured() as found:
        data = tablib.Dataset().load(path.read_text(), format="csv")
        result = FanResource().import_data(data, raise_errors=True)
    found["rows"] = result.totals["new"]
    return found


def hazard(path: Path) -> dict[str, float]:
    from crm.importing.problems import CannotImport

    with measured() as found:
        try:
            counted = ours(path)
        except CannotImport:
            counted = {"rows": 0.0, "left out": 0.0}
    return found | {name: counted[name] for name in ("rows", "left out")}


def migrate(_path: Path) -> dict[str, float]:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    return {}


MEASURES = {"migrate": migrate, "ours": ours, "raw": raw, "peer": peer, "hazard": hazard}


def measure(what: str, path: Path) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "huntaze.settings"
    django.setup()
    print(json.dumps(MEASURES[what](path)))


# --- What the benchmark does


def in_a_process(what: str, path: Path, database: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        environment = {
            **os.environ,
            "HUNTAZE_HOME": home,
            "DATABASE_URL": database or f"sqlite:///{home}/bench.sqlite3",
            "SECRET_KEY": 50 * "b",
            "PYTHONPATH": str(BASE_DIR),
            "DEBUG": "0",
            "LOG_LEVEL": "ERROR",
        }

        # Elsewhere: what migrations leave in memory would hide what an import needs.
        for step in ("migrate", what):
            command = [sys.executable, __file__, "--measure", step, str(path)]
            done = subprocess.run(command, env=environment, cwd=BASE_DIR, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextmanager
def databases(which: str) -> Iterator[dict[str, Callable[[], str]]]:
    """For each kind a maker of empty databases."""
    if which == "sqlite":
        yield {"SQLite": lambda: ""}
        return
    import psycopg

    sys.path.insert(0, str(BASE_DIR))
    from tests.postgresql import postgresql

    with postgresql() as server:
        numbers = iter(range(1000))

        def make() -> str:
            name = f"bench{next(numbers)}"
            with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
                connection.execute(f"CREATE DATABASE {name}")
            return f"{server}/{name}"

        yield {"PostgreSQL": make} if which == "postgresql" else {"SQLite": lambda: "", "PostgreSQL": make}


def fans(makers: dict[str, Callable[[], str]], folder: Path, rows: int, peer_rows: int) -> None:
    whole, some = folder / "fans.csv", folder / "some.csv"
    write_fans(whole, rows)
    write_fans(some, peer_rows)
    print(f"\n{rows:,} fans in {whole.stat().st_size / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':12}{'':22}{'rows':>8}{'seconds':>9}{'rows/s':>9}{'CPU s':>8}{'MB over idle':>14}")
    for kind, make in makers.items():
        speeds, cpu, memories = {}, {}, {}
        for what, path in (("raw", whole), ("ours", whole), ("peer", some)):
            found = in_a_process(what, path, make())
            speeds[what], cpu[what] = found["rows"] / found["seconds"], found["rows"] / found["cpu"]
            memories[what] = found["memory"]
            name = {"raw": "executemany or COPY", "ours": "our import", "peer": "django-import-export"}[what]
            print(
                f"{kind:12}{name:22}{found['rows']:8,.0f}{found['seconds']:9.1f}{speeds[what]:9,.0f}"
                f"{found['cpu']:8.1f}{found['memory']:14.1f}",
                flush=True,
            )
        to_peer, to_raw = speeds["ours"] / speeds["peer"], speeds["ours"] / speeds["raw"]
        print(
            f"{kind:12}ours / django-import-export: {to_peer:.1f} (by CPU of the process"
            f" {cpu['ours'] / cpu['peer']:.1f}); goal {GOAL_PEER}: {_verdict(to_peer >= GOAL_PEER)}\n"
            f"{kind:12}ours / raw: {to_raw:.2f}; goal {GOAL_RAW}: {_verdict(to_raw >= GOAL_RAW)}\n"
            f"{kind:12}memory over idle: {memories['ours']:.0f} MB; goal {GOAL_MEMORY}:"
            f" {_verdict(memories['ours'] <= GOAL_MEMORY)}\n"
        )


def hazards(makers: dict[str, Callable[[], str]], folder: Path) -> None:
    kind, make = next(iter(makers.items()))
    print(f"\n10 MB of harm, {kind}; load {os.getloadavg()[0]:.1f}\n")
    print(f"{'':34}{'seconds':>9}{'MB over idle':>14}{'imported':>10}{'left out':>10}")
    for name, content in HAZARDS.items():
        path = folder / "hazard.csv"
        path.write_bytes(content())
        found = in_a_process("hazard", path, make())
        print(
            f"{name:34}{found['seconds']:9.1f}{found['memory']:14.1f}{found['rows']:10,.0f}{found['left out']:10,.0f}"
            f"  {_verdict(found['seconds'] <= GOAL_HAZARD_SECONDS and found['memory'] <= GOAL_MEMORY)}",
            flush=True,
        )
    print(f"goals: at most {GOAL_HAZARD_SECONDS} s and {GOAL_MEMORY} MB over idle each")


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", default=SECTIONS, metavar="section")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--peer-rows", type=int, default=10_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        what, path = arguments.measure
        measure(what, Path(path))
        return
    with tempfile.TemporaryDirectory(prefix="bench-") as name, databases(arguments.database) as makers:
        if "fans" in arguments.sections:
            fans(makers, Path(name), arguments.rows, arguments.peer_rows)
        if "hazards" in arguments.sections:
            hazards(makers, Path(name))


if __name__ == "__main__":
    main()
