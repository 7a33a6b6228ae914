"""Dead letters go back to the queue."""

from typing import Any

from django.core.management.base import CommandParser

from crm.management.operating import Answer, OperatorCommand, at_least_one
from onlyfans.queue import QueueUnavailable, redrive


class Command(OperatorCommand):
    help = (
        "Move what lies in the dead-letter queue back to the queue, once what was wrong is put right. No message goes"
        " twice for it: a worker does nothing for an id that is settled or that somebody else has."
    )
    examples = ("", "--limit 50 --json")
    fails_when = "SQS does not answer; what was moved until then stays moved"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--limit", type=at_least_one, default=1000, help="At most so many (1000).")

    def answer(self, *, limit: int, **_options: Any) -> Answer:
        try:
            moved = redrive(limit)
        except QueueUnavailable as error:
            return Answer({"moved": None, "trouble": str(error)}, [str(error)], is_well=False)
        words = f"{moved} moved back to the queue." if moved else "The dead-letter queue is empty."
        return Answer({"moved": moved, "trouble": ""}, [words])
