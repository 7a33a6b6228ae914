"""What is exported opens harmlessly in a spreadsheet and comes back as it was."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.exporting import export
from crm.importing.report import error_file
from crm.models import Creator, Fan, FanTag, Import, ImportKind, Payment, Tag, Transaction
from crm.tests.factories import make_creator, make_fan
from crm.tests.importing.conftest import accepted, imported  # noqa: F401 — fixtures

pytestmark = pytest.mark.django_db

Run = Callable[..., Import]

#: F35: what a spreadsheet would run, what only looks like it, and what already is our own mark.
HOSTILE = [
    "=1+1",
    "+33 6 12",
    "-2",
    "@home",
    "\tTab",
    "\rReturn",
    "＝SUM(A1)",
    "＋1",
    "－1",
    "＠you",
    "'=quoted",
    "''=twice",
    "'plain quote",
    "=cmd|' /C calc'!A0\",\"x",
    'He said "hi", twice',
    "two\nlines",
    "<b>bold</b> & <3",
    "&lt;b&gt; &amp;",
    "a;b\\c",
    "Léa 🦊 葵",
]


def file_of(creator: Creator, kind: str = "fans") -> str:
    return "".join(export(creator, ImportKind(kind)))


def all_of(creator: Creator) -> list[dict[str, Any]]:
    """All that a file can say of the fans."""
    names = [field.name for field in Fan._meta.concrete_fields if field.name not in ("id", "created_at")]
    fans = list(creator.fans.order_by("platform_id").values(*names))
    tags = FanTag.objects.filter(fan__creator=creator).order_by("tag__name", "fan__name")
    return [*fans, {"tags": list(tags.values_list("fan__name", "tag__name"))}]


def test_no_cell_of_an_export_is_a_formula() -> None:
    creator = make_creator()
    for number, text in enumerate(HOSTILE):
        fan = make_fan(creator, platform_id=str(number), handle=f"fan{number}", name=text)
        fan.tags.add(Tag.objects.create(creator=creator, name=text))

    rows = list(csv.reader(file_of(creator).lstrip("\ufeff").splitlines(keepends=True)))

    assert not [cell for row in rows for cell in row if cell[:1] and cell[0] in "=+-@\t\r\n＝＋－＠"]
    assert len(rows) == len(HOSTILE) + 1


def test_fans_come_back_unchanged(imported: Run) -> None:  # noqa: F811
    creator = make_creator(timezone="Europe/Paris")
    at = datetime(2025, 11, 1, 9, 30, 0, 123456, tzinfo=UTC)
    for number, text in enumerate(HOSTILE):
        fan = make_fan(
            creator,
            platform_id="" if number % 3 == 0 else str(9007199254740993 + number),
            handle=f"fan{number}",
            name=text.strip(),
            value_cents=number * 1_234_567,
            joined_at=at,
            last_seen_at=at + timedelta(seconds=number),
            subscription="active" if number % 2 else "",
            subscription_price_cents=999,
        )
        fan.tags.add(Tag.objects.create(creator=creator, name=text.strip()))
    before = all_of(creator)

    job = imported(creator, file_of(creator))

    assert (job.unchanged_count, job.updated_count, job.created_count, job.skipped_count) == (len(HOSTILE), 0, 0, 0)
    assert all_of(creator) == before


def test_an_export_of_one_creator_makes_the_same_fans_with_another(imported: Run) -> None:  # noqa: F811
    creator, other = make_creator(), make_creator()
    imported(creator, "Fan ID,Username,Name,Tags,Total Spent\n77,ava,Ava,vip,12.50\n,bo,'=Bo,,\n")

    imported(other, file_of(creator))

    assert file_of(other) == file_of(creator)


def test_transactions_come_back_unchanged(imported: Run) -> None:  # noqa: F811
    creator = make_creator()
    ava = make_fan(creator, platform_id="77", handle="ava")
    at = datetime(2025, 11, 1, 9, 30, tzinfo=UTC)
    payments = [
        Payment(kind="tip", amount_cents=500, occurred_at=at, source="event", fan=ava, event_key="e1"),
        Payment(kind="tip", amount_cents=-500, occurred_at=at, source="event", fan=ava, event_key="e2"),
        Payment(kind="post", amount_cents=900, occurred_at=at, source="sync", platform_id="t1", description="=1 <b>"),
    ]
    Transaction.objects.record(creator, payments)
    imported(creator, "Date,Type,Username,Amount\n2025-11-02,tip,ava,5.00\n2025-11-02,tip,ava,5.00\n", "more.csv")
    before = list(Transaction.objects.order_by("pk").values())

    job = imported(creator, file_of(creator, "transactions"))

    assert (job.unchanged_count, job.created_count, job.skipped_count) == (5, 0, 0)
    assert list(Transaction.objects.order_by("pk").values()) == before


def test_an_export_asks_the_database_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crm.exporting.PAGE", 10)
    creator = make_creator()
    for _number in range(25):
        make_fan(creator)

    with CaptureQueriesContext(
        connection,
    ) as queries:
        lines = list(export(creator, ImportKind.FANS))

    assert len(lines) == 27
    assert len(queries) == 4 + 3


def test_the_error_file_is_corrected_and_imported(imported: Run) -> None:  # noqa: F811
    creator = make_creator()
    job = imported(
        creator,
        "Username,Display Name,Email\n"
        "ava,'=Ava,ava@\nbo,Bo,bo@example.com\ncy,\"Cy,\ndi,D,i,di@example.com\nel,+El,el@\n",
    )
    assert (job.created_count, job.skipped_count) == (1, 4)

    errors = "".join(error_file(job))
    rows = list(csv.reader(errors.lstrip("\ufeff").splitlines()))
    assert [tuple(row[3:6]) for row in rows[1:]] == [
        ("2", "2", "Email"),
        ("4", "4", ""),
        ("5", "5", ""),
        ("6", "6", "Email"),
    ]
    assert rows[1][:3] == ["ava", "'=Ava", "ava@"]
    assert rows[2][:3] == ["", "", ""]
    assert rows[2][6] == 'cy,"Cy,'
    again = imported(creator, errors.replace("ava@", "ava@example.com").replace("el@", "el@example.com"))

    assert (again.created_count, again.skipped_count) == (2, 2)
    assert set(creator.fans.values_list("name", flat=True)) == {"=Ava", "Bo", "+El"}
    assert "".join(error_file(again)).count("Error row") == 1
