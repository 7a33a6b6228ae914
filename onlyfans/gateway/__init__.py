"""Providers behind one contract. Each speaks to one provider and is one file; this one chooses."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_noop

from crm.keyring import CannotOpen
from onlyfans.gateway.assisted import AssistedGateway
from onlyfans.gateway.contract import (
    Chat,
    ChatHead,
    ChatMessage,
    FanRecord,
    Gateway,
    Outcome,
    Page,
    Parcel,
    PaymentRecord,
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
from onlyfans.gateway.ofauth import OfauthGateway
from onlyfans.models import Connection, Provider

__all__ = [
    "Chat",
    "ChatHead",
    "ChatMessage",
    "FanRecord",
    "Gateway",
    "NoGateway",
    "Outcome",
    "Page",
    "Parcel",
    "PaymentRecord",
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


class NoGateway(Exception):
    """There is no way to this creator's account now. The words are for a person to read."""


def gateway_for(connection: Connection | None) -> Gateway:
    """The gateway of this connection's provider; without the rate limiter, everybody's is the log.

    Raises NoGateway: no connection, a provider nobody here speaks to, or a key that the keyring does not open.
    """
    if not settings.RATE_LIMITER_ENABLED:
        return LogGateway()
    match connection:
        case Connection(provider=Provider.OFAPI):
            return OfapiGateway(account_id=connection.account_id, api_key=_api_key(connection))
        case Connection(provider=Provider.OFAUTH):
            return OfauthGateway(account_id=connection.account_id, api_key=_api_key(connection))
        case Connection(provider=Provider.ASSISTED):
            return AssistedGateway()
        case Connection(provider=Provider.LOG):
            return LogGateway()
    raise NoGateway(gettext_noop("The account is not connected."))


def _api_key(connection: Connection) -> str:
    try:
        return connection.api_key
    except (CannotOpen, ImproperlyConfigured) as error:
        raise NoGateway(str(error)) from error
