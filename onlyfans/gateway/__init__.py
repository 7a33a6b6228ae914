"""Providers behind one contract. Each speaks to one provider and is one file; this one chooses."""

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


def gateway_for(connection: Connection) -> Gateway:
    """The gateway of this connection's provider."""
    match connection.provider:
        case Provider.OFAPI:
            return OfapiGateway(account_id=connection.account_id, api_key=connection.api_key)
        case Provider.LOG:
            return LogGateway()
    raise ValueError(f"No gateway speaks to {connection.provider}.")
