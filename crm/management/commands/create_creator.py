"""A creator and its owner, from the command line."""

from argparse import ArgumentTypeError
from datetime import time
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser
from django.db import transaction

from crm import teaming
from crm.management.operating import Answer, OperatorCommand, way_in
from crm.models import Creator, Membership, Platform


class Command(OperatorCommand):
    help = (
        "Add a creator with an owner. The owner's account is made if there is none of that name, with a link to choose"
        " a password. Connect the creator's account on the page Connect, or in the admin."
    )
    examples = (
        '"Ava Laurent" --owner mia',
        '"Ava Laurent" --owner mia --handle avalaurent --timezone Europe/Paris --quiet-from 22:00 --quiet-until 08:00',
        '"Ava Laurent" --owner mia --currency EUR --pace "10/60, 250/86400" --json',
    )
    fails_when = "it could not be added; then nothing is written"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", help="As people see it; no other creator has it.")
        parser.add_argument("--owner", required=True, metavar="USERNAME", help="Who decides about everything.")
        parser.add_argument("--handle", default="", help="At the platform, without the @.")
        parser.add_argument("--platform", choices=Platform.values, default=Platform.ONLYFANS)
        parser.add_argument("--timezone", default="UTC", help="As in Europe/Paris.")
        parser.add_argument("--currency", default="USD", help="ISO 4217.")
        parser.add_argument("--pace", default="", help="As in “10/60, 250/86400”; else this installation's default.")
        hours = "Of the hours in which campaigns rest, by the creator's clock; new campaigns begin with them."
        parser.add_argument("--quiet-from", type=_clock, metavar="HH:MM", help=f"The beginning, as in 22:00. {hours}")
        parser.add_argument("--quiet-until", type=_clock, metavar="HH:MM", help="Their end, as in 08:00.")

    def answer(self, *, name: str, owner: str, **options: Any) -> Answer:
        columns = ("handle", "platform", "timezone", "currency", "pace", "quiet_from", "quiet_until")
        creator = Creator(name=name, **{column: options[column] for column in columns})
        try:
            with transaction.atomic():
                if known := Creator.objects.filter(name__iexact=name).first():
                    raise CommandError(f"There is a creator called “{known.name}” already: {known.public_id}.")
                creator.full_clean()
                creator.save()
                membership = teaming.invite(creator, username=owner, role=Membership.Role.OWNER, by=None)
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from refused
        link = way_in(membership)
        return Answer(
            {"creator": creator.name, "creatorId": creator.public_id, "owner": owner, "passwordPath": link or None},
            [f"Added {creator.name}, {creator.public_id}. Its owner is {owner}.", *_told(link)],
        )


def _clock(written: str) -> time:
    try:
        return time.fromisoformat(written)
    except ValueError:
        raise ArgumentTypeError(f"“{written}” is no time; write it as in 22:00.") from None


def _told(link: str) -> list[str]:
    return [f"They choose their password at {link} (good once, for three days)."] if link else []
