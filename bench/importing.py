"""How fast and how large: 100,000 fans from a CSV file, and files made to do harm. Ten minutes on a quiet machine.

    python bench/importing.py [--rows 100000] [--peer-rows 10000] [--database sqlite|postgresql|both] [section ...]

  fans      our import, django-import-export on the same file, and the same rows by executemany or COPY
  hazards   10 MB of each thing that a parser may choke on: seconds, and memory over idle

Every measurement is a process of its own on a new database of its own, so that nobody profits from what another one
left. Ratios are of rows a second; seconds depend on the machine and on what else it does, so the same ratios stand
beside them by processor time, that of PostgreSQL's process included.

The raw rows are all that our import wrote of fans and tags: the same columns, indexes, constraints and index of words,
in one transaction, with its commit. django-import-export finds fans by the same rule as we do (platform id, else the
username of somebody whose id is not known), writes in bulk and keeps no difference; it checks no cell, makes no tags
and remembers nothing for undo. It reads the first ``--peer-rows`` rows: the fewer, the faster it is a row. Its cache
of instances knows one column only, so it cannot find by that rule: with it, by id alone, it is shown without a goal.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
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
                f"{chance.choice(TIERS)},{chance.randrange(5000)}.{chance.randrange(100):02d},"
                f"2025-{1 + number % 12:02d}-{1 + number % 28:02d}T{chance.randrange(24):02d}:"
                f"{chance.randrange(60):02d}:{chance.randrange(60):02d}Z\n"
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
    server = servers_process()
    idle, began, cpu = memory("VmRSS"), time.perf_counter(), cpu_seconds(server)
    yield found
    found |= {
        "seconds": time.perf_counter() - began,
        "cpu": cpu_seconds(server) - cpu,
        "memory": memory("VmHWM") - idle,
    }


def servers_process() -> Path | None:
    """Where Linux tells of PostgreSQL's process for this connection; SQLite works in ours."""
    from django.db import connection

    if connection.vendor != "postgresql":
        return None
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return Path(f"/proc/{cursor.fetchone()[0]}/stat")


def cpu_seconds(server: Path | None) -> float:
    """Processor time of this process and of the server's."""
    ticks = server.read_text().rpartition(")")[2].split()[11:13] if server else []
    return time.process_time() + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


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
        empty_as_new(cursor, list(tables))
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


def empty_as_new(cursor: Any, tables: list[str]) -> None:
    """Without anything that deleted rows leave in tables and indexes."""
    from django.db import connection

    if connection.vendor == "postgresql":
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        return
    for table in tables:
        cursor.execute(f'DELETE FROM "{table}"')
    cursor.execute("INSERT INTO crm_fan_search_text(crm_fan_search_text) VALUES ('rebuild')")
    cursor.execute("VACUUM")
    cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def peer(path: Path, *, by_id_alone: bool = False) -> dict[str, float]:
    """django-import-export. ``by_id_alone``: everybody looked up at once, by nothing but the platform id."""
    import tablib
    from django.db import connection
    from import_export import fields, resources, widgets
    from import_export.instance_loaders import CachedInstanceLoader, ModelInstanceLoader

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
            instance_loader_class = CachedInstanceLoader if by_id_alone else ModelInstanceLoader
            use_bulk, batch_size, skip_diff, report_skipped = True, 1000, True, False

        def get_queryset(self) -> Any:
            return Fan.objects.filter(creator=creator, platform=creator.platform).exclude(platform_id="")

        def get_instance(self, instance_loader: Any, row: Any) -> Any:
            known = super().get_instance(instance_loader, row)
            if known or by_id_alone:
                return known
            return next(
                iter(Fan.objects.filter(creator=creator, platform=creator.platform).of_handle(row["Username"])[:1]),
                None,
            )

        def bulk_create(self, *arguments: Any, **options: Any) -> None:
            super().bulk_create(*arguments, **options)
            # Without statistics, PostgreSQL would look for each fan by reading all fans of the creator.
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE crm_fan")

        def before_save_instance(self, instance: Any, row: Any, **options: Any) -> None:
            instance.creator = creator

    with measured() as found:
        data = tablib.Dataset().load(path.read_text(), format="csv")
        result = FanResource().import_data(data, raise_errors=True)
    found["rows"] = result.totals["new"]
    return found


def cached_peer(path: Path) -> dict[str, float]:
    return peer(path, by_id_alone=True)


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


MEASURES = {
    "migrate": migrate,
    "ours": ours,
    "raw": raw,
    "peer": peer,
    "cached peer": cached_peer,
    "hazard": hazard,
}


