"""Providers behind one contract. Each speaks to one provider and is one file; this one chooses."""

from django.conf import settings

from onlyfans.gateway.contract import (
    Chat,
    ChatMessage,
    Gateway,
    Outcome,
    Parcel,
    Rejected,
    Sent,
    SessionLost,
    Throttled,
    Trouble,
    Unknown,
    Unreachable,
    Uploaded,
)
from onlyfans.gateway.log import LogGateway
from onlyfans.gateway.ofapi import OfapiGateway
from onlyfans.models import Connection, Provider

__all__ = [
    "Chat",
    "ChatMessage",
    "Gateway",
    "Outcome",
    "Parcel",
    "Rejected",
    "Sent",
    "SessionLost",
    "Throttled",
    "Trouble",
    "Unknown",
    "Unreachable",
    "Uploaded",
    "gateway_for",
]


def gateway_for(connection: Connection | None) -> Gateway:
    """The gateway of this connection's provider; without the rate limiter, everybody's is the log.

    Raises ValueError for a creator without a connection, or with a provider nobody here speaks to.
    """
    if not settings.RATE_LIMITER_ENABLED:
        return LogGateway()
    match connection:
        case Connection(provider=Provider.OFAPI):
            return OfapiGateway(account_id=connection.account_id, api_key=connection.api_key)
        case Connection(provider=Provider.LOG):
            return LogGateway()
    raise ValueError(f"No gateway speaks to {connection}.")
