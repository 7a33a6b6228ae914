"""Operators' kill switch."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext_noop

from crm.clock import database_now
from crm.management.operating import Answer, OperatorCommand
from crm.models import Dispatch


class Command(OperatorCommand):
    help = "Stop all sending, of every creator, within a second. Messages wait; nothing is lost."

    examples = ("", '--reason "Checking a strange reply"')

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--reason", default=gettext_noop("Stopped by an operator."), help="Shown on every page.")

    def answer(self, *, reason: str, **_options: Any) -> Answer:
        now = database_now()
        Dispatch.stop_sending(reason=reason, now=now)
        return Answer(
            {"stopped": True, "stoppedAt": now, "reason": reason},
            ["Sending is stopped. manage.py resume_sending lets it go on."],
        )
