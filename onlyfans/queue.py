"""Amazon SQS as the courier uses it: hand an id over, and look at the queue's own figures. Never in a request."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db.models import Model
from kombu.exceptions import KombuError, OperationalError

from crm.correlation import correlated, current_correlation_id

if TYPE_CHECKING:
    from celery import Task
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

#: What SQS gives at once at the most.
RECEIVE_MAX = 10
ROUND_TRIP_SECONDS = 10
TEST_MESSAGE = "huntaze test message "

#: Gives a row's public id to whoever works on it. Raises QueueUnavailable.
Carrier = Callable[[UUID], None]


class QueueUnavailable(Exception):
    """SQS did not take it. The words say why, for a person to read."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The queue's own numbers, as SQS gives them: approximate."""

    depth: int
    in_flight: int
    dlq: int


def publish(task: "Task[..., Any]", public_id: UUID) -> None:
    """Put ``task`` for one row on the queue; takes a few seconds at most. Raises QueueUnavailable."""
    _must_be_configured("SQS_RATE_LIMITER_QUEUE_URL")
    try:
        task.apply_async(kwargs=arguments(public_id), retry=False)
    except (OperationalError, KombuError, BotoCoreError, ClientError, OSError, ValueError) as error:
        # ValueError is what boto3 says of an AWS_ENDPOINT_URL it cannot read.
        raise QueueUnavailable(_words(error)) from error


def arguments(public_id: UUID) -> dict[str, str]:
    """What a task is told: whose turn it is, and the request that caused it, for the log."""
    return {"public_id": str(public_id), "correlation_id": current_correlation_id()}


def carry_due(rows: Iterable[Model], *, due: str, until: Callable[[Any], datetime], carry: Carrier) -> int:
    """Hand rows over that are due by their field ``due``; the answer is how many.

    Each is claimed by moving that field on to ``until(row)``: compare-and-set, so of two dispatchers one gets it, and
    if the worker is never heard of the row is simply due again. Raises QueueUnavailable with the row due as before.
    """
    carried = 0
    for row in rows:
        was_due, claim = getattr(row, due), until(row)
        same_row = type(row)._default_manager.filter(pk=row.pk)
        if not same_row.filter(**{due: was_due}).update(**{due: claim}):
            continue
        try:
            with correlated(getattr(row, "correlation_id", "")):
                carry(row.public_id)  # type: ignore[attr-defined]
        except QueueUnavailable:
            same_row.filter(**{due: claim}).update(**{due: was_due})
            raise
        carried += 1
    return carried


def figures() -> Figures:
    """Ask SQS for its figures. Raises QueueUnavailable."""
    _must_be_configured("SQS_RATE_LIMITER_QUEUE_URL")
    try:
        depth, in_flight = _counts(settings.SQS_RATE_LIMITER_QUEUE_URL)
        dlq, _invisible = _counts(settings.SQS_RATE_LIMITER_DLQ_URL) if settings.SQS_RATE_LIMITER_DLQ_URL else (0, 0)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise QueueUnavailable(_words(error)) from error
    return Figures(depth=depth, in_flight=in_flight, dlq=dlq)


def redrive(limit: int) -> int:
    """Move dead letters back to the queue, at most ``limit``; the answer is how many. Raises QueueUnavailable."""
    _must_be_configured("SQS_RATE_LIMITER_QUEUE_URL", "SQS_RATE_LIMITER_DLQ_URL")
    moved = 0
    try:
        while moved < limit and (letters := _receive_dead(min(limit - moved, RECEIVE_MAX), hidden_seconds=30)):
            for letter in letters:
                if not letter["Body"].startswith(TEST_MESSAGE):
                    _client().send_message(QueueUrl=settings.SQS_RATE_LIMITER_QUEUE_URL, MessageBody=letter["Body"])
                    moved += 1
                _bury(letter)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise QueueUnavailable(f"{_words(error)} ({moved} were moved before)") from error
    return moved


def round_trip() -> str:
    """Send a test message and receive it again; the answer says what was tried. Raises QueueUnavailable.

    It goes by the dead-letter queue, from which no worker takes work. Dead letters met on the way are back within
    seconds.
    """
    figures()
    if not settings.SQS_RATE_LIMITER_DLQ_URL:
        return "The queue answers. No test message was sent: SQS_RATE_LIMITER_DLQ_URL is not set."
    body, ends_at = f"{TEST_MESSAGE}{uuid4()}", monotonic() + ROUND_TRIP_SECONDS
    try:
        _client().send_message(QueueUrl=settings.SQS_RATE_LIMITER_DLQ_URL, MessageBody=body)
        while monotonic() < ends_at:
            for letter in _receive_dead(RECEIVE_MAX, hidden_seconds=5):
                if letter["Body"].startswith(TEST_MESSAGE):
                    _bury(letter)
                if letter["Body"] == body:
                    return "A test message was sent and received."
    except (BotoCoreError, ClientError, ValueError) as error:
        raise QueueUnavailable(_words(error)) from error
    raise QueueUnavailable(f"SQS: a test message was sent and did not come within {ROUND_TRIP_SECONDS} s.")


def missing_settings() -> str:
    """A sentence naming what is not configured; empty when all is there."""
    return _missing("AWS_REGION", "SQS_RATE_LIMITER_QUEUE_URL")


def _missing(*names: str) -> str:
    missing = [name for name in names if not getattr(settings, name)]
    return f"Not configured: {', '.join(missing)}." if missing else ""


def _must_be_configured(*names: str) -> None:
    if trouble := _missing("AWS_REGION", *names):
        raise QueueUnavailable(trouble)


def _receive_dead(at_most: int, *, hidden_seconds: int) -> "list[MessageTypeDef]":
    reply = _client().receive_message(
        QueueUrl=settings.SQS_RATE_LIMITER_DLQ_URL,
        MaxNumberOfMessages=at_most,
        VisibilityTimeout=hidden_seconds,
        WaitTimeSeconds=1,
    )
    return reply.get("Messages", [])


def _bury(letter: "MessageTypeDef") -> None:
    _client().delete_message(QueueUrl=settings.SQS_RATE_LIMITER_DLQ_URL, ReceiptHandle=letter["ReceiptHandle"])


def _counts(url: str) -> tuple[int, int]:
    reply = _client().get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    )
    attributes = reply["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"]), int(attributes["ApproximateNumberOfMessagesNotVisible"])


@cache
def _client() -> "SQSClient":
    return boto3.client(
        "sqs",
        region_name=settings.AWS_REGION,
        endpoint_url=settings.AWS_ENDPOINT_URL or None,
        config=Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1}),
    )


def _words(error: Exception) -> str:
    return f"SQS: {error}"
