"""What does not go by itself."""

from typing import Any

from django.core.management.base import CommandParser

from crm.management.operating import Answer, OperatorCommand, at_least_one
from crm.models import Message
from crm.models.messages import FOR_A_PERSON
from onlyfans.management.operating import add_selection, message_facts, message_table, selected


class Command(OperatorCommand):
    help = "List messages that failed, whose outcome is unknown or that need a person, with cause. No text is shown."
    examples = ("", "--creator @avalaurent --status needs_person", "--cause http_422 --limit 200 --json")
    fails_when = "there are any"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_selection(parser)
        parser.add_argument("--status", choices=FOR_A_PERSON)
        parser.add_argument("--limit", type=at_least_one, default=50, help="How many are listed, oldest first (50).")

    def answer(self, *, status: str | None, limit: int, **options: Any) -> Answer:
        found = selected(Message.objects.for_a_person(), options)
        if status:
            found = found.filter(status=status)
        shown, count = list(found[:limit]), found.count()
        lines = message_table(shown) if shown else ["Nothing failed and nothing is open."]
        if count > len(shown):
            lines.append(f"… and {count - len(shown)} more; --limit shows them.")
        return Answer({"count": count, "messages": [message_facts(message) for message in shown]}, lines, not count)
