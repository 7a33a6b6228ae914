"""The wizard, as a browser without JavaScript walks through it."""

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.clock import database_now
from crm.importing.running import work
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_creator, make_user

pytestmark = pytest.mark.django_db

CONNECT = "/platforms/connect/onlyfans"


@pytest.fixture
def creator() -> Creator:
    return make_creator(make_user("owner"))


def upload(owner: Client, creator: Creator, text: str, name: str = "fans.csv") -> str:
    file = SimpleUploadedFile(name, text.encode())
    answer = owner.post(CONNECT, {"file": file}, follow=True)
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


def test_an_answer_may_be_changed_until_the_import_begins(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Username,Last Seen\nava,03/04/2025\nbea,03/04/2025\nzoe,05/04/2025\n")
    page = owner.get(address).content.decode()
    assert "in dates such as 03/04/2025, 05/04/2025?" in page, "each example once"
    assert ">03/04/2025 · 05/04/2025<" in page, "and each sample"
    form = {"map": "1", "column0": "handle", "column1": "last_seen_at", "act": "check"}
    owner.post(address, form | {"dateOrder": "mdy"})
    work(Import.objects.get())

    page = owner.get(address).content.decode()
    assert '<input type="radio" name="dateOrder" value="mdy" required checked>' in page
    owner.post(address, form | {"dateOrder": "dmy"})
    work(Import.objects.get())
    owner.post(address, {"act": "start"})
    work(Import.objects.get())

    seen = creator.fans.get(handle="ava").last_seen_at
    assert seen is not None
    assert seen.astimezone(creator.zone).date() == date(2025, 4, 3)


def test_what_cannot_be_imported_is_said_at_the_file(owner: Client, creator: Creator) -> None:
    file = SimpleUploadedFile("fans.csv", b"Message ID,Direction,Text,Created At\n1,out,Hi,2026-01-05\n")

    answer = owner.post(CONNECT, {"file": file})

    assert answer.status_code == 400
    assert "This is a list of messages." in answer.content.decode()


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


# --- Columns that nobody knows


UNKNOWN = "Username,Colour,Shoe\nava,red,42\n"


def test_columns_that_nobody_knows_are_named_and_block_the_import(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, UNKNOWN)
    page = owner.get(address).content.decode()
    assert "<strong>Colour, Shoe</strong>" in page
    assert "red" in page, "samples help to tell what a column is"

    for act in ("check", "start"):
        form = {"map": "1", "act": act, "column0": "handle", "column1": "", "column2": "-"}
        answer = owner.post(address, form)
        assert answer.status_code == 400
        assert "Say where these columns go, or that they are left out: “Colour”." in answer.content.decode()
    assert Import.objects.get().state == ImportState.READY


def test_what_was_said_of_a_column_stays_said(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, UNKNOWN)

    owner.post(address, {"map": "1", "act": "check", "column0": "handle", "column1": "name", "column2": "-"})

    job = Import.objects.get()
    assert job.state == ImportState.CHECKING
    work(job)
    owner.post(address, {"act": "start"})
    work(job)
    assert creator.fans.get().name == "red"


def test_all_that_is_not_known_is_left_out_at_once(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, UNKNOWN)

    owner.post(address, {"map": "1", "act": "leave", "column0": "handle", "column1": "", "column2": ""})

    assert "Every column has its place" in owner.get(address).content.decode()
    owner.post(address, {"act": "start"})
    assert Import.objects.get().state == ImportState.RUNNING


def test_a_file_is_forgotten_while_it_still_asks(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Username,Last Seen\nava,03/04/2025\n")

    owner.post(address, {"map": "1", "act": "cancel", "column0": "nonsense"})

    assert Import.objects.get().state == ImportState.CANCELLED
    assert "cancelled before anything was written" in owner.get(address).content.decode()


def test_work_that_nobody_begins_is_said(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Username\nava\n")
    owner.post(address, {"act": "start"})
    assert "run_imports" not in owner.get(address).content.decode()

    Import.objects.update(asked_at=database_now() - timedelta(minutes=1))

    assert "run_imports" in owner.get(address).content.decode()


def test_the_chosen_creator_gets_the_fans(owner: Client, creator: Creator) -> None:
    second = make_creator(creator.memberships.get().user, name="Zoe")

    owner.post(f"{CONNECT}?creator={second.public_id}", {"file": SimpleUploadedFile("fans.csv", b"Username\nava\n")})

    assert Import.objects.get().creator == second
    assert "fans.csv" in owner.get(CONNECT).content.decode()


def test_a_file_of_which_no_column_is_known_is_asked_about(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Alias,Colour\nava,red\n")
    page = owner.get(address).content.decode()
    assert "No column says who the fans are" in page
    assert "Alias, Colour" in page

    form = {"map": "1", "kind": "fans", "column0": "handle", "column1": "-", "act": "check"}
    owner.post(address, form)
    job = Import.objects.get()
    work(job)
    owner.post(address, {"act": "start"})
    work(job)

    assert creator.fans.get().handle == "ava"


def test_payments_under_headers_of_their_own_find_their_columns(owner: Client, creator: Creator) -> None:
    address = upload(owner, creator, "Wer,Wann,Was\nava,2026-01-05,12.50\n")

    owner.post(address, {"map": "1", "kind": "transactions", "act": "check"})
    page = owner.get(address).content.decode()
    assert 'value="transactions" required checked' in page
    assert '<option value="occurred_at">' in page
    columns = {"column0": "handle", "column1": "occurred_at", "column2": "amount"}
    owner.post(address, {"map": "1", "kind": "transactions", "act": "check"} | columns)
    job = Import.objects.get()
    work(job)
    owner.post(address, {"act": "start"})
    work(job)

    assert creator.transactions.get().amount_cents == 1_250
