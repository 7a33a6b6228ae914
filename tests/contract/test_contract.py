"""What docs/openapi.yaml promises, the running server keeps: asked by schemathesis, all checks, all operations.

``CONTRACT_EXAMPLES=200 make contract`` makes up so many requests of each operation, instead of the few of every day.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_django.live_server_helper import LiveServer

from crm.models import Membership
from crm.tests.factories import PASSWORD, make_conversation, make_creator, make_fan, make_message, make_user
from huntaze.laptop.environment import BASE_DIR

pytestmark = [pytest.mark.contract, pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600)]

SETTINGS = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def _owner() -> None:
    """Somebody with a creator, fans and messages."""
    creator = make_creator(make_user("owner"), role=Membership.Role.OWNER)
    for _number in range(3):
        make_message(make_conversation(fan=make_fan(creator)))


@pytest.mark.usefixtures("_owner")
def test_every_operation_keeps_to_its_description(live_server: LiveServer) -> None:
    program = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(SETTINGS)]
    more = ["--max-examples", os.environ["CONTRACT_EXAMPLES"]] if "CONTRACT_EXAMPLES" in os.environ else []
    asked = subprocess.run(
        [*program, "run", "docs/openapi.yaml", "--url", live_server.url, "--no-color", *more],
        cwd=BASE_DIR,
        env=os.environ | {"PASSWORD": PASSWORD},
        capture_output=True,
        text=True,
        check=False,
    )

    assert asked.returncode == 0, asked.stdout + asked.stderr
