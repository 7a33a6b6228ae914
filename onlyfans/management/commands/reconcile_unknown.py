"""Read the chats of messages whose outcome nobody knows, now."""

from collections import Counter
from typing import Any

from django.core.management.base import CommandParser

from crm.management.operating import Answer, OperatorCommand
from crm.models import Dispatch, Message
from crm.models.messages import OUTCOME_OPEN, Status
from onlyfans import reconciling
from onlyfans.management.operating import add_selection, message_facts, message_table, selected


class Command(OperatorCommand):
    help = (
        "Look unknown outcomes up in the chat at the provider, now and in this process. What is found is settled; what"
        " is not found twice is left to a person. Nothing is sent again. Chats of paused creators are not read."
    )
    examples = ("", "--creator @avalaurent --json")
    fails_when = "an outcome is still open"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_selection(parser)

    def answer(self, **options: Any) -> Answer:
        stopped = Dispatch.is_stopped()
        messages = list(selected(Message.objects.filter(status=Status.UNKNOWN), options))
        for message in messages:
            reconciling.reconcile(message.public_id)
            message.refresh_from_db(fields=["status", "cause_code", "cause", "sending_at"])
        now = Counter(str(message.status) for message in messages)
        still_open = [message for message in messages if message.status in OUTCOME_OPEN]
        lines = [f"{now[Status.SENT]} found and settled, {now[Status.NEEDS_PERSON]} left to a person,"]
        lines[0] += f" {now[Status.UNKNOWN]} still unknown."
        if stopped:
            lines.append("All sending is stopped, so no chat was read. manage.py resume_sending lets it go on.")
        if still_open:
            lines += ["", *message_table(still_open)]
        facts = {"stopped": stopped, "settled": now[Status.SENT], "needsPerson": now[Status.NEEDS_PERSON]}
        return Answer(
            facts | {"unknown": now[Status.UNKNOWN], "messages": [message_facts(message) for message in messages]},
            lines,
            is_well=not still_open,
        )
