"""Operators' answer to a line that is held: after a long silence, or by the kill switch."""

from typing import Any

from crm.management.operating import Answer, OperatorCommand, moment
from crm.models import Dispatch


class Command(OperatorCommand):
    help = "Send again after the kill switch, or after dispatch held itself."

    examples = ("", "--json")

    def answer(self, **_options: Any) -> Answer:
        row = Dispatch.current()
        Dispatch.resume_sending()
        facts = {"stopped": False, "wasStoppedAt": row.stopped_at, "reason": row.stopped_reason}
        if row.stopped_at is None:
            return Answer(facts, ["Sending was not stopped. Nothing changed."])
        return Answer(facts, [f"Sending again. It was stopped at {moment(row.stopped_at)} UTC: {row.stopped_reason}"])
