"""Is everything there that a message needs on its way?"""

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandParser

from crm.management.operating import Answer, OperatorCommand, creator_named, table
from onlyfans.connectivity import check_all


class Command(OperatorCommand):
    help = (
        "Ask the database, send a test message to SQS and receive it, take a token on a scratch key in Redis, and ask"
        " each account's provider something that sends nothing. The test message travels by the dead-letter queue, from"
        " which no worker takes work."
    )
    examples = ("", "--creator @avalaurent --json")
    fails_when = "one of them is not well"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--creator", help="Id, handle or name: ask only this account's provider.")

    def answer(self, *, creator: str | None, **_options: Any) -> Answer:
        checks = check_all(creator_named(creator) if creator else None)
        is_well = all(check.is_well for check in checks)
        rows = [
            (check.component, "well" if check.is_well else "NOT WELL", f"{check.milliseconds} ms", check.words)
            for check in checks
        ]
        facts = {"isWell": is_well, "components": [_facts(asdict(check)) for check in checks]}
        return Answer(facts, table(("component", "state", "took", "what"), rows), is_well)


def _facts(check: dict[str, Any]) -> dict[str, Any]:
    check["isWell"] = check.pop("is_well")
    return check
