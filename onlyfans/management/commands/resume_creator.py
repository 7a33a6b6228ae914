"""Let one creator send again."""

from typing import Any

from django.core.management.base import CommandParser

from crm.clock import database_now
from crm.management.operating import Answer, OperatorCommand, creator_named
from crm.models import Creator, Line
from onlyfans.delivery import connection_of
from onlyfans.models import Connection


class Command(OperatorCommand):
    help = "Resume one creator after a pause, or after a lost session that was put right at the provider."
    examples = ("@avalaurent", '"Ava Laurent" --reconnected')
    fails_when = "the account is not connected, so that nothing goes out although nobody pauses it"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("creator", help="Id, handle or name.")
        parser.add_argument(
            "--reconnected", action="store_true", help="The account works again at the provider: use the connection."
        )

    def answer(self, *, creator: str, reconnected: bool, **_options: Any) -> Answer:
        whom, now = creator_named(creator), database_now()
        line, _created = Line.objects.get_or_create(creator=whom)
        connection = connection_of(whom)
        was = line.paused_reason
        if reconnected and connection:
            connection.reconnected(now=now)
            connection.refresh_from_db()
        else:
            line.resume(now=now)
        trouble = _trouble(connection)
        words = f"{whom.name} sends again. It was paused: {was}" if was else f"{whom.name} was not paused."
        return Answer(_facts(whom, was, trouble), [words, *([trouble] if trouble else [])], is_well=not trouble)


def _facts(whom: Creator, was: str, trouble: str) -> dict[str, Any]:
    return {
        "creator": whom.name,
        "creatorId": whom.public_id,
        "paused": False,
        "wasPaused": was,
        "trouble": trouble,
    }


def _trouble(connection: Connection | None) -> str:
    if connection is None:
        return "The account has no connection: add one in the admin."
    if connection.state != Connection.State.CONNECTED:
        return "Its session is lost: reconnect the account at the provider, then add --reconnected."
    return ""
