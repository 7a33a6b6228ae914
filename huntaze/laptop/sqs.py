"""An SQS endpoint for one machine: moto's, with our two queues (`python -m huntaze.laptop.sqs`).

It keeps its messages in memory. That is allowed: the ledger has every row, and hands over again what was lost.
It counts what it is asked, because SQS bills by the request: GET /_requests says how often, by action. And it refuses
on demand, as SQS does when credentials expire: POST /_refuse {"ReceiveMessage": 2} answers the next two with 403.
"""

import argparse
import io
import json
import logging
import os
import threading
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from moto.moto_server.werkzeug_app import MotoRequestHandler, create_backend_app
from moto.sqs.models import SQSBackend, sqs_backends
from werkzeug.serving import BaseWSGIServer, make_server

from huntaze.laptop.queues import (
    DEAD_LETTER_QUEUE,
    DEAD_LETTER_RETENTION_SECONDS,
    QUEUE,
    RECEIVES_MAX,
    RETENTION_SECONDS,
    STAND_IN_ACCOUNT,
    VISIBILITY_TIMEOUT_SECONDS,
)

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def endpoint(host: str, port: int, region: str) -> BaseWSGIServer:
    """A server that is bound and has the queues; the caller lets it ``serve_forever``."""
    create_queues(region)
    application = FrontDesk(create_backend_app("sqs"))
    return make_server(host, port, application, threaded=True, request_handler=MotoRequestHandler)


class FrontDesk:
    """Counts SQS requests by action, a receive that brought nothing as ``EmptyReceive``; refuses some on demand."""

    COUNTS, REFUSALS = "/_requests", "/_refuse"

    def __init__(self, application: "WSGIApplication") -> None:
        self._application = application
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if environ["PATH_INFO"] in (self.COUNTS, self.REFUSALS):
            if environ["PATH_INFO"] == self.REFUSALS:
                self._refusals.update(json.loads(body))
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(self._counts).encode()]
        return self._serve(_action(environ, body), environ, start_response)

    def _serve(self, action: str, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        with self._lock:
            refused = self._refusals[action] > 0
            self._refusals[action] -= refused
        if refused:
            start_response("403 Forbidden", [("Content-Type", "text/xml")])
            return [b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>"]
        reply = list(self._application(environ, start_response))
        if action == "ReceiveMessage" and b"ReceiptHandle" not in b"".join(reply):
            action = "EmptyReceive"
        with self._lock:
            self._counts[action] += 1
        return reply


def _action(environ: "WSGIEnvironment", body: bytes) -> str:
    """The action, from the JSON protocol's header (boto3) or from the query protocol's form (kombu's receive)."""
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        return str(target).rpartition(".")[2]
    form = parse_qs(environ.get("QUERY_STRING", "")) | parse_qs(body.decode("latin-1"))
    return form.get("Action", ["unknown"])[0]


def create_queues(region: str) -> None:
    """Both queues of this process, empty, whatever was in them."""
    backend: SQSBackend = sqs_backends[STAND_IN_ACCOUNT][region]
    backend.queues.clear()
    dead_letters = backend.create_queue(DEAD_LETTER_QUEUE, MessageRetentionPeriod=DEAD_LETTER_RETENTION_SECONDS)
    backend.create_queue(
        QUEUE,
        VisibilityTimeout=VISIBILITY_TIMEOUT_SECONDS,
        MessageRetentionPeriod=RETENTION_SECONDS,
        RedrivePolicy=json.dumps({"deadLetterTargetArn": dead_letters.queue_arn, "maxReceiveCount": RECEIVES_MAX}),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9324)
    parser.add_argument("--region", default=os.environ.get("AWS_REGION") or "us-east-1")
    options = parser.parse_args()
    # One line per request would be most of what the disk ever sees.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    endpoint(options.host, options.port, options.region).serve_forever()


if __name__ == "__main__":
    main()
