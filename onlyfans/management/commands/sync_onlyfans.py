"""Reading accounts now, instead of when their turn comes."""

import time
from typing import Any

from django.core.management.base import CommandError, CommandParser

from crm.clock import database_now
from crm.management.operating import WRONG_ARGUMENTS, Answer, OperatorCommand, at_least_one, creator_named, table
from crm.models import Dispatch, Line
from onlyfans import errands, sync
from onlyfans.gateway import Throttled
from onlyfans.models import Connection

#: A provider that asks for a longer wait than this ends the reading; dispatch goes on with it later.
WAIT_MAX_SECONDS = 60.0
COLUMNS = ("creator", "pages", "fans", "messages", "payments")


class Command(OperatorCommand):
    help = (
        "Read fans, chats, messages and payments of one account or of all, from where the last reading stopped. "
        "Dispatch does the same by itself, every SYNC_MINUTES."
    )
    examples = ("", "--creator @mia --json", "--creator @mia --full")
    fails_when = "an account could not be read to its end"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--creator", help="Id, handle or name: only this creator's account.")
        parser.add_argument("--full", action="store_true", help="Begin anew, SYNC_HISTORY_DAYS back, fans included.")
        parser.add_argument("--pages", type=at_least_one, default=10_000, help="At most so many pages of each account.")
        parser.add_argument(
            "--pause", type=float, default=sync.PAUSE.total_seconds(), help="Seconds between two pages (2)."
        )

    def answer(self, **options: Any) -> Answer:
        if not 0 <= options["pause"] <= WAIT_MAX_SECONDS:
            raise CommandError("--pause is 0 to 60 seconds.", returncode=WRONG_ARGUMENTS)
        connections = sync.readable().select_related("creator__line").order_by("creator__name", "pk")
        if options["creator"]:
            connections = connections.filter(creator=creator_named(options["creator"]))
        accounts = [self._read(connection, options) for connection in connections]
        rows = [(*(account[column] for column in COLUMNS), account["trouble"] or "well") for account in accounts]
        return Answer(
            document={"accounts": accounts},
            lines=table((*COLUMNS, "how it went"), rows) if rows else ["Nothing to read."],
            is_well=not any(account["trouble"] for account in accounts),
        )

    def _read(self, connection: Connection, options: dict[str, Any]) -> dict[str, Any]:
        if options["full"]:
            sync.begin_anew(connection)
        account = {"creator": connection.creator.name, "pages": 0, "fans": 0, "messages": 0, "payments": 0}
        account["trouble"] = ""
        is_over = False
        while not is_over and not account["trouble"] and account["pages"] < options["pages"]:
            if account["pages"]:
                time.sleep(options["pause"])
            is_over = self._read_page(connection, account)
            if options["verbosity"] and not options["json"]:
                self.stderr.write(f"{account['creator']}: page {account['pages']}, {account['messages']} messages")
        return account

    def _read_page(self, connection: Connection, account: dict[str, Any]) -> bool:
        """True once there is nothing more to read."""
        Line.objects.get_or_create(creator_id=connection.creator_id)
        now = database_now()
        if Dispatch.is_stopped() or Line.objects.filter(pk=connection.creator_id, paused_at__isnull=False).exists():
            account["trouble"] = "Sending is stopped or paused, and so is reading."
        elif not Line.objects.begin_errand(connection.creator_id, now=now, until=now + errands.LEASE):
            time.sleep(1)
        else:
            try:
                reading, trouble = sync.step(connection)
            finally:
                Line.objects.end_errand(connection.creator_id)
            account["pages"] += 1
            account |= {
                "fans": reading.fans_read,
                "messages": reading.messages_read,
                "payments": reading.payments_read,
            }
            if isinstance(trouble, Throttled) and trouble.after <= WAIT_MAX_SECONDS:
                time.sleep(trouble.after)
            elif trouble is not None:
                account["trouble"] = connection.sync_trouble
            return reading.is_over
        return False
