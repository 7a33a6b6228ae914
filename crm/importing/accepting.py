"""A file comes in: looked at, kept, and asked about."""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from crm.importing.problems import CannotImport
from crm.importing.rows import Options
from crm.importing.survey import FILE_MAX_BYTES, FILE_MAX_WORDS, Opener, Survey, check_name, survey
from crm.models import Creator, IllegalImportMove, Import, ImportState, User
from crm.models.imports import NOT_BEGUN

PIECE = 1 << 16


class Unanswered(CannotImport):
    """The file leaves something open, and nobody is there to ask; ``questions`` has all of it."""

    def __init__(self, found: Survey) -> None:
        first = found.questions[0]
        super().__init__("question", first.words_and_choices, option=first.option)
        self.questions = found.questions


def accept(
    creator: Creator,
    open_file: Opener,
    *,
    name: str,
    options: Options,
    by: User | None,
    now: datetime,
    may_ask: bool = True,
) -> Import:
    """Keep an uploaded file of at most 10 MB and say what it leaves open.

    Raises CannotImport, and Unanswered when it leaves something open and ``may_ask`` is False. Nothing is kept then.
    """
    check_name(name)
    _check_size(open_file)
    found = survey(open_file, options, may_ask=may_ask)
    if found.questions and not may_ask:
        raise Unanswered(found)
    with transaction.atomic():
        job = Import.objects.receive(creator, name=name, pieces=pieces_of(open_file), by=by, now=now)
        note(job, found, options)
    return job


def answer(job: Import, options: Options) -> None:
    """Look at a kept file again with what a person has said. Raises CannotImport or IllegalImportMove."""
    found = survey(job.open, options, may_ask=True)
    note(job, found, options)


def note(job: Import, found: Survey, options: Options) -> None:
    """Write what the first look found. Raises IllegalImportMove once the work has begun."""
    state = ImportState.ASKING if found.questions else ImportState.READY
    changes = {
        "kind": found.reading.columns.kind.value,
        "options": options.as_said(),
        "survey": found.as_json(),
        "rows_total": found.rows,
        "state": state,
    }
    noted = Import.objects.filter(pk=job.pk, state__in=NOT_BEGUN).update(**changes)
    job.refresh_from_db()
    if not noted:
        raise IllegalImportMove(job.state, state)


def pieces_of(open_file: Opener) -> Iterator[bytes]:
    with open_file() as stream:
        while piece := stream.read(PIECE):
            yield piece


def _check_size(open_file: Opener) -> None:
    if sum(map(len, pieces_of(open_file))) > FILE_MAX_BYTES:
        raise CannotImport("too_large", FILE_MAX_WORDS)


def at_hand(creator: Creator, open_file: Opener, *, name: str, options: Options, now: datetime) -> Import:
    """An import of a file of any size that is not kept, because it is at hand: running, or to be gone on with.

    Raises CannotImport, and Unanswered when the file leaves something open.
    """
    found = survey(open_file, options)
    if found.questions:
        raise Unanswered(found)
    digest, size = hashlib.sha256(), 0
    for piece in pieces_of(open_file):
        digest.update(piece)
        size += len(piece)
    same = Import.objects.filter(creator=creator, sha256=digest.hexdigest(), options=options.as_said())
    if begun := same.filter(state=ImportState.RUNNING, kept_until=None).last():
        return begun
    with transaction.atomic():
        job = Import.objects.create(creator=creator, name=name[-200:], as_of=now)
        job.remember_file(digest.hexdigest(), size)
        note(job, found, options)
    return job
