"""Values that schemathesis cannot make up: the description says what they look like, not which of them are there."""

import hashlib
import hmac
import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from itertools import count, cycle
from typing import Any

import schemathesis
from hypothesis import strategies

#: As docs/openapi.yaml has it.
KEY_MAX = 255
NOW = datetime.now(UTC)
WORLD = json.loads(os.environ["CONTRACT_WORLD"])
#: Rows that are there, by the name that addresses have for their id; one after the other.
IDS, TO_DELETE = ({name: cycle(known) for name, known in WORLD[kind].items()} for kind in ("ids", "to_delete"))
REFRESH_TOKENS = iter(WORLD["refresh_tokens"])
#: Whose id it is that a parameter or a field of this name has.
NAMED = {
    "creatorId": "creator_id",
    "fanId": "fan_id",
    "fanIds": "fan_id",
    "recipientId": "fan_id",
    "recipientIds": "fan_id",
    "campaignId": "campaign_id",
    "messageId": "message_id",
    "segment": "segment_id",
    "into": "tag_id",
    "userId": "user_id",
}
#: What only the ledger can judge: everybody, nothing, and a file with a fan of its own each time.
DOCUMENTS: dict[str, Any] = {"audience": {"rule": {}}, "rule": {}, "exclusions": {}, "mapping": {}}
ROWS = (f"Username,Total Spent\nfan{number},1.50\n" for number in count())
#: Every other event is of an account that the address is not for.
ACCOUNTS = cycle([WORLD["account_id"], "acct_of_somebody_else"])

schemathesis.openapi.format(
    "uri", strategies.from_regex(r"https://[a-z]{3,10}\.example\.com/[a-z0-9]{1,12}\.jpg", fullmatch=True)
)
# A key lasts a year at most, a schedule too.
schemathesis.openapi.format(
    "date-time",
    strategies.integers(1, 300).map(lambda days: (NOW + timedelta(days=days)).isoformat(timespec="seconds")),
)
# A period begins before it ends.
schemathesis.openapi.format("date", strategies.just(NOW.date().isoformat()))


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """A right request is about rows that are there: an id is theirs, a cursor is a place in a list that was given.

    Every request that is meant has a key of its own.
    """
    if case.meta and case.meta.generation.mode.is_positive:
        for name in ("cursor", "after"):
            (case.query or {}).pop(name, None)
        for name in {"from", "to"} & (case.query or {}).keys():
            # What is remembered of an answer may be the end of an older period.
            case.query[name] = NOW.date().isoformat()
        ids = TO_DELETE if case.method == "DELETE" and len(case.path_parameters or {}) == 1 else IDS
        for name in ids.keys() & (case.path_parameters or {}).keys():
            case.path_parameters[name] = next(ids[name])
        _name_what_is_there(case)
        _let_in(case)
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) <= KEY_MAX and key.isascii() and key.isprintable():
        case.headers["Idempotency-Key"] = uuid.uuid4().hex


def _name_what_is_there(case: Any) -> None:
    """Of what a query or a body names there are as many, and each is there."""
    for said in (case.query, case.body):
        if not isinstance(said, dict):
            continue
        for name in NAMED.keys() & said.keys():
            known, value = IDS[NAMED[name]], said[name]
            if value is not None:
                said[name] = [next(known) for _each in value] if isinstance(value, list) else next(known)
        said |= {name: DOCUMENTS[name] for name in DOCUMENTS.keys() & said.keys()}
        if "file" in said:
            said["file"] = next(ROWS)


def _let_in(case: Any) -> None:
    """What lets a request in where no access token does: a password, a token that was not used yet, a signature.

    And a moment that is ahead, but not too far: what is remembered of an answer, or of the examples, may be neither.
    """
    if not isinstance(case.body, dict):
        return
    if case.path == "/api/auth/token":
        case.body |= {"username": "owner", "password": os.environ["PASSWORD"]}
    if case.path == "/api/auth/keys" and case.body.get("expiresAt"):
        case.body["expiresAt"] = (NOW + timedelta(days=90)).isoformat(timespec="seconds")
    if case.path.endswith("/snooze"):
        case.body["until"] = (NOW + timedelta(days=90)).isoformat(timespec="seconds")
    if case.path in ("/api/auth/refresh", "/api/auth/logout"):
        case.body["refresh"] = next(REFRESH_TOKENS, "")
    if case.path.startswith("/api/onlyfans/webhooks/"):
        case.body["account_id"] = next(ACCOUNTS)
        body = json.dumps(case.body, allow_nan=False).encode()
        signature = hmac.new(WORLD["webhook_secret"].encode(), body, hashlib.sha256).hexdigest()
        case.headers = {**(case.headers or {}), "Signature": signature}
