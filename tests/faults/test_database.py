"""F14: a database with one writer at a time, and everybody writing. And one that drops its connections."""

import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection

from crm.models import Import, ImportState
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_import, make_user
from tests.client import Client
from tests.faults.scene import Scene
from tests.faults.stage import until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

SECONDS, WRITERS, ROWS = 8.0, 4, 20_000


@pytest.mark.sqlite_only
def test_f14_four_writers_an_import_and_an_inbox_never_meet_a_locked_database(scene: Scene) -> None:
    user = make_user()
    creators = [scene.creator(user) for _writer in range(WRITERS)]
    recipients = [scene.conversations(5, creator=creator) for creator in creators]
    job = make_import(creators[0], "\n".join(["Username", *(f"f14_{number}" for number in range(ROWS))]))
    url, ready, lock = scene.stage.web_url, threading.Barrier(WRITERS + 2, timeout=60), threading.Lock()
    took: list[float] = []
    refused: list[object] = []

    def write(number: int) -> None:
        api = Client(url, user.username, PASSWORD, timeout=30)
        for turn in turns(ready):
            fan, began = recipients[number][turn % 5].fan, time.monotonic()
            status, reply = api.post(
                "/api/onlyfans/messages/send", {"recipientId": fan.platform_id, "content": scene.words()}
            )
            with lock:
                took.append(time.monotonic() - began)
                scene.accept(reply["messageId"]) if status == 202 else refused.append(reply)

    def read() -> None:
        api = Client(url, user.username, PASSWORD, timeout=30)
        for _turn in turns(ready):
            api.get("/api/crm/conversations?limit=50")["results"]

    def import_fans() -> None:
        api = Client(url, user.username, PASSWORD, timeout=30)
        ready.wait()
        status, reply = api.post(f"/api/crm/imports/{job.public_id}/start", {})
        if status != 202:
            refused.append(reply)

    scene.stage.imports.start()
    together = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    together += [threading.Thread(target=work) for work in (read, import_fans)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()

    assert not refused
    scene.measured("a write among four writers, an import and an inbox", took, share=0.99)
    until(lambda: scene.count(Status.SENT) == len(took), 60, "all go out")
    until(lambda: Import.objects.get(pk=job.pk).state == ImportState.DONE, 60, "the import is over")
    assert creators[0].fans.count() == len(recipients[0]) + ROWS
    assert all("database is locked" not in part.log.read_text() for part in scene.stage.product)


@pytest.mark.postgresql_only
def test_connections_that_the_database_dropped_cost_no_message(scene: Scene) -> None:
    """A restart of the server, or a proxy before it that tires of idle ones. Workers keep theirs between messages."""
    conversations = scene.conversations(8)
    for conversation in conversations:
        scene.until(scene.say(conversation), Status.SENT)
    with connection.cursor() as cursor:
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        cursor.execute(f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}")

    messages = [scene.say(conversation) for conversation in conversations]

    for message in messages:
        scene.until(message, Status.SENT)
        assert not message.attempts


def turns(ready: threading.Barrier) -> Iterator[int]:
    """For so many seconds, once everybody has signed in."""
    ready.wait()
    ends_at = time.monotonic() + SECONDS
    return itertools.takewhile(lambda _turn: time.monotonic() < ends_at, itertools.count())
