"""Operators' kill switch."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from crm.clock import database_now
from crm.models import Dispatch


class Command(BaseCommand):
    help = "Stop all sending, of every creator, within a second. Messages wait; nothing is lost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", default="Stopped by an operator.", help="Shown on every page.")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        Dispatch.stop_sending(reason=reason, now=database_now())
        self.stdout.write("Sending is stopped. manage.py resume_sending lets it go on.")
