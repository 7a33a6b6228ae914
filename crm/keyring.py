"""Secrets at rest: AES-256-GCM, the key's id in the value, the keyring from the environment. Fails closed."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NONCE_BYTES = 12  # 96 bits, as NIST SP 800-38D recommends for GCM
KEY_BYTES = 32


class CannotOpen(Exception):
    """A sealed value was made with a key that is not in the keyring, or for another row, or was changed."""


def seal(secret: str, *, context: str) -> str:
    """Encrypt with the first key of the ring; ``context`` (table, field, row) must be the same when opening."""
    key_id, key = next(iter(_keyring().items()))
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, secret.encode(), context.encode())
    return f"{key_id}:{base64.b64encode(nonce + sealed).decode()}"


def open_sealed(value: str, *, context: str) -> str:
    """Decrypt what ``seal`` made. Raises CannotOpen; never gives the ciphertext back."""
    key_id, _colon, encoded = value.partition(":")
    try:
        raw = base64.b64decode(encoded, validate=True)
        key = _keyring()[key_id]
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
    except (KeyError, InvalidTag, ValueError):
        raise CannotOpen(f"The secret of {context} cannot be opened with the keys in HUNTAZE_KEYRING.") from None


def new_key() -> str:
    """A keyring entry for HUNTAZE_KEYRING."""
    return f"{os.urandom(4).hex()}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def key_ids() -> list[str]:
    """The ids of the keys in HUNTAZE_KEYRING, the one that seals first. Raises ImproperlyConfigured."""
    return list(_keyring())


def _keyring() -> dict[str, bytes]:
    ring: dict[str, bytes] = {}
    for entry in filter(None, (part.strip() for part in settings.HUNTAZE_KEYRING.split(","))):
        key_id, _colon, encoded = entry.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except ValueError:
            key = b""
        if not key_id or len(key) != KEY_BYTES:
            raise ImproperlyConfigured("HUNTAZE_KEYRING: write each key as id:base64 of 32 bytes, separated by commas.")
        if key_id in ring:
            raise ImproperlyConfigured(
                f"HUNTAZE_KEYRING names the key {key_id} twice: give every key an id of its own."
            )
        ring[key_id] = key
    if not ring:
        raise ImproperlyConfigured("HUNTAZE_KEYRING is empty: connections cannot be stored or used without it.")
    return ring
