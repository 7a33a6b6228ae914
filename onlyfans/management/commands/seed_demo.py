"""The demo creator, once."""

from dataclasses import asdict
from json import dumps
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from crm.models import User
from onlyfans.crowd import seed_crowd
from onlyfans.demo import PASSWORD, USERNAME, seed


class Command(BaseCommand):
    help = "Add a demo creator with fans and history, and the login demo. Once; only with DEBUG."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--scale", type=int, metavar="FANS", help="Also add a creator with so many fans, to measure."
        )
        parser.add_argument("--seed", type=int, default=1, help="Another number gives another crowd.")
        parser.add_argument("--json", action="store_true", help="Say what there is as one JSON object.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("The demo login has a password that everybody knows: it is made only with DEBUG on.")
        demo = seed()
        if options["scale"]:
            crowd = seed_crowd(User.objects.get(username=USERNAME), fans=options["scale"], seed=options["seed"])
            self.stderr.write(f"Added “{crowd.name}”, {crowd.public_id}.")
        if options["json"]:
            self.stdout.write(dumps(asdict(demo) | {"webhook_path": demo.webhook_path}, default=str))
        elif options["verbosity"]:
            words = "Added the demo" if demo.created else "The demo was there already, nothing changed"
            self.stdout.write(
                f"{words}: {demo.fans} fans, {demo.conversations} conversations, {demo.messages} messages.\n"
                f"Sign in as {USERNAME} / {PASSWORD}. Webhooks: {demo.webhook_path}"
            )
