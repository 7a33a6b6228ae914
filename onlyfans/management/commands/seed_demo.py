"""The demo creator, once; and a crowd, to measure on."""

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from crm.management.operating import Answer, OperatorCommand, at_least_one
from crm.models import Creator, User
from onlyfans.crowd import MESSAGES_PER_FAN, seed_crowd
from onlyfans.demo import PASSWORD, USERNAME, seed


class Command(OperatorCommand):
    help = (
        "Add a demo creator with fans and history, and the login demo. Once; only with DEBUG. With --scale also a"
        " creator with so many fans, each time another one: all of it, or nothing when it is interrupted."
    )
    examples = ("", "--scale 100000", "--scale 1000000 --seed 7 --json")
    fails_when = "DEBUG is off, and then nothing is written"
    # It writes thousands of rows: not with settings that a check refuses.
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--scale",
            type=at_least_one,
            metavar="FANS",
            help=f"Also add a creator with so many fans and {MESSAGES_PER_FAN} messages with each.",
        )
        parser.add_argument("--seed", type=int, default=1, help="Another number gives another crowd (1).")

    def answer(self, *, scale: int | None, **options: Any) -> Answer:
        if not settings.DEBUG:
            raise CommandError("The demo login has a password that everybody knows: it is made only with DEBUG on.")
        demo = seed()
        words = "Added the demo" if demo.created else "The demo was there already, nothing changed"
        lines = [
            f"{words}: {demo.fans} fans, {demo.conversations} conversations, {demo.messages} messages.",
            f"Sign in as {USERNAME} / {PASSWORD}. Webhooks: {demo.webhook_path}",
        ]
        facts = asdict(demo) | {"webhook_path": demo.webhook_path, "crowd": None}
        if scale:
            crowd = self._crowd(scale, options)
            facts["crowd"] = {"creator": crowd.public_id, "name": crowd.name, "fans": scale}
            lines.append(f"Added “{crowd.name}”, {crowd.public_id}.")
        return Answer(facts, lines if options["verbosity"] else [])

    def _crowd(self, fans: int, options: dict[str, Any]) -> Creator:
        owner = User.objects.get(username=USERNAME)
        return seed_crowd(owner, fans=fans, seed=options["seed"], told=self.progress(options))
