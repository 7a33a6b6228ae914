"""Bad rows are downloaded, corrected and imported again: over the API, by the wizard and by the command."""

import csv
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from crm.clock import database_now
from crm.importing.report import error_file
from crm.importing.running import work
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_creator, make_user
from crm.tests.importing.test_fans import counts

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
        # Who stands there twice is emptied: the row would say that this is the name from now on.
        "1,ava,Ava again,,,,7,8,,,This is the same one as in row 2.": ",,,,,,,,,,",
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
    "t1,2025-11-01,tip,1,ava,5.00,USD,done,twice\n"
    # Two payments alike, of which only one can be read at first.
    ",2025-11-03,tip,1,ava,4.00,USD,done,\n"
    ",2025-11-03,tip,1,ava,four,USD,done,\n",
    {"five": "5.00", "pending,": "done,", "DOLLAR": "USD", "four": "4.00"},
)
THERE_ARE_PAYMENTS = [
    ("", "ava", "message", 2500, ""),
    ("", "ava", "message", 3000, ""),
    ("", "ava", "tip", 400, ""),
    ("", "ava", "tip", 400, ""),
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


# --- Payments without an id that name only a day: two rows alike are two payments

ALIKE = "Date,Type,Username,Amount\n2025-11-03,tip,ava,4.00\n2025-11-03,tip,ava,four\n2025-11-03,tip,ava,4.00\n"
Run = Callable[..., Import]


def mended(job: Import) -> str:
    """Its error file, with the amount that was none put right."""
    return "".join(error_file(job)).replace("four,", "4.00,", 1)


def amounts(creator: Creator) -> list[int]:
    return list(creator.transactions.order_by("pk").values_list("amount_cents", flat=True))


class TestAlike:
    def test_a_corrected_twin_is_one_more_payment(self, imported: Run, creator: Creator) -> None:
        errors = mended(imported(creator, ALIKE))

        again = [counts(imported(creator, errors)) for _time in range(2)]

        assert again == [(1, 0, 0, 0), (0, 0, 1, 0)]
        assert amounts(creator) == [400, 400, 400]

    def test_the_whole_file_corrected_has_nothing_more_to_say(self, imported: Run, creator: Creator) -> None:
        imported(creator, mended(imported(creator, ALIKE)))

        whole = imported(creator, ALIKE.replace("four", "4.00"))

        assert counts(whole) == (0, 0, 3, 0)

    def test_rows_are_put_right_one_after_the_other(self, imported: Run, creator: Creator) -> None:
        """The second error file comes from the first one, and that from a file with one good row."""
        first = imported(
            creator,
            "Date,Type,Username,Amount\n"
            + "".join(f"2025-11-03,tip,ava,{amount}\n" for amount in ("4.00", "four", "vier")),
        )

        second = imported(creator, "".join(error_file(first)).replace("four,", "4.00,", 1))
        third = imported(creator, "".join(error_file(second)).replace("vier,", "4.00,", 1))

        assert [counts(job) for job in (first, second, third)] == [(1, 0, 0, 2), (1, 0, 0, 1), (1, 0, 0, 0)]
        assert counts(imported(creator, "".join(error_file(first)).replace("four,", "4.00,", 1))) == (0, 0, 1, 1)

    def test_error_files_put_together_each_count_after_their_own(self, imported: Run, creator: Creator) -> None:
        other_day = imported(creator, ALIKE.replace("2025-11-03", "2025-11-04"))
        header, *rows = mended(imported(creator, ALIKE)).splitlines()
        rows += mended(other_day).splitlines()[1:]

        assert counts(imported(creator, "\n".join([header, *rows]))) == (2, 0, 0, 0)
        assert amounts(creator) == 6 * [400]

    def test_a_dry_run_s_error_file_may_come_in_before_the_file(
        self, accepted: Run, imported: Run, creator: Creator
    ) -> None:
        job = accepted(creator, ALIKE)
        job.move(ImportState.CHECKING, now=database_now())
        work(job)

        assert counts(imported(creator, mended(job))) == (1, 0, 0, 0)
        assert counts(imported(creator, ALIKE)) == (2, 0, 0, 1)

    def test_good_rows_that_were_there_before_count_as_well(self, imported: Run, creator: Creator) -> None:
        imported(creator, ALIKE)
        same_again = imported(creator, ALIKE)

        assert counts(same_again) == (0, 0, 2, 1)
        assert counts(imported(creator, mended(same_again))) == (1, 0, 0, 0)

    def test_a_corrected_twin_is_taken_back_alone(self, imported: Run, creator: Creator) -> None:
        job = imported(creator, mended(imported(creator, ALIKE)))
        job.move(ImportState.UNDOING, now=database_now())
        work(job)

        assert (job.state, amounts(creator)) == (ImportState.UNDONE, [400, 400])

    @pytest.mark.parametrize("said", ["", "somebody", str(uuid4())])
    def test_of_an_import_that_nobody_knows_it_is_the_first_of_its_day(
        self, said: str, imported: Run, creator: Creator
    ) -> None:
        job = imported(creator, ALIKE)

        assert counts(imported(creator, mended(job).replace(str(job.public_id), said))) == (0, 0, 1, 0)

    def test_without_its_column_it_is_the_first_of_its_day(self, imported: Run, creator: Creator) -> None:
        rows = csv.reader(mended(imported(creator, ALIKE)).splitlines())

        assert counts(imported(creator, "\n".join(",".join(row[:4]) for row in rows))) == (0, 0, 1, 0)

    def test_a_forgotten_file_counts_nothing(self, imported: Run, creator: Creator) -> None:
        job = imported(creator, ALIKE)
        errors = mended(job)
        job.forget()

        assert counts(imported(creator, errors)) == (0, 0, 1, 0)

    def test_another_creator_s_import_counts_nothing(self, imported: Run, creator: Creator) -> None:
        """Whose file it was cannot be told from what becomes of it."""
        errors = mended(imported(creator, ALIKE))
        other = make_creator()
        imported(other, ALIKE)

        assert counts(imported(other, errors)) == (0, 0, 1, 0)
