"""Importing and exporting over the API."""

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from crm.clock import database_now
from crm.importing.running import work
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_creator, make_fan, make_import, make_user

pytestmark = pytest.mark.django_db

NOW = "/api/onlyfans/import/csv"
LIST = "/api/crm/imports"
HOUSE = "Username,Display Name,Email,Subscription Tier,Total Spent,Last Seen\n@ava,Ava,ava@example.com,Gold,$500.00,\n"


@pytest.fixture
def creator() -> Creator:
    return make_creator(make_user("owner"))


def upload(client: Client, text: str | bytes, address: str = NOW, name: str = "fans.csv", **fields: Any) -> Any:
    content = text.encode() if isinstance(text, str) else text
    headers = fields.pop("headers", {})
    return client.post(address, {"file": SimpleUploadedFile(name, content), **fields}, headers=headers)


def test_a_file_is_imported_and_summed_up(owner: Client, creator: Creator) -> None:
    answer = upload(owner, HOUSE + "bo,Bo,bo@,,,\n")

    assert answer.status_code == 200
    summary = answer.json()
    named = {name: summary[name] for name in ("totalRows", "successfulInserts", "updated", "unchanged", "skipped")}
    assert named == {"totalRows": 2, "successfulInserts": 1, "updated": 0, "unchanged": 0, "skipped": 1}
    [error] = summary["errors"]
    assert (error["row"], error["line"], error["column"], error["value"]) == (3, 3, "Email", "bo@")
    assert error["error"]
    assert owner.get(summary["errorsUrl"]).status_code == 200
    assert creator.fans.get().name == "Ava"


def test_the_same_request_twice_creates_nothing_more(owner: Client, creator: Creator) -> None:
    upload(owner, HOUSE)

    assert upload(owner, HOUSE).json()["unchanged"] == 1
    assert creator.fans.count() == 1


def test_the_same_key_twice_is_one_import(owner: Client) -> None:
    first = upload(owner, HOUSE, headers={"Idempotency-Key": "k"})
    second = upload(owner, HOUSE, headers={"Idempotency-Key": "k"})

    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Import.objects.count() == 1


def test_a_dry_run_writes_no_fan(owner: Client, creator: Creator) -> None:
    summary = upload(owner, HOUSE, dryRun="true").json()

    assert (summary["dryRun"], summary["successfulInserts"]) == (True, 1)
    assert not creator.fans.exists()


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("Username,Last Seen\nava,03/04/2025\n", "dateOrder"),
        ("Username;Total Spent\nava;1,234\n", "decimal"),
        ("Username,Name\nava,LÃ©a\n", "textRepair"),
    ],
)
def test_what_a_file_leaves_open_is_asked_by_its_name(owner: Client, text: str, option: str) -> None:
    answer = upload(owner, text)

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [option]
    assert not Import.objects.exists()


def test_answered_it_is_imported(owner: Client, creator: Creator) -> None:
    answer = upload(owner, "Nick,Last Seen\nava,03/04/2025\n", dateOrder="dmy", mapping='{"Nick": "handle"}')

    assert answer.status_code == 200
    assert creator.fans.get().last_seen_at.isoformat() == "2025-04-03T00:00:00+00:00"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("field", "value"), [("creatorId", ""), ("dateOrder", ""), ("mapping", ""), ("dryRun", ""), ("dryRun", "0")]
)
def test_a_field_of_a_form_without_a_value_or_with_another_is_refused(owner: Client, field: str, value: str) -> None:
    answer = upload(owner, HOUSE, **{field: value})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Import.objects.exists()


@pytest.mark.parametrize(
    ("name", "text", "field", "status", "words"),
    [
        ("fans.xlsx", HOUSE, "file", 400, ".csv"),
        ("fans.csv", "", "file", 400, "empty"),
        ("fans.csv", "Colour\nred\n", "file", 400, "Colour"),
        ("fans.csv", b"x" * (10 * 1024 * 1024 + 1), "file", 413, "10 MB"),
        ("fans.csv", b"x" * (10 * 1024 * 1024 + 70_000), "file", 413, "10 MB"),
    ],
)
def test_a_file_that_cannot_be_imported_is_refused_with_the_reason(
    owner: Client, name: str, text: str, field: str, status: int, words: str
) -> None:
    answer = upload(owner, text, name=name)

    problem = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert problem["errors"][0]["field"] == field
    assert words in problem["detail"]
    assert not Import.objects.exists()


def test_an_import_is_kept_asked_about_checked_started_and_undone(owner: Client, creator: Creator) -> None:
    made = upload(owner, "Username,Last Seen,Mood\nava,03/04/2025,x\n", address=LIST)
    assert (made.status_code, made.json()["state"]) == (201, "asking")
    assert made.json()["ignoredColumns"] == ["Mood"]
    address = made.headers["Location"]
    job = Import.objects.get()

    assert owner.post(f"{address}/start").status_code == 409
    said = owner.patch(address, json.dumps({"dateOrder": "dmy"}), content_type="application/json")
    assert (said.status_code, said.json()["state"], said.json()["questions"]) == (200, "ready", [])
    for verb, after in (("check", "checked"), ("start", "done"), ("undo", "undone")):
        assert owner.post(f"{address}/{verb}").status_code == 202
        work(job)
        assert owner.get(address).json()["state"] == after
    assert not creator.fans.exists()
    assert owner.get(LIST).json()["results"][0]["undone"] == 1


def test_a_running_import_is_cancelled_and_forgotten(owner: Client, creator: Creator) -> None:
    job = make_import(creator)
    job.move(ImportState.RUNNING, now=database_now())

    assert owner.delete(f"{LIST}/{job.public_id}").status_code == 409
    assert owner.post(f"{LIST}/{job.public_id}/cancel").json()["state"] == "cancelled"
    assert owner.delete(f"{LIST}/{job.public_id}").status_code == 204
    assert not job.parts.exists()


@pytest.mark.parametrize("accept", ["*/*", "text/csv"])
def test_an_export_is_a_download(owner: Client, creator: Creator, accept: str) -> None:
    make_fan(creator, name="=1+1")

    answer = owner.get("/api/crm/exports/fans", headers={"Accept": accept})

    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert ",'=1+1," in text
