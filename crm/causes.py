"""Why something failed, waits or stands still: kept in English, said in the reader's language.

Who will read a cause is not known when it is written down, and logs, the API and CSV files keep to one language. So
rows keep the English sentence, which ``gettext_noop`` marks for the catalogue where it stands in the code; pages say it
by ``said``. What people typed and what the platform answered is in no catalogue and stays as it is.
"""

import re

from django.utils.translation import gettext, gettext_noop

CONNECTION_LOST = gettext_noop("The connection to the account is lost: %(why)s")
MEDIA_NOT_UPLOADED = gettext_noop("The media could not be uploaded: %(why)s")
WORKERS_DIED = gettext_noop("%(number)s workers died over this message.")
ANOTHER_ID = gettext_noop("The platform answered with the id of another message, %(id)s.")
NO_CONNECTION = gettext_noop("There was no connection to the provider within %(seconds)s seconds.")
NO_ANSWER = gettext_noop("The provider did not answer within %(seconds)s seconds.")
NOT_READABLE = gettext_noop("The provider answered %(status)s with something that cannot be read.")
ONLY_A_STATUS = gettext_noop("The provider answered %(status)s.")
TOO_MANY_FAILED = gettext_noop("%(failed)s of %(settled)s messages failed. Look at why before you go on.")
NO_WORKER_SEEN = gettext_noop("No worker has been seen.")
NO_WORKER_SINCE = gettext_noop("No worker has been seen since %(moment)s UTC.")
DEAF_WORKERS = gettext_noop("The queue has answered no worker for %(seconds)s s, although they are alive.")
STOPPED_BY = gettext_noop("Stopped in the admin by %(user)s.")
LONG_SILENCE = gettext_noop("Nothing was dispatched since %(moment)s UTC. Check, then run manage.py resume_sending.")
OLDER_COPY = gettext_noop(
    "The database is an older copy: its last sign of life is of before %(moment)s UTC. "
    "Check, then run manage.py resume_sending."
)

#: The sentences with gaps, the more particular one first: what fills a gap may be anything.
WITH_GAPS = (
    CONNECTION_LOST,
    MEDIA_NOT_UPLOADED,
    WORKERS_DIED,
    ANOTHER_ID,
    NO_CONNECTION,
    NO_ANSWER,
    NOT_READABLE,
    ONLY_A_STATUS,
    TOO_MANY_FAILED,
    NO_WORKER_SINCE,
    DEAF_WORKERS,
    STOPPED_BY,
    LONG_SILENCE,
    OLDER_COPY,
)
_GAP = re.compile(r"%\((\w+)\)s")


def _filled(sentence: str) -> re.Pattern[str]:
    """What the sentence looks like with its gaps filled."""
    words = iter(_GAP.split(sentence))
    parts = [re.escape(next(words))]
    for name, after in zip(words, words, strict=True):
        parts += [f"(?P<{name}>.+)", re.escape(after)]
    return re.compile("".join(parts), re.DOTALL)


_FILLED = [(sentence, _filled(sentence)) for sentence in WITH_GAPS]


def said(cause: str) -> str:
    """A kept cause in the language of whoever reads it; no cause is no words."""
    if not cause:
        # The catalogue's answer to the empty text is its own header.
        return ""
    for sentence, filled in _FILLED:
        if found := filled.fullmatch(cause):
            return gettext(sentence) % {name: said(value) for name, value in found.groupdict().items()}
    return gettext(cause)
