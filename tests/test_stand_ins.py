"""The servers that stand in for AWS and Redis behave as the real ones where it matters."""

import json

import redis

from tests.servers import Queues


def test_a_message_received_five_times_goes_to_the_dead_letter_queue(sqs: Queues) -> None:
    attributes = sqs.client.get_queue_attributes(QueueUrl=sqs.queue_url, AttributeNames=["All"])["Attributes"]

    policy = json.loads(attributes["RedrivePolicy"])
    assert policy["maxReceiveCount"] == 5
    assert policy["deadLetterTargetArn"].endswith(":huntaze-rate-limiter-queue-dlq")
    assert attributes["VisibilityTimeout"] == "120"

    sqs.client.send_message(QueueUrl=sqs.queue_url, MessageBody="poison")
    for _receive in range(5):
        assert sqs.client.receive_message(QueueUrl=sqs.queue_url, VisibilityTimeout=0)["Messages"]
    assert not sqs.client.receive_message(QueueUrl=sqs.queue_url).get("Messages")
    (dead,) = sqs.client.receive_message(QueueUrl=sqs.dlq_url)["Messages"]
    assert dead["Body"] == "poison"


def test_queues_are_empty_for_the_next_test(sqs: Queues) -> None:
    assert not sqs.client.receive_message(QueueUrl=sqs.queue_url).get("Messages")


def test_redis_keeps_what_it_has(redis_server: "redis.Redis") -> None:
    assert redis_server.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
