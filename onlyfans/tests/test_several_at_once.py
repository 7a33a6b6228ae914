"""Several dispatchers and several workers, on one database with real locks; the platform's own ledger is the judge."""

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from django.db import connection

from crm.models import Conversation, Creator, Line, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator
from onlyfans import delivery, handing_over
from onlyfans.models import Connection
from onlyfans.tests.conftest import RunningSimulator

pytestmark = pytest.mark.django_db(transaction=True)

CREATORS, CONVERSATIONS, MESSAGES = 2, 2, 4
PATIENCE_SECONDS = 60


class Broker:
    """Delivers every id twice, in any order, to whoever asks first."""

    def __init__(self) -> None:
        self.ids: queue.Queue[UUID] = queue.Queue()

    def carry(self, public_id: UUID) -> None:
        for _copy in range(2):
            self.ids.put(public_id)

    def work(self) -> None:
        try:
            public_id = self.ids.get(timeout=0.05)
        except queue.Empty:
            return
        delivery.deliver(public_id)


@contextmanager
def running(*acts: Callable[[], Any]) -> Iterator[None]:
    """Each act again and again in a thread of its own."""
    stop, trouble = threading.Event(), list[BaseException]()

    def turn(act: Callable[[], Any]) -> None:
        try:
            while not stop.is_set():
                act()
        except BaseException as error:
            trouble.append(error)
            raise
        finally:
            connection.close()

    threads = [threading.Thread(target=turn, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
    assert not trouble


def make_work(simulator: RunningSimulator, creator: Creator, account: str) -> None:
    sealed = Connection(creator=creator, account_id=account)
    sealed.api_key = simulator.api_key
    sealed.save()
    conversations: list[Conversation] = [make_conversation(creator) for _number in range(CONVERSATIONS)]
    for number in range(MESSAGES):
        for conversation in conversations:
            conversation.queue(text=f"{number}", author=None, priority=1 + (number * 7) % 10)


def test_every_message_goes_once_and_in_the_order_it_was_written(
    simulator: RunningSimulator, redis_server: Any, account: str
) -> None:
    accounts = [f"{account[:40]}_{number}" for number in range(CREATORS)]
    for name in accounts:
        make_work(simulator, make_creator(pace="100000/60:1000"), name)
    broker = Broker()

    def dispatch() -> None:
        handing_over.hand_over(broker.carry)
        time.sleep(0.01)

    with running(dispatch, dispatch, broker.work, broker.work, broker.work):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while Message.objects.exclude(status=Status.SENT).exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    assert not Message.objects.exclude(status=Status.SENT).exists()
    for name in accounts:
        texts = defaultdict[str, list[str]](list)
        for accepted in simulator.ledger(name):
            texts[accepted["chat"]].append(accepted["text"])
        assert list(texts.values()) == [[f"{number}" for number in range(MESSAGES)]] * CONVERSATIONS
    assert not Line.objects.filter(paused_at__isnull=False).exists()
