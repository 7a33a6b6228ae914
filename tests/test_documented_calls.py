"""Every curl of docs/api.md is asked as it stands there, from top to bottom, of the demo that `make run` makes."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import pytest
from django.conf import settings as product
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from crm.models import Conversation, Creator, Fan, Message, Tag
from crm.models.messages import Status
from crm.tests.factories import make_message
from onlyfans.demo import seed

pytestmark = pytest.mark.django_db

CREATOR = "f55b7eb9-c105-4060-a699-ba6ae94682ab"
CONVERSATION = "f34b0838-730c-4c4e-a104-ac3ce91027a3"
MESSAGE = "a3db2021-56ea-4872-9db1-39ab47777099"
#: The name that the page has for the id of what was made last at an address.
MADE = {"tags": "TAG", "segments": "SEGMENT", "snippets": "SNIPPET", "campaigns": "CAMPAIGN"}
FILE = b"Username,Email,Joined\nmia,mia@example.com,03/04/2026\nbo,bo@,05/04/2026\n"


@dataclass
class Call:
    """One curl, read as curl reads it."""

    address: str = ""
    method: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    form: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, command: str) -> Self:
        call, words = cls(), iter(shlex.split(command)[1:])
        for word in words:
            match word:
                case "-X":
                    call.method = next(words)
                case "-H":
                    name, value = next(words).split(": ", 1)
                    call.headers[name] = value
                case "-d":
                    call.body = next(words)
                case "-F":
                    name, value = next(words).split("=", 1)
                    call.form[name] = SimpleUploadedFile(value[1:], FILE) if value.startswith("@") else value
                case "-s" | "-i":
                    pass
                case _:
                    call.address = word.removeprefix("http://localhost:8000")
        call.method = call.method or ("GET" if call.body is None and not call.form else "POST")
        return call

    def ask(self) -> Any:
        client = Client(headers=self.headers)
        if self.form:
            return client.post(self.address, self.form)
        kind = self.headers.get("Content-Type", "application/octet-stream")
        return client.generic(self.method, self.address, self.body or "", content_type=kind)


def commands() -> Iterator[str]:
    """The curls of the page; the one that keeps the token is the one before it in a shell's clothes."""
    page = (product.BASE_DIR / "docs" / "api.md").read_text()
    for block in re.findall(r"^```sh\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL):
        for command in block.replace("\\\n", " ").splitlines():
            if command.startswith("curl "):
                yield command


@pytest.fixture
def known(settings: Settings) -> dict[str, str]:
    """The demo, with the ids that the page uses, and what its variables stand for."""
    settings.DEBUG = True
    seed()
    Creator.objects.update(public_id=CREATOR)
    fan = Fan.objects.get(platform_id="fan_123")
    Conversation.objects.filter(fan=fan).update(public_id=CONVERSATION)
    failed = make_message(Conversation.objects.get(fan=fan), status=Status.FAILED)
    Message.objects.filter(pk=failed.pk).update(public_id=MESSAGE)
    return {"FAN": str(fan.public_id), "OTHER": str(Tag.objects.get(name="VIP").public_id)}


def test_every_call_does_what_the_page_says(known: dict[str, str]) -> None:
    refused, asked = [], 0
    for command in commands():
        for name, value in known.items():
            command = command.replace(f"${name}", value)
        call = Call.of(command)
        answer = call.ask()
        asked += 1
        expected = {400} if call.body == '{"content": ""}' else {200, 201, 202, 204, 304}
        if "$" in command or answer.status_code not in expected:
            refused.append((command, answer.status_code, answer.content.decode()[:300]))
        known |= learned(call, answer)

    assert refused == []
    assert asked > 30


def learned(call: Call, answer: Any) -> dict[str, str]:
    """What the page's variables stand for from now on."""
    said = json.loads(answer.content) if answer.content else {}
    if "access" in said:
        return {"TOKEN": said["access"]}
    if "pollAfterSeconds" in said:
        return {"AFTER": said["after"], "ETAG": answer.headers["ETag"]}
    name = MADE.get(call.address.rsplit("/", 1)[-1])
    return {name: said["id"]} if name and answer.status_code == 201 else {}
