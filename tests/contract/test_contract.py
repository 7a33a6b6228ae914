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
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import pytest
from django.db.models import Model
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from crm.models import ApiKey, Campaign, Creator, Membership, Note, Snippet, Tag, User
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
from onlyfans.models import Connection, Provider

pytestmark = [pytest.mark.contract, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

SETTINGS = Path(__file__).with_name("schemathesis.toml")


#: Of each, so that some are left when others were cancelled, merged or launched.
ROWS = 6
#: Refresh tokens; each is good for one request.
SIGN_INS = 60


@dataclass(frozen=True)
class World:
    """What is there to be asked for. Ids by the name that addresses have for them."""

    ids: dict[str, list[str]]
    to_delete: dict[str, list[str]]
    refresh_tokens: list[str]
    account_id: str = "acct_contract"
    webhook_secret: str = "whsec-contract"


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Somebody with a creator and rows of every kind, who may see how the components are, too."""
    # A person has few; here they are made by the dozen.
    monkeypatch.setattr(ApiKey, "PER_USER_MAX", 10_000)
    owner = make_user("owner", is_staff=True)
    creator = make_creator(owner, role=Membership.Role.OWNER)
    told = Connection(creator=make_creator(), provider=Provider.OFAPI, account_id=World.account_id)
    told.webhook_secret = World.webhook_secret
    told.save()
    sign_in = {"username": "owner", "password": PASSWORD}
    return World(
        ids=rows_of(creator, owner) | {"connection_id": [str(told.public_id)]},
        to_delete=rows_of(creator, owner),
        refresh_tokens=[
            Client().post("/api/auth/token", sign_in, content_type="application/json").json()["refresh"]
            for _ in range(SIGN_INS)
        ],
    )


def rows_of(creator: Creator, owner: User) -> dict[str, list[str]]:
    made: dict[str, list[Model]] = defaultdict(list, creator_id=[creator], user_id=[owner])
    for number in range(ROWS):
        fan = make_fan(creator)
        talk = make_conversation(fan=fan)
        made["fan_id"].append(fan)
        made["conversation_id"].append(talk)
        made["message_id"].append(make_message(talk, status=Status.FAILED if number % 2 else Status.QUEUED))
        made["import_id"].append(make_import(creator, f"Username\nava{number}\n"))
        made["note_id"].append(Note.objects.write(fan, author=owner, text="Likes tea."))
        made["key_id"].append(ApiKey.issue(owner, name="Shop", scopes=["read"])[0])
        made["tag_id"].append(Tag.objects.create(creator=creator, name=uuid4().hex))
        made["segment_id"].append(make_segment(creator))
        made["snippet_id"].append(Snippet.objects.create(creator=creator, name=uuid4().hex, text="Hello!"))
        made["campaign_id"].append(Campaign.objects.create(creator=creator, name=f"Campaign {number}", text="Hello!"))
    return {name: [str(row.public_id) for row in rows] for name, rows in made.items()}  # type: ignore[attr-defined]


def test_every_operation_keeps_to_its_description(world: World, live_server: LiveServer) -> None:
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)]
    more = shlex.split(os.environ.get("CONTRACT_OPTIONS", ""))
    asked = subprocess.run(
        [*program, "run", "docs/openapi.yaml", "--url", live_server.url, "--no-color", *more],
        cwd=BASE_DIR,
        env=os.environ | {"PASSWORD": PASSWORD, "CONTRACT_WORLD": json.dumps(asdict(world))},
        capture_output=True,
        text=True,
        check=False,
    )

    print(asked.stdout)
    assert asked.returncode == 0, asked.stdout + asked.stderr
