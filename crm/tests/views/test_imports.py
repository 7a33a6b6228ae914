"""The wizard, as a browser without JavaScript walks through it."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.importing.running import work
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_creator, make_user

pytestmark = pytest.mark.django_db

CONNECT = "/platforms/connect/onlyfans"


@pytest.fixture
def creator() -> Creator:
    return make_creator(make_user("owner"))


@pytest.fixture
def owner(client: Client, creator: Creator) -> Client:
    client.force_login(creator.memberships.get().user)
    return client


def upload(owner: Client, creator: Creator, text: str, name: str = "fans.csv") -> str:
    file = SimpleUploadedFile(name, text.encode())
    answer = owner.post(CONNECT, {"creator": creator.pk, "file": file}, follow=True)
    assert answer.status_code == 200
    return answer.redirect_chain[0][0]


def test_from_the_file_to_the_fans_and_back(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Nick,Last Seen,Username\nx,03/04/2025,ava\nx,03/04/2025,b o\n")
    page = owner.get(address).content.decode()
    assert "03/04/2025" in page
    job = Import.objects.get()
    assert job.state == ImportState.ASKING

    form = {"map": "1", "dateOrder": "dmy", "column0": "name", "column1": "last_seen_at", "column2": "handle"}
    owner.post(address, form | {"act": "check"})
    assert "http-equiv" in owner.get(address).content.decode(), "the page asks again by itself"
    work(job)
    page = owner.get(address).content.decode()
    assert "Would be created" in page
    assert "no spaces" in page

    owner.post(address, form | {"act": "start"})
    work(job)
    assert creator.fans.get().name == "x"
    errors = b"".join(owner.get(f"{address}/errors").streaming_content).decode()  # type: ignore[attr-defined]
    assert "b o" in errors

    owner.post(address, {"act": "undo"})
    work(job)
    assert not creator.fans.exists()
    assert "Taken back" in owner.get(address).content.decode()


def test_what_cannot_be_imported_is_said_at_the_file(owner: Client, creator: Creator) -> None:
    file = SimpleUploadedFile("fans.csv", b"Colour\nred\n")

    answer = owner.post(CONNECT, {"creator": creator.pk, "file": file})

    assert answer.status_code == 400
    assert "Colour" in answer.content.decode()


def test_two_columns_cannot_be_one_field(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Username,Nick\nava,x\n")

    answer = owner.post(address, {"map": "1", "column0": "handle", "column1": "handle", "act": "start"})

    assert answer.status_code == 400
    assert not creator.fans.exists()


def test_a_running_import_is_cancelled(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Username\nava\n")
    owner.post(address, {"act": "start"})

    owner.post(address, {"act": "cancel"})

    assert Import.objects.get().state == ImportState.CANCELLED
    assert owner.post(address, {"act": "start"}).status_code == 409
