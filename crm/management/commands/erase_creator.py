"""Erase a creator with everything that belongs to them."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm import erasing
from crm.models import Creator


class Command(BaseCommand):
    help = (
        "Erase a creator for good: fans, conversations, campaigns, money, connection. Stopped half-way, run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("creator", help="The creator's public id, as in the admin.")
        parser.add_argument("--yes", action="store_true", help="Without it, only say what there is.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            creator = Creator.objects.get(public_id=options["creator"])
        except (Creator.DoesNotExist, ValidationError) as error:
            raise CommandError("There is no creator with this public id.") from error
        words = f"“{creator.name}”: {creator.fans.count():,} fans, {creator.messages.count():,} messages."
        if not options["yes"]:
            self.stdout.write(f"{words} Nothing was erased; add --yes to erase it all.")
            return
        try:
            erasing.erase_creator(creator)
        except erasing.OnItsWay as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{words} All of it is erased.")
