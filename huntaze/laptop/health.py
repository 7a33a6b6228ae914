"""Is a part well? Every check asks the part itself, and answers with nothing or with what is wrong."""

import os
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.db import DatabaseError, connection

from crm.models import Dispatch
from ratelimit.bucket import Bucket, GateUnavailable

CHECK_SECONDS = 2.0
# A worker that stayed up this long without a word is taken as ready; its log may have been rotated.
QUIET_WORKER_SECONDS = 10


def web() -> str:
    """The pages answer: ``/readyz``, and the sign-in that a person sees first."""
    base = f"http://127.0.0.1:{os.environ['PORT']}"
    return _get(f"{base}/readyz") or _get(f"{base}/login")


def simulator() -> str:
    base = urlsplit(os.environ["OFAPI_BASE_URL"])
    return _get(f"{base.scheme}://{base.netloc}/_simulator/health")


def redis() -> str:
    try:
        Bucket.at(os.environ["REDIS_ENDPOINT"]).ping()
    except (GateUnavailable, ValueError) as error:
        return str(error)
    return ""


def sqs() -> str:
    """The queue exists."""
    client = boto3.client(
        "sqs",
        region_name=os.environ.get("AWS_REGION") or "us-east-1",
        config=Config(connect_timeout=CHECK_SECONDS, read_timeout=CHECK_SECONDS, retries={"total_max_attempts": 1}),
    )
    try:
        client.get_queue_attributes(
            QueueUrl=os.environ.get("SQS_RATE_LIMITER_QUEUE_URL", ""), AttributeNames=["QueueArn"]
        )
    except (BotoCoreError, ClientError) as error:
        return str(error)
    return ""


def dispatch(since: datetime) -> str:
    """The loop has given a sign of life ``since`` this start (by the database's clock)."""
    try:
        heartbeat = Dispatch.current().heartbeat_at
    except DatabaseError as error:
        return str(error)
    finally:
        connection.close()
    return "" if heartbeat and heartbeat >= since else "no heartbeat yet"


def worker(log: Path, *, begins: int, seconds_up: float) -> str:
    """The worker's own word, in its log from byte ``begins``: a Celery worker on SQS cannot be asked."""
    if seconds_up >= QUIET_WORKER_SECONDS:
        return ""
    if not log.exists():
        return "no log yet"
    with log.open("rb") as file:
        # The log may have begun anew since.
        file.seek(begins if begins <= log.stat().st_size else 0)
        return "" if b" ready" in file.read() else "not ready yet"


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=CHECK_SECONDS):
            return ""
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"{url}: {error}"
