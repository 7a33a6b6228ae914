"""What an event means for the ledger."""

from onlyfans.models import WebhookEvent


class TryLater(Exception): ...


class CannotRead(Exception): ...


def read_event(event: WebhookEvent) -> None:
    raise CannotRead
