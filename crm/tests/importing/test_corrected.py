"""Bad rows are downloaded, corrected and imported again: over the API, by the wizard and by the command."""

from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from crm.importing.running import work
from crm.models import Creator, Import
from crm.tests.factories import make_creator, make_user

pytestmark = pytest.mark.django_db

#: A file whose bad rows have every kind of cell, what is corrected in its error file, and who or what is there then.
FANS = (
    "Fan ID,Username,Display Name,Email,Total Spent,Last Seen\n"
    '1,ava,"=Ava, ""the"" first",ava@example.com,"$1,234.50",2025-11-01\n'
    "2,bo,'+Bo,bo@,0.10,2025-11-01\n"
    '9.00E+17,cy,"<b>Cy</b>\nand co",cy@example.com,(12.00),yesterday\n'
    "4,di,Di\n"
    '5,"el,El,,,\n'
    "1,ava,Ava again,,,\n",
    {
        "bo@,": "bo@example.com,",
        "9.00E+17": "900000000000000003",
        "(12.00)": "12.00",
        "yesterday": "2025-11-02",
        ',,,,,,5,6,,"4,di,Di"': '4,di,Di,,,,5,6,,"4,di,Di"',
        # Who stands there twice is taken out: the row would say that this is the name from now on.
        "1,ava,Ava again,,,,7,8,,,This is the same one as in row 2.\r\n": "",
        ',,,,,,6,7,,"5,""el,El,,,"': '5,el,El,,,,6,7,,"5,""el,El,,,"',
    },
)
THERE_ARE_FANS = [
    ("1", "ava", '=Ava, "the" first', 123450),
    ("2", "bo", "+Bo", 10),
    ("4", "di", "Di", 0),
    ("5", "el", "El", 0),
    ("900000000000000003", "cy", "Cy\nand co", 1200),
]
PAYMENTS = (
    "Transaction ID,Date,Type,Fan ID,Username,Amount,Currency,Status,Description\n"
    "t1,2025-11-01,tip,1,ava,5.00,USD,done,'=Thanks\n"
    "t2,2025-11-01,tip,1,ava,five,USD,done,-2\n"
    ",2025-11-02,ppv,1,ava,25.00,USD,done,\n"
    ",2025-11-02,ppv,1,ava,30.00,USD,pending,\n"
    ",2025-11-02T10:00:00Z,post,,bo,7.00,DOLLAR,done,@home\n"
    "t1,2025-11-01,tip,1,ava,5.00,USD,done,twice\n",
    {"five": "5.00", "pending,": "done,", "DOLLAR": "USD"},
)
THERE_ARE_PAYMENTS = [
    ("", "ava", "message", 2500, ""),
    ("", "ava", "message", 3000, ""),
    ("", "bo", "post", 700, "@home"),
    ("t1", "ava", "tip", 500, "=Thanks"),
    ("t2", "ava", "tip", 500, "-2"),
]


@pytest.fixture
def creator() -> Creator:
    return make_creator(make_user("owner"))


Door = Callable[[Client, Creator, str, Path], str]


def by_api(owner: Client, creator: Creator, text: str, _folder: Path) -> str:
    """Imports ``text``; what was wrong with it, as a file."""
    said = owner.post("/api/onlyfans/import/csv", {"file": SimpleUploadedFile("rows.csv", text.encode())}).json()
    return downloaded(owner, said["errorsUrl"]) if said["errorsUrl"] else ""


def by_wizard(owner: Client, creator: Creator, text: str, _folder: Path) -> str:
    file = SimpleUploadedFile("rows.csv", text.encode())
    address = owner.post("/platforms/connect/onlyfans", {"file": file}, follow=True).redirect_chain[0][0]
    owner.post(address, {"act": "start"})
    work(Import.objects.latest("pk"))
    return downloaded(owner, f"{address}/errors")


def by_command(_owner: Client, creator: Creator, text: str, folder: Path) -> str:
    file, errors = folder / "rows.csv", folder / "errors.csv"
    file.write_text(text)
    # Rows that were left out are an exit code of their own.
    with suppress(CommandError, SystemExit):
        call_command("import_fans", str(file), creator=str(creator.public_id), errors=errors, stdout=StringIO())
    return errors.read_bytes().decode()


def downloaded(owner: Client, address: str) -> str:
    answer: Any = owner.get(address)
    return b"".join(answer.streaming_content).decode()


def corrected(errors: str, corrections: dict[str, str]) -> str:
    for wrong, right in corrections.items():
        assert wrong in errors, (wrong, errors)
        errors = errors.replace(wrong, right)
    return errors


@pytest.mark.parametrize("through", [by_api, by_wizard, by_command])
class TestCorrected:
    def test_fans_are_all_there_once(self, through: Door, owner: Client, creator: Creator, tmp_path: Path) -> None:
        text, corrections = FANS

        errors = corrected(through(owner, creator, text, tmp_path), corrections)
        for _again in range(2):
            through(owner, creator, errors, tmp_path)

        fans = creator.fans.values_list("platform_id", "handle", "name", "value_cents")
        assert sorted(fans) == THERE_ARE_FANS

    def test_payments_are_all_there_once(self, through: Door, owner: Client, creator: Creator, tmp_path: Path) -> None:
        text, corrections = PAYMENTS

        errors = corrected(through(owner, creator, text, tmp_path), corrections)
        for _again in range(2):
            through(owner, creator, errors, tmp_path)

        rows = creator.transactions.values_list("platform_id", "fan__handle", "kind", "amount_cents", "description")
        assert sorted(rows) == THERE_ARE_PAYMENTS
