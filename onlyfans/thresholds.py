"""What is too much, in one place: the status, the admin, the log and ``queue_status`` all say it from here."""

from datetime import datetime, timedelta

import structlog
from django.db import transaction

from crm.models import Dispatch
from onlyfans.metrics import Figures, figures

log = structlog.get_logger(__name__)

#: Messages in SQS. Only what may go now is there, so many mean that workers do not keep up.
QUEUE_DEPTH_MAX = 100
DEAD_LETTERS_MAX = 10
#: Of the outcomes of the last ten minutes, those that failed or are unknown.
FAILURE_RATIO_MAX = 0.05
#: For so long a message may be free to go and not go.
OLDEST_DUE_MAX = timedelta(minutes=5)

MINUTE = timedelta(minutes=1)


def exceeded(seen: Figures) -> dict[str, str]:
    """What is above its threshold, by code, in words for an operator. What nobody knows is above none."""
    found = {}
    if (seen.depth or 0) > QUEUE_DEPTH_MAX:
        found["queueDepth"] = (
            f"{seen.depth} messages wait in the queue, more than {QUEUE_DEPTH_MAX}: workers do not keep up."
        )
    if (seen.dead_letters or 0) > DEAD_LETTERS_MAX:
        found["deadLetters"] = (
            f"{seen.dead_letters} messages are in the dead-letter queue, more than {DEAD_LETTERS_MAX}."
        )
    if seen.failure_ratio > FAILURE_RATIO_MAX:
        found["failureRate"] = (
            f"{seen.failures} of the {seen.outcomes} messages of the last 10 minutes failed or have an unknown outcome,"
            f" more than {FAILURE_RATIO_MAX:.0%}."
        )
    if seen.oldest_due and seen.oldest_due > OLDEST_DUE_MAX:
        found["oldestDue"] = (
            f"A message could have gone {seen.oldest_due // MINUTE} minutes ago and did not,"
            f" more than {OLDEST_DUE_MAX // MINUTE}."
        )
    return found


def watch(now: datetime) -> None:
    """Write what is above its threshold where everybody reads it; log each once when it begins and once at its end."""
    found = exceeded(figures(Dispatch.ensured(), now))
    with transaction.atomic():
        # Of several dispatchers that see it at once, the first writes and logs it.
        before = Dispatch.objects.select_for_update().get(pk=1).warnings
        if before != found:
            Dispatch.note(warnings=found)
    for code in found.keys() - before.keys():
        log.warning("above its threshold", threshold=code, words=found[code])
    for code in before.keys() - found.keys():
        log.info("below its threshold again", threshold=code)
