"""An SQS endpoint for one machine: moto's, with our two queues (`python -m huntaze.laptop.sqs`).

It keeps its messages in memory. That is allowed: the ledger has every row, and hands over again what was lost.
"""

import argparse
import json
import logging
import os

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


def endpoint(host: str, port: int, region: str) -> BaseWSGIServer:
    """A server that is bound and has the queues; the caller lets it ``serve_forever``."""
    create_queues(region)
    return make_server(host, port, create_backend_app("sqs"), threaded=True, request_handler=MotoRequestHandler)


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
