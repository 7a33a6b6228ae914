"""How a creator's account is connected, tried and disconnected. Keys go in, and never come out again."""

import secrets
from dataclasses import dataclass

import structlog
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from crm.models import Creator, User
from onlyfans.gateway import (
    NoGateway,
    Rejected,
    SessionLost,
    Throttled,
    Trouble,
    Unreachable,
    gateway_for,
)
from onlyfans.models import Connection, Provider, ReadChat

log = structlog.get_logger(__name__)

#: Providers that act for the account with a key; without one a person acts.
BY_KEY = (Provider.OFAPI, Provider.OFAUTH)
#: How long a page waits for a provider's answer.
TEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Tested:
    """Whether the provider answers, in words for a person."""

    is_well: bool
    words: str


def connect(
    creator: Creator, *, provider: str, account_id: str = "", api_key: str = "", webhook_secret: str = "", by: User
) -> Connection:
    """Reach the account this way from now on; an empty key or secret keeps the stored one of the same account.

    Raises ValidationError by field.
    """
    with transaction.atomic():
        known = Connection.objects.select_for_update().filter(creator=creator).first()
        connection = known or Connection(creator=creator)
        if known and (known.provider, known.account_id) != (provider, account_id):
            _forget(connection)
        connection.provider, connection.account_id = Provider(provider), account_id
        if provider in BY_KEY:
            _check(connection, api_key)
            _seal(connection, api_key=api_key, webhook_secret=webhook_secret)
        connection.save()
    log.info("connected", creator=creator.pk, user=by.pk, provider=provider)
    return connection


def test(connection: Connection) -> Tested:
    """Ask the provider for something that sends nothing; waits ``TEST_SECONDS`` at most."""
    if connection.provider not in BY_KEY:
        return Tested(is_well=True, words=_("There is nothing to test: a person sends."))
    try:
        trouble = gateway_for(connection).ping(deadline=TEST_SECONDS)
    except NoGateway as error:
        return Tested(is_well=False, words=str(error))
    return Tested(is_well=trouble is None, words=_words(trouble) if trouble else _("The provider answers."))


def new_webhook_secret(connection: Connection, by: User) -> str:
    """Make one, keep it encrypted, and give it back this once."""
    secret = secrets.token_urlsafe(32)
    connection.webhook_secret = secret
    connection.save(update_fields=["sealed_webhook_secret"])
    log.info("new webhook secret", creator=connection.creator_id, user=by.pk)
    return secret


def disconnect(connection: Connection, by: User) -> None:
    """Forget the key and the way. Nothing is lost: messages wait until the account is connected again."""
    log.info("disconnected", creator=connection.creator_id, user=by.pk)
    connection.delete()


def _forget(connection: Connection) -> None:
    """What belongs to another account is of no use with this one."""
    fresh = Connection(creator=connection.creator)
    for name in ("state", "failures", "sync_at", "sync_cursor", "sync_failures", "sync_trouble", "synced_at"):
        setattr(connection, name, getattr(fresh, name))
    connection.state_at = connection.fans_synced_at = None
    ReadChat.objects.filter(connection=connection.pk).delete()
    connection.sealed_api_key = connection.sealed_webhook_secret = ""


def _check(connection: Connection, api_key: str) -> None:
    if not connection.account_id:
        raise ValidationError({"account_id": _("Say which account it is at the provider.")})
    if not api_key and not connection.sealed_api_key:
        raise ValidationError({"api_key": _("The provider's key is needed.")})
    same = Connection.objects.filter(provider=connection.provider, account_id=connection.account_id)
    if same.exclude(pk=connection.pk).exists():
        raise ValidationError({"account_id": _("This account is connected to another creator already.")})


def _seal(connection: Connection, *, api_key: str, webhook_secret: str) -> None:
    try:
        if api_key:
            connection.api_key = api_key
        if webhook_secret:
            connection.webhook_secret = webhook_secret
    except ImproperlyConfigured as error:
        raise ValidationError({"api_key": str(error)}) from error


def _words(trouble: Trouble) -> str:
    words = trouble.words
    match trouble:
        case SessionLost():
            return _("The provider cannot act for the account: %(words)s") % {"words": words}
        case Unreachable():
            return _("The provider cannot be reached: %(words)s") % {"words": words}
        case Throttled():
            return _("The provider answers, and asks for patience: %(words)s") % {"words": words}
        case Rejected():
            return _("The provider refuses: %(words)s") % {"words": words}
        case _:
            return _("No clear answer: %(words)s") % {"words": words}
