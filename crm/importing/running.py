"""The work of an import, chunk by chunk.

Each chunk is one transaction: its rows, its errors, what undo needs, the count of rows done and the runner's lease.
So a runner may die at any moment: the next one reads the file from its beginning, passes over what is done, and goes
on. Nothing is done twice, because a chunk that is not the next one cannot be written.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from itertools import islice

import structlog
from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext as _

from crm.clock import database_now
from crm.importing import bulk, fans, payments, undoing
from crm.importing.columns import Kind
from crm.importing.fans import Outcome
from crm.importing.problems import Problem
from crm.importing.records import Record, Refused, records
from crm.importing.rows import Options, Reading, Row, RowReader, with_options
from crm.importing.seen import Seen
from crm.importing.survey import Opener, opened
from crm.models import Fan, Import, ImportChunk, ImportState, Line, Transaction

log = structlog.get_logger(__name__)

#: Rows of one transaction. On SQLite nobody else writes meanwhile; the fewer, the less anybody waits.
CHUNK_ROWS = {Kind.FANS: 2000, Kind.TRANSACTIONS: 200}
#: What an import fills. Its tables are counted anew after the first chunk, and whenever it has done ten times as much.
GROWING, GROWN = {Kind.FANS: (Fan,), Kind.TRANSACTIONS: (Fan, Transaction)}, 10
#: Somebody else wrote the same fan in the same moment: the chunk is tried again and finds them.
TRIES = 3


class _Interrupted(Exception):
    """Cancelled, taken by another runner, or told to stop: what is done is done."""


def work(
    job: Import, *, open_file: Opener | None = None, stop: threading.Event | None = None, pause: float = 0
) -> bool:
    """Do what ``job`` is asked to do; ``job`` is as it is afterwards. False when somebody else does it.

    ``pause`` is how many seconds others may write between two chunks. Stopped, it goes on with the next call.
    """
    if not job.take(now=database_now()):
        return False
    stop = stop or threading.Event()
    try:
        if job.state == ImportState.UNDOING:
            for _chunk in undoing.undo(job):
                _breathe(job, stop, pause)
            job.finish(ImportState.UNDONE, now=database_now())
        else:
            _read(job, open_file or job.open, stop, pause)
    except _Interrupted:
        _let_go(job)
    except OperationalError:
        # The database is away or busy; what is done is done, and the lease ends by itself.
        raise
    except Exception:
        log.exception("the import failed", job=str(job.public_id))
        job.finish(ImportState.FAILED, now=database_now(), reason=_("Something broke on our side; the log says what."))
    job.refresh_from_db()
    return True


def _breathe(job: Import, stop: threading.Event, pause: float) -> None:
    if stop.wait(pause) if pause else stop.is_set():
        raise _Interrupted


def _let_go(job: Import) -> None:
    """For the next runner, at once."""
    Import.objects.filter(pk=job.pk, lease=job.lease).update(lease=None, lease_until=None)


def _read(job: Import, open_file: Opener, stop: threading.Event, pause: float) -> None:
    dry = job.state == ImportState.CHECKING
    counted_at = 0
    for chunk in _chunks(job, open_file):
        if chunk.first_row > job.rows_done:
            chunk.do(dry=dry)
            if not dry and GROWN * counted_at <= job.rows_done < job.rows_total:
                bulk.count_anew(*GROWING[chunk.kind])
                counted_at = job.rows_done
            _breathe(job, stop, pause)
    job.finish(ImportState.CHECKED if dry else ImportState.DONE, now=database_now())
    if job.state == ImportState.DONE and job.created_count + job.updated_count:
        # Pages of this creator look again.
        Line.objects.stamp(job.creator_id)


def _chunks(job: Import, open_file: Opener) -> "Iterator[_Chunk]":
    """Each is understood while the one before it is written: then this process waits for the database, mostly."""
    reading = with_options(Reading.from_json(job.survey), Options.read(job.options))
    reader, kind = RowReader(reading, job.creator), reading.columns.kind
    with (
        opened(open_file, reading.encoding) as text,
        closing(Seen()) as seen,
        ThreadPoolExecutor(1, "understanding") as thread,
    ):
        payments.recall(job, seen)
        rows = records(text, reading.separator)
        next(rows)
        done, before = 0, None
        while some := list(islice(rows, CHUNK_ROWS[kind])):
            chunk = thread.submit(_Chunk, job, kind, reader, seen, some, first_row=done + 1)
            done += len(some)
            if before:
                yield before.result()
            before = chunk
        if before:
            yield before.result()


class _Chunk:
    """Some rows of the file. Made in order, so that every row knows the ones before it; done or passed over."""

    def __init__(
        self, job: Import, kind: Kind, reader: RowReader, seen: Seen, some: list[Record | Refused], *, first_row: int
    ) -> None:
        self.job, self.kind, self.first_row, self.size = job, kind, first_row, len(some)
        self.problems: list[Problem] = []
        good: list[Row] = []
        for record in some:
            read = reader.read(record)
            if isinstance(read, Row):
                good.append(read)
            else:
                self.problems += read
        if kind == Kind.FANS:
            self.rows, repeats = fans.without_repeats(good, seen)
            self.write: Callable[..., Outcome] = partial(fans.write, prepared=fans.newcomers(self.rows, job.as_of))
        else:
            self.rows, repeats = payments.without_repeats(job.creator, good, seen)
            self.write = payments.write
        self.problems += repeats

    def do(self, *, dry: bool) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._do(database_now(), dry=dry)
                break
            except IntegrityError:
                if not left:
                    raise

    def _do(self, now: datetime, *, dry: bool) -> None:
        with transaction.atomic():
            outcome = self.write(self.job.creator, self.rows, as_of=self.job.as_of, now=now, dry=dry)
            problems = sorted([*self.problems, *outcome.problems], key=lambda problem: problem.row)
            self._note(outcome, problems, dry=dry)
            advanced = self.job.advance(
                now=now,
                rows=self.size,
                created_count=outcome.created,
                updated_count=outcome.updated,
                unchanged_count=outcome.unchanged,
                skipped_count=len({problem.row for problem in problems}),
            )
            if not advanced:
                raise _Interrupted

    def _note(self, outcome: Outcome, problems: list[Problem], *, dry: bool) -> None:
        journal = None if dry else {name: entries for name, entries in outcome.journal.items() if entries} or None
        if problems or journal or outcome.numbered:
            ImportChunk.objects.create(
                of=self.job,
                first_row=self.first_row,
                errors=[problem.stored() for problem in problems],
                journal=journal,
                numbered=outcome.numbered or None,
            )
