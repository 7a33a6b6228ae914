"""What a provider's reply means: one of the answers of the contract (design, section 3.5).

Providers of this API write errors in several shapes; all are read here.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from crm.causes import NOT_READABLE, ONLY_A_STATUS
from onlyfans.gateway.contract import Rejected, SessionLost, Throttled, Trouble, Unknown, Unreachable
from onlyfans.gateway.http import Answer, NeverLeft, NoAnswer, Reply

WORDS_MAX = 300
#: Seconds to wait after "too fast": when nothing says how long, and the bounds of what is believed.
WAIT_DEFAULT, WAIT_MIN, WAIT_MAX = 10.0, 1.0, 3600.0


#: Codes of a 403 which mean that a person must reconnect the account; any other 403 refuses this one request.
SESSION_CODES = frozenset(
    {
        "AUTHENTICATION_FAILED",
        "FACE_OTP_REQUIRED",
        "OTP_CODE_REQUIRED",
        "SESSION_EXPIRED",
        "SESSION_LOST",
        "SESSION_NOT_PROVIDED",
        "SYNC_LOST",
    }
)
#: 408: somebody on the way gave up waiting, perhaps for the platform's answer. 409: undocumented for a send;
#: elsewhere it says "the first one is still being worked on". Neither says that nothing was accepted.
AMBIGUOUS = frozenset({408, 409})

_ALLOW = re.compile(r"\ballow (\d{1,6}) seconds?\b", re.IGNORECASE)
_CODE = re.compile(r"[\w.-]{1,40}")


def verdict(reply: Reply) -> Answer | Trouble:
    """What a reply means (design, section 3.5); a success is the answer itself."""
    match reply:
        case NeverLeft(words):
            return Unreachable(words)
        case NoAnswer(words):
            return Unknown(words)
    if reply.is_success:
        return reply
    code, words = _complaint(reply)
    match reply.status:
        case 429:
            return Throttled(_wait(reply, words), words)
        case 401 | 424:
            return SessionLost(code, words)
        case 403 if _is_session_code(code):
            return SessionLost(code, words)
        case status if 400 <= status < 500 and status not in AMBIGUOUS:
            return Rejected(code, words)
    return Unknown(words)


def _is_session_code(code: str) -> bool:
    return re.sub(r"\W", "_", code).upper().removeprefix("AUTH_") in SESSION_CODES


def not_readable(answer: Answer) -> Unknown:
    return Unknown(NOT_READABLE % {"status": answer.status})


def _complaint(answer: Answer) -> tuple[str, str]:
    """(code, words for a person) of an error, in any of the shapes that providers of this API use."""
    document = record(answer.document)
    inner = record(document.get("error"))
    codes = [record.get(key) for record in (inner, document) for key in ("code", "type", "error")]
    texts = [inner.get("message"), document.get("message"), document.get("detail"), document.get("error")]
    words = next((" ".join(text.split()) for text in texts if isinstance(text, str) and text.strip()), "")
    words = " ".join(part for part in (words, *_field_errors(document)) if part)
    code = next((code for code in codes if isinstance(code, str) and _CODE.fullmatch(code)), "")
    return code or f"http_{answer.status}", (words or ONLY_A_STATUS % {"status": answer.status})[:WORDS_MAX]


def _field_errors(document: Mapping[str, Any]) -> list[str]:
    """The sentences of ``{"errors": {field: [sentence, ...]}}`` that the message does not say already."""
    said = str(document.get("message", ""))
    groups = record(document.get("errors")).values()
    sentences = [line for group in groups for line in (group if isinstance(group, list) else [group])]
    return [line for line in sentences if isinstance(line, str) and line not in said]


def _wait(answer: Answer, words: str) -> float:
    """Seconds to wait: as the header says, else as "Allow N seconds" in the text says, else a default."""
    asked = _retry_after(answer.headers)
    if asked is None and (found := _ALLOW.search(words)):
        asked = float(found[1])
    if asked is None:
        asked = _reset(answer.headers)
    return WAIT_DEFAULT if asked is None else min(max(asked, WAIT_MIN), WAIT_MAX)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", value):
        return float(value)
    until = _http_date(value)
    if until is None:
        return None
    # Their clock against their clock: ours may differ.
    now = _http_date(headers.get("Date", "")) or datetime.now(UTC)
    return (until - now).total_seconds()


def _reset(headers: Mapping[str, str]) -> float | None:
    """Seconds until the provider's own bucket has room: a number of them, or a moment in seconds since 1970."""
    value = headers.get("X-RateLimit-Reset", "").strip()
    if not re.fullmatch(r"\d{1,12}", value):
        return None
    seconds = float(value)
    return seconds if seconds <= WAIT_MAX else seconds - datetime.now(UTC).timestamp()


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def record(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
