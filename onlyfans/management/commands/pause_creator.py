"""Stop one creator's sending."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext_noop

from crm.clock import database_now
from crm.management.operating import Answer, OperatorCommand, creator_named
from crm.models import Line, Message


class Command(OperatorCommand):
    help = "Pause one creator: no call for it begins any more. Its messages wait; other creators go on."

    examples = ('@avalaurent --reason "Holiday until Monday"', "0d3b3c52-6a55-4fd8-9a3c-6f3f3c2a6f55 --json")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("creator", help="Id, handle or name.")
        parser.add_argument(
            "--reason", default=gettext_noop("Paused by an operator."), help="Shown above the creator's inbox."
        )

    def answer(self, *, creator: str, reason: str, **_options: Any) -> Answer:
        whom = creator_named(creator)
        line, _created = Line.objects.get_or_create(creator=whom)
        paused = line.pause(reason=reason, now=database_now())
        line.refresh_from_db()
        waiting = Message.objects.waiting().filter(creator=whom).count()
        state = "is paused" if paused else "was paused already"
        return Answer(
            {"creator": whom.name, "creatorId": whom.public_id, "paused": True, "changed": paused}
            | {"reason": line.paused_reason, "waiting": waiting},
            [
                f"{whom.name} {state}: {line.paused_reason}",
                f"{waiting} messages wait. manage.py resume_creator lets them go.",
            ],
        )
