"""Kombu's SQS transport with four repairs, without which a worker can stay alive and consume nothing, for ever.

Seen on kombu 5.6.2 (docs/broker.md has the figures, bench/broker.py makes them): one 400 or 403 on ReceiveMessage, a
poll that is never answered, or an ack whose connection broke; and while SQS refuses, it asks without a pause. The
methods overridden here are kombu's own inner ones, so this file belongs to the pin in requirements.in; the fault tests
F4 to F6 hold it.
"""

from functools import partial
from time import monotonic
from typing import Any, ClassVar

import pycurl
import structlog
from kombu.asynchronous.aws.sqs.connection import AsyncSQSConnection
from kombu.asynchronous.http import Request
from kombu.transport import SQS

from onlyfans.faultpoints import reached

log = structlog.get_logger(__name__)

#: A poll is given up this long after SQS should have answered it; kombu itself would wait for ever.
POLL_GRACE_SECONDS = 10
#: After a poll that SQS refused or that did not get there; kombu itself would ask again at once.
REFUSED_PAUSE_SECONDS = 1.0


class PollingConnection(AsyncSQSConnection):
    """Every poll comes to an end, whatever SQS answers or does not answer."""

    poll_limit_seconds = 20 + POLL_GRACE_SECONDS
    #: When SQS last answered a poll of this process, by ``monotonic``; None before the first time.
    answered_at: ClassVar[float | None] = None
    #: What became of the last poll.
    was_refused = False

    def get_http_connection(self) -> Any:
        def limit(curl: Any) -> None:
            curl.setopt(pycurl.TIMEOUT, self.poll_limit_seconds)

        connection: Any = super().get_http_connection()
        connection.Request = partial(Request, on_prepare=limit)
        return connection

    def _on_list_ready(self, *args: Any) -> Any:
        self.was_refused = True
        try:
            found = super()._on_list_ready(*args)  # type: ignore[misc]  # kombu's stubs leave it out
        except Exception as error:  # kombu raises a bare Exception for every status it does not know
            log.warning("SQS refused a poll", error=str(error))
            return []
        if found != []:  # which is what kombu makes of a 5xx
            self.was_refused = False
            PollingConnection.answered_at = monotonic()
        return found


class Channel(SQS.Channel):
    """An ack or a reject that SQS did not take gives its prefetch slot back; the message comes again by itself."""

    def asynsqs(self, queue: str | None = None) -> Any:
        clients: Any = self._predefined_queue_async_clients
        if queue not in clients:
            connection = PollingConnection(sqs_connection=self.sqs(queue=queue), region=self.region)
            connection.poll_limit_seconds = self.wait_time_seconds + POLL_GRACE_SECONDS
            clients[queue] = connection
        return clients[queue]

    def _loop1(self, queue: str, _: Any = None) -> None:
        channel: Any = self
        if self.asynsqs(queue=self.canonical_queue_name(queue)).was_refused:
            channel.hub.call_later(REFUSED_PAUSE_SECONDS, channel._schedule_queue, queue)
        else:
            channel.hub.call_soon(channel._schedule_queue, queue)

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        reached("before the ack")
        try:
            super().basic_ack(delivery_tag, multiple)
        except Exception as error:  # whatever boto3 raises, the slot must come back
            log.warning("SQS did not take an ack", error=str(error))
            super().basic_reject(delivery_tag)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().basic_reject(delivery_tag, requeue)
        except Exception as error:  # as above
            log.warning("SQS did not take a reject", error=str(error))
            super().basic_reject(delivery_tag)


class Transport(SQS.Transport):
    """What CELERY_BROKER_TRANSPORT names."""

    Channel = Channel
