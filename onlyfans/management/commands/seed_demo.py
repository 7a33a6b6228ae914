"""The demo creator, once."""

from dataclasses import asdict
from json import dumps
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from onlyfans.demo import PASSWORD, USERNAME, seed


class Command(BaseCommand):
    help = "Add a demo creator with fans and history, and the login demo. Once; only with DEBUG."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="Say what there is as one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo login has a password that everybody knows: it is made only with DEBUG on.")
        demo = seed()
        if options["json"]:
            self.stdout.write(dumps(asdict(demo) | {"webhook_path": demo.webhook_path}, default=str))
        elif options["verbosity"]:
            words = "Added the demo" if demo.created else "The demo was there already, nothing changed"
            self.stdout.write(
                f"{words}: {demo.fans} fans, {demo.conversations} conversations, {demo.messages} messages.\n"
                f"Sign in as {USERNAME} / {PASSWORD}. Webhooks: {demo.webhook_path}"
            )
