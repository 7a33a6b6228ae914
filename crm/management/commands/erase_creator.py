"""Erase a creator with everything that belongs to them."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from crm import erasing
from crm.management.operating import Answer, OperatorCommand, creator_named
from crm.models import Creator


class Command(OperatorCommand):
    help = (
        "Erase a creator for good: fans, conversations, campaigns, money, connection. Without --yes it only says what"
        " there is. Stopped half-way, run it again."
    )
    examples = ("0d3b3c52-6a55-4fd8-9a3c-6f3f3c2a6f55", "0d3b3c52-6a55-4fd8-9a3c-6f3f3c2a6f55 --yes")
    fails_when = "a message to one of their fans is just being sent; then nothing is erased"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("creator", help="Id, handle or name.")
        parser.add_argument("--yes", action="store_true", help="Erase it all. There is no way back but a backup.")

    def answer(self, *, creator: str, yes: bool, **options: Any) -> Answer:
        whom = creator_named(creator)
        facts = {"creator": whom.name, "creatorId": whom.public_id, "erased": yes}
        facts |= {"fans": whom.fans.count(), "messages": whom.messages.count()}
        words = f"“{whom.name}”: {facts['fans']:,} fans, {facts['messages']:,} messages."
        if not yes:
            return Answer(facts, [f"{words} Nothing was erased; add --yes to erase it all."])
        self._erase(whom, options)
        return Answer(facts, [f"{words} All of it is erased."])

    def _erase(self, creator: Creator, options: dict[str, Any]) -> None:
        try:
            erasing.erase_creator(creator, told=self.progress(options))
        except erasing.OnItsWay as error:
            raise CommandError(str(error)) from error
