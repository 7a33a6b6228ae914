"""Files that name somebody who is to be forgotten."""

from django.db.models import TextField
from django.db.models.functions import Cast

from crm.importing.survey import opened
from crm.models import Fan, Import, ImportChunk, KeptReply

PIECE = 1 << 16


def forget_files_with(fan: Fan) -> None:
    """Delete every kept file of the creator that has the fan's id, username or address in it; counts stay.

    So is one that changed the fan under another name, which what undo needs tells, and what was answered of the file.
    """
    words = [word.casefold() for word in (fan.platform_id, fan.handle, fan.email) if word]
    for job in Import.objects.filter(creator=fan.creator_id, kept_until__isnull=False):
        if _changed(job, fan) or _names(job, words):
            KeptReply.objects.naming(job.public_id).delete()
            job.forget()


def _changed(job: Import, fan: Fan) -> bool:
    journals = ImportChunk.objects.filter(of=job).annotate(told=Cast("journal", TextField()))
    return journals.filter(told__contains=fan.public_id.hex).exists()


def _names(job: Import, words: list[str]) -> bool:
    longest = max(map(len, words), default=0)
    with opened(job.open, job.survey.get("encoding", "utf-8")) as text:
        before = ""
        while piece := text.read(PIECE):
            read = before + piece.casefold()
            if any(word in read for word in words):
                return True
            before = read[-longest:]
    return False
