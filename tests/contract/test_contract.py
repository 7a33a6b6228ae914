"""What docs/openapi.yaml promises, the running server keeps: asked by schemathesis, all checks, all operations.

``CONTRACT_OPTIONS="--max-examples 200" make contract`` makes up so many requests of each operation, instead of the few
of every day; any other option of ``schemathesis run`` will do, too.
"""

import json
import os
import shlex
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from django.db.models import Model
from pytest_django.live_server_helper import LiveServer

from crm.models import Campaign, Membership, Snippet, Tag
from crm.models.messages import Status
from crm.tests.factories import (
    PASSWORD,
    make_conversation,
    make_creator,
    make_fan,
    make_import,
    make_message,
    make_segment,
    make_user,
)
from huntaze.laptop.environment import BASE_DIR

pytestmark = [pytest.mark.contract, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

SETTINGS = Path(__file__).with_name("schemathesis.toml")


#: Of each, so that some are left when others were cancelled, merged or launched.
ROWS = 6


@pytest.fixture
def ids() -> dict[str, list[str]]:
    """Somebody with a creator and rows of every kind: their ids by the name that addresses have for them."""
    creator = make_creator(make_user("owner"), role=Membership.Role.OWNER)
    made: dict[str, list[Model]] = defaultdict(list)
    for number in range(ROWS):
        fan = make_fan(creator)
        talk = make_conversation(fan=fan)
        made["fan_id"].append(fan)
        made["conversation_id"].append(talk)
        made["message_id"].append(make_message(talk, status=Status.FAILED if number % 2 else Status.QUEUED))
        made["import_id"].append(make_import(creator, f"Username\nava{number}\n"))
        made["tag_id"] += Tag.objects.named(creator, [f"tag {number}"])
        made["segment_id"].append(make_segment(creator))
        made["snippet_id"].append(Snippet.objects.create(creator=creator, name=f"Snippet {number}", text="Hello!"))
        made["campaign_id"].append(Campaign.objects.create(creator=creator, name=f"Campaign {number}", text="Hello!"))
    return {name: [str(row.public_id) for row in rows] for name, rows in made.items()}  # type: ignore[attr-defined]


def test_every_operation_keeps_to_its_description(ids: dict[str, list[str]], live_server: LiveServer) -> None:
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)]
    more = shlex.split(os.environ.get("CONTRACT_OPTIONS", ""))
    asked = subprocess.run(
        [*program, "run", "docs/openapi.yaml", "--url", live_server.url, "--no-color", *more],
        cwd=BASE_DIR,
        env=os.environ | {"PASSWORD": PASSWORD, "CONTRACT_IDS": json.dumps(ids)},
        capture_output=True,
        text=True,
        check=False,
    )

    print(asked.stdout)
    assert asked.returncode == 0, asked.stdout + asked.stderr
