"""F24: files made to do harm. They cost a reason, not memory, and no good row is lost."""

import io
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings

from crm.importing.problems import CannotImport
from crm.importing.records import LINE_MAX, Record, Refused, records
from crm.importing.rows import Options, Row, RowReader
from crm.importing.survey import survey
from crm.models import Creator

HEADER = "Fan ID,Username,Display Name\n"
GOOD = "7,ava,Ava\n"


def read(content: bytes) -> tuple[list[str], Counter[str]]:
    """The usernames of the good rows, and how often which problem was found."""
    found = survey(lambda: io.BytesIO(content), Options())
    reader = RowReader(found.reading, Creator(name="Ava"))
    rows = records(io.TextIOWrapper(io.BytesIO(content), found.reading.encoding, "surrogateescape", newline=""), ",")
    next(rows)
    good, codes = [], Counter[str]()
    for record in rows:
        row = reader.read(record)
        if isinstance(row, Row):
            good.append(row.values["handle"])
        else:
            codes.update(problem.code for problem in row)
    return good, codes


@pytest.mark.parametrize(
    ("harm", "codes"),
    [
        ('1,"bo,Bo\n' + "2,cy,Cy\n" * 300, {"unclosed_quote": 1}),
        ("1,bo," + "x" * 1_000_000 + "\n", {"line_too_long": 1}),
        ("," * 1_000_000 + "\n", {"line_too_long": 1}),
        ("," * 5_000 + "\n", {}),
        (',"' * 500_000 + "\n", {"line_too_long": 1}),
        (',"' * 30_000 + "\n", {"cell_count": 1}),
        ("\0" * 60_000 + "\n", {"cell_count": 1}),
        ('1,bo,"' + "x\n" * 150, {"unclosed_quote": 1, "cell_count": 149}),
        ('1,bo,"' + ("x" * 60_000 + "\n") * 3, {"unclosed_quote": 1, "cell_count": 2}),
        ("\r" * 10_000, {}),
    ],
    ids=[
        "a quote never closed",
        "one endless cell",
        "a million commas",
        "nothing but commas",
        "a bomb of quotes",
        "a smaller bomb of quotes",
        "NULs",
        "a cell of too many lines",
        "a cell of too many characters",
        "bare carriage returns",
    ],
)
def test_harm_costs_itself_and_the_good_rows_stay(harm: str, codes: dict[str, int]) -> None:
    good, found = read((HEADER + GOOD + harm + "8,el,El\n").encode())

    assert (good[0], good[-1]) == ("ava", "el")
    assert found == codes


def test_a_file_of_quotes_is_read_in_time_that_its_length_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines of a refused record are read again; once that was too much, a record is one line."""
    monkeypatch.setattr("crm.importing.records.READ_TWICE_MAX", 1_000)
    text = io.StringIO('a,"b\n' * 1_001)
    rows = list(records(text, ","))

    assert all(isinstance(row, Record | Refused) for row in rows)
    assert len(rows) >= 900
    assert {row.params["lines"] for row in rows if isinstance(row, Refused)} == {100, 1}


def test_a_header_that_never_ends_is_refused() -> None:
    with pytest.raises(CannotImport, match="longer than 65,536 characters") as refusal:
        survey(lambda: io.BytesIO(("Username" + ",c" * LINE_MAX).encode()), Options())

    assert refusal.value.code == "bad_header"


TEN_MB = 10 * 1024 * 1024
WARM_UP = "good"
#: Files of 10 MB, and what is said of them.
HARM = {
    WARM_UP: (HEADER + GOOD, set()),
    "one cell": (HEADER + "1,bo," + "x" * TEN_MB, {"The line is longer than 65,536 characters."}),
    "one line": (HEADER + "1," * (TEN_MB // 2), {"The line is longer than 65,536 characters."}),
    "a million columns": (
        "Username" + ",c" * (TEN_MB // 2),
        {"The header in line 1 is longer than 65,536 characters, which is the most that a line can have."},
    ),
    "300 columns": (
        "Username" + ",c" * 300 + "\n" + GOOD * (TEN_MB // len(GOOD)),
        {"The header has 301 columns; at most 200 can be read."},
    ),
    "NULs": (HEADER + "\0" * TEN_MB, {"The line is longer than 65,536 characters."}),
    "short rows": (
        HEADER + "1,2\n" * (TEN_MB // 4),
        {
            "None of the first 10,000 rows has as many cells as the header, which has 3. Save the file as CSV again,"
            " with one separator for all rows."
        },
    ),
    "an open quote": (
        HEADER + '1,"bo,Bo\n' + f"2,cy,{'y' * 190}\n" * (TEN_MB // 196),
        {
            "A quote is opened in line 2 and not closed as it should be within 100 lines and 131,000 characters, which"
            " is the most that a row can have. Close it, or write it twice."
        },
    ),
    "an open quote in the header": (
        '"Username,Name\n' + f"2,cy,{'y' * 190}\n" * (TEN_MB // 196),
        {"A quote in the header in line 1 is not closed within 100 lines and 131,000 characters."},
    ),
}


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Only Linux says how much memory it took.")
def test_ten_megabytes_of_harm_are_refused_by_their_limit_in_little_memory(tmp_path: Path) -> None:
    for name, (content, _said) in HARM.items():
        (tmp_path / f"{name}.csv").write_text(content)
    files = [str(tmp_path / f"{name}.csv") for name in HARM]

    command = [sys.executable, "-m", "crm.tests.importing.reading_harm", *files]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "huntaze.settings"}
    done = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)

    assert {name: set(each["said"]) for name, each in found.items()} == {name: said for name, (_, said) in HARM.items()}
    assert {name: sum(each["said"].values()) for name, each in found.items() if name != WARM_UP} == dict.fromkeys(
        HARM.keys() - {WARM_UP}, 1
    )
    assert max(each["memory"] for each in found.values()) <= 60


@pytest.mark.parametrize("bad", ["1,bo", '1,"bo,Bo', "1,bo,Bo,x"])
def test_a_file_of_which_no_row_fits_the_header_is_refused_and_one_good_row_suffices(
    bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm.importing.survey.FIT_WITHIN", 100)

    with pytest.raises(CannotImport, match="None of the first 100 rows") as refusal:
        survey(lambda: io.BytesIO((HEADER + f"{bad}\n" * 100 + GOOD).encode()), Options())

    assert refusal.value.code == "no_row_fits"
    assert read((HEADER + f"{bad}\n" * 99 + GOOD + f"{bad}\n").encode())[0] == ["ava"]
    assert survey(lambda: io.BytesIO((HEADER + f"{bad}\n" * 99).encode()), Options()).rows == 99


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_an_encoding_that_the_file_has_not_is_refused(encoding: str) -> None:
    with pytest.raises(CannotImport) as refusal:
        survey(lambda: io.BytesIO((HEADER + GOOD).encode()), Options(encoding=encoding))

    assert refusal.value.option == ("encoding" if encoding == "utf-16" else "file")


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
def test_utf_16_says_its_order_by_itself(order: str) -> None:
    assert survey(lambda: io.BytesIO((HEADER + GOOD).encode(order)), Options(encoding="utf-16")).rows == 1