def measure(what: str, path: Path) -> None:
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "huntaze.settings"
    django.setup()
    print(json.dumps(MEASURES[what](path)))


# --- What the benchmark does

#: Makes a new database and returns its URL.
Maker = Callable[[], str]


def in_a_process(what: str, path: Path, database: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        environment = {
            **os.environ,
            "HUNTAZE_HOME": home,
            "DATABASE_URL": database,
            "SECRET_KEY": 50 * "b",
            "PYTHONPATH": str(BASE_DIR),
            "DEBUG": "0",
            "LOG_LEVEL": "ERROR",
        }
        command = [sys.executable, __file__, "--measure", what, str(path)]
        done = subprocess.run(command, env=environment, cwd=BASE_DIR, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


@contextmanager
def databases(which: str, folder: Path) -> Iterator[dict[str, Maker]]:
    """For each kind a maker of migrated databases; the migrations run once."""
    with ExitStack() as stack:
        makers = {}
        if which != "postgresql":
            makers["SQLite"] = sqlite_maker(folder)
        if which != "sqlite":
            sys.path.insert(0, str(BASE_DIR))
            from tests.postgresql import postgresql

            makers["PostgreSQL"] = postgresql_maker(stack.enter_context(postgresql()))
        yield makers


def sqlite_maker(folder: Path) -> Maker:
    pattern, made = folder / "migrated.sqlite3", folder / "bench.sqlite3"
    in_a_process("migrate", folder, f"sqlite:///{pattern}")

    def make() -> str:
        for left in folder.glob(f"{made.name}*"):
            left.unlink()
        shutil.copy(pattern, made)
        return f"sqlite:///{made}"

    return make


def postgresql_maker(server: str) -> Maker:
    import psycopg

    def create(name: str, like: str) -> str:
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {like}")
        return f"{server}/{name}"

    in_a_process("migrate", BASE_DIR, create("migrated", "template1"))
    numbers = count()
    return lambda: create(f"bench{next(numbers)}", "migrated")


CONTENDERS = {
    "raw": "executemany or COPY",
    "ours": "our import",
    "peer": "django-import-export",
    "cached peer": "  the same, by id alone",
}


def fans(makers: dict[str, Maker], folder: Path, rows: int, peer_rows: int) -> None:
    whole, some = folder / "fans.csv", folder / "some.csv"
    write_fans(whole, rows)
    write_fans(some, peer_rows)
    print(f"\n{rows:,} fans in {whole.stat().st_size / 1e6:.1f} MB; load {os.getloadavg()[0]:.1f}")
    print(f"django-import-export reads the first {peer_rows:,} of them; ratios are of rows a second\n")
    print(f"{'':12}{'':26}{'rows':>8}{'seconds':>9}{'rows/s':>9}{'CPU s':>8}{'MB over idle':>14}")
    for kind, make in makers.items():
        found = {}
        for what, name in CONTENDERS.items():
            found[what] = it = in_a_process(what, some if "peer" in what else whole, make())
            print(
                f"{kind:12}{name:26}{it['rows']:8,.0f}{it['seconds']:9.1f}{it['rows'] / it['seconds']:9,.0f}"
                f"{it['cpu']:8.1f}{it['memory']:14.1f}",
                flush=True,
            )
        print()
        for other, goal in (("peer", GOAL_PEER), ("raw", GOAL_RAW), ("cached peer", None)):
            ratio, by_cpu = (times_as_fast(found["ours"], found[other], by) for by in ("seconds", "cpu"))
            verdict = "no goal" if goal is None else f"goal {goal}: {_verdict(ratio >= goal)}"
            print(f"{kind:12}ours to {CONTENDERS[other].strip()}: {ratio:.2f} (by CPU {by_cpu:.2f}); {verdict}")
        memory_over_idle = found["ours"]["memory"]
        print(
            f"{kind:12}memory over idle: {memory_over_idle:.0f} MB; goal {GOAL_MEMORY}:"
            f" {_verdict(memory_over_idle <= GOAL_MEMORY)}\n"
        )


def times_as_fast(one: dict[str, float], other: dict[str, float], by: str) -> float:
    return one["rows"] / one[by] / (other["rows"] / other[by])


def hazards(makers: dict[str, Maker], folder: Path) -> None:
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
    with tempfile.TemporaryDirectory(prefix="bench-") as name, databases(arguments.database, Path(name)) as makers:
        if "fans" in arguments.sections:
            fans(makers, Path(name), arguments.rows, arguments.peer_rows)
        if "hazards" in arguments.sections:
            hazards(makers, Path(name))


if __name__ == "__main__":
    main()
