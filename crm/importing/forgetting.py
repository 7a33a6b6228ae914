"""Files that name somebody who is to be forgotten."""

from crm.importing.survey import opened
from crm.models import Fan, Import

PIECE = 1 << 16


def forget_files_with(fan: Fan) -> None:
    """Delete every kept file of the creator that has the fan's id, username or address in it; counts stay."""
    words = [word.casefold() for word in (fan.platform_id, fan.handle, fan.email) if word]
    for job in Import.objects.filter(creator=fan.creator_id, kept_until__isnull=False):
        if _names(job, words):
            job.forget()


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
