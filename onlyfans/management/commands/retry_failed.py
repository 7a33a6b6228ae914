"""Send again what failed."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from crm.management.operating import WRONG_ARGUMENTS, Answer, OperatorCommand
from crm.models import Message, StateForbids
from crm.models.messages import OUTCOME_OPEN, Status
from onlyfans.management.operating import add_selection, message_facts, message_table, selected


class Command(OperatorCommand):
    help = "Let failed messages go again, each at its old place. Name them, or choose by creator or cause, or --all."
    examples = (
        "--cause http_422 --dry-run",
        "--creator @avalaurent --cause poison",
        "7d6ddc36-2f2e-4f5b-9a53-1df4f3dd6ee1 --confirm-not-sent",
    )
    fails_when = "none was sent again"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_selection(parser)
        parser.add_argument("--all", action="store_true", help="Every failed message of every creator.")
        parser.add_argument("--dry-run", action="store_true", help="Only list what would go again.")
        parser.add_argument(
            "--confirm-not-sent",
            action="store_true",
            help="For messages that are named: also those of open outcome. You have seen that the fan has none.",
        )

    def answer(self, *, dry_run: bool, confirm_not_sent: bool, **options: Any) -> Answer:
        wanted = list(selected(_allowed(confirm_not_sent, options), options))
        if dry_run:
            return Answer(
                _facts(wanted, dry_run=True), [f"{len(wanted)} would be queued again:", *message_table(wanted)]
            )
        again = [message for message in wanted if _retry(message, not_sent=confirm_not_sent)]
        return Answer(_facts(again, dry_run=False), [f"{len(again)} queued again."], is_well=bool(again))


def _allowed(confirm_not_sent: bool, options: dict[str, Any]) -> Any:
    if confirm_not_sent:
        if not options["message"]:
            raise CommandError("--confirm-not-sent is about messages that are named.", returncode=WRONG_ARGUMENTS)
        return Message.objects.for_a_person()
    if not any(options[chosen] for chosen in ("message", "creator", "cause", "all")):
        raise CommandError("Name messages, or give --creator, --cause or --all.", returncode=WRONG_ARGUMENTS)
    if (
        options["message"]
        and Message.objects.filter(public_id__in=options["message"], status__in=OUTCOME_OPEN).exists()
    ):
        words = "One of them may have been sent: look at the platform, then add --confirm-not-sent."
        raise CommandError(words, returncode=WRONG_ARGUMENTS)
    return Message.objects.filter(status=Status.FAILED)


def _retry(message: Message, *, not_sent: bool) -> bool:
    try:
        message.retry(by=None, not_sent=not_sent)
    except StateForbids:
        # Somebody else was faster.
        return False
    return True


def _facts(messages: list[Message], *, dry_run: bool) -> dict[str, Any]:
    return {
        "count": len(messages),
        "dryRun": dry_run,
        "messages": [message_facts(message) for message in messages],
    }
