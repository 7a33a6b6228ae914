"""Operators' answer to a line that is held: after a long silence, or by the kill switch."""

from typing import Any

from django.core.management.base import BaseCommand

from crm.models import Dispatch


class Command(BaseCommand):
    help = "Send again after the kill switch, or after dispatch held itself."

    def handle(self, *args: Any, **options: Any) -> None:
        row = Dispatch.current()
        if row.stopped_at is None:
            self.stdout.write("Sending was not stopped. Nothing changed.")
            return
        Dispatch.resume_sending()
        self.stdout.write(f"Sending again. It was stopped at {row.stopped_at:%Y-%m-%d %H:%M} UTC: {row.stopped_reason}")
