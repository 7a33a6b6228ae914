"""The five metrics in CloudWatch: whole minutes, counted from rows, published by dispatch and by nobody else.

A minute that could not be published is published later, under its own time. One dispatcher at a time does it, by a
lease. Killed between CloudWatch's answer and its own note, it publishes those minutes once more.
"""

from datetime import datetime, timedelta
from functools import cache
from typing import Any

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.db.models import Q

from crm.models import Dispatch
from onlyfans.metrics import COUNTED_AFTER, Counts, count
from onlyfans.models import Tally

log = structlog.get_logger(__name__)

MINUTE = timedelta(minutes=1)
#: Five metrics a minute; CloudWatch takes 1,000 in one request.
MINUTES_AT_ONCE = 60
#: CloudWatch refuses what is more than two weeks old.
OLDEST = timedelta(days=13)
#: Above the request's timeouts; also how long a failure keeps everybody from trying again.
LEASE = timedelta(seconds=30)


class Publisher:
    """Publishes what is due; remembers whether the last time failed, so that an outage is one line in the log."""

    def __init__(self) -> None:
        self._fails = False

    def publish(self, now: datetime) -> None:
        """Publish the whole minutes that are not published yet, at most an hour of them."""
        if not settings.CLOUDWATCH_ENABLED:
            return
        until = (now - COUNTED_AFTER).replace(second=0, microsecond=0)
        tally = Tally.current(begins=until)
        since = max(tally.published_until, until - OLDEST)
        until = min(until, since + MINUTES_AT_ONCE * MINUTE)
        free = Q(publisher_until=None) | Q(publisher_until__lte=now)
        claim = now + LEASE
        mine = Tally.objects.filter(pk=tally.pk, published_until=tally.published_until)
        if since >= until or not mine.filter(free).update(publisher_until=claim):
            return
        try:
            _client().put_metric_data(Namespace=settings.CLOUDWATCH_NAMESPACE, MetricData=_data(since, until))
        except (BotoCoreError, ClientError, ValueError) as error:
            if not self._fails:
                log.error("CloudWatch does not take metrics, they are published later", error=str(error))
            self._fails = True
            return
        mine.filter(publisher_until=claim).update(published_until=until, publisher_until=None)
        if self._fails:
            log.info("CloudWatch takes metrics again")
        self._fails = False


def _data(since: datetime, until: datetime) -> list[Any]:
    data: list[Any] = []
    minute = since
    while minute < until:
        data += _of_minute(minute, count(minute, minute + MINUTE))
        minute += MINUTE
    seen = Dispatch.current()
    if seen.queue_depth is not None and seen.queue_sampled_at and not seen.queue_trouble:
        data.append(
            {
                "MetricName": "OnlyFansQueueDepth",
                "Timestamp": seen.queue_sampled_at,
                "Value": seen.queue_depth,
                "Unit": "Count",
            }
        )
    return data


def _of_minute(minute: datetime, counts: Counts) -> list[Any]:
    """A minute in which nothing happened is zeros, so that an alarm can tell it from one that nobody counted."""
    numbers = {
        "OnlyFansMessagesQueued": counts.queued,
        "OnlyFansMessagesProcessed": counts.processed,
        "OnlyFansMessagesFailed": counts.failed,
    }
    data: list[Any] = [
        {"MetricName": name, "Timestamp": minute, "Value": number, "Unit": "Count"} for name, number in numbers.items()
    ]
    if counts.seconds:
        statistics = {
            "SampleCount": len(counts.seconds),
            "Sum": sum(counts.seconds),
            "Minimum": min(counts.seconds),
            "Maximum": max(counts.seconds),
        }
        data.append(
            {
                "MetricName": "OnlyFansProcessingTime",
                "Timestamp": minute,
                "StatisticValues": statistics,
                "Unit": "Seconds",
            }
        )
    return data


def _client() -> Any:
    return _client_at(settings.AWS_REGION, settings.AWS_ENDPOINT_URL)


@cache
def _client_at(region: str, endpoint: str) -> Any:
    return boto3.client(
        "cloudwatch",
        region_name=region or None,
        endpoint_url=endpoint or None,
        config=Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1}),
    )
