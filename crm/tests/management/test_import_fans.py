"""A file at hand goes in by a command, which says by its exit code how that went."""

import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crm.importing import fans, running
from crm.importing.columns import Kind
from crm.models import Creator, Import, ImportState
from crm.tests.factories import make_creator
from crm.tests.management.operator import run

GOOD = "Fan ID,Username,Total Spent\n1,ava,1.50\n2,bo,2.00\n"
ONE_BAD = GOOD + "3e5,cy,3.00\n"
ASKS = "Fan ID,Username,Last Seen\n1,ava,03/04/2025\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fans.csv"
    path.write_text(GOOD)
    return path


def test_every_row_is_in_and_the_exit_code_is_0(creator: Creator, file: Path) -> None:
    said = run("import_fans", file, "--creator", "ava")

    assert (said.code, said.err) == (0, "")
    assert "Done: 2 of 2 rows of Fans" in said.out
    assert "2 created, 0 updated, 0 unchanged, 0 left out." in said.out
    assert creator.fans.count() == 2


def test_the_same_file_again_changes_nothing(creator: Creator, file: Path) -> None:
    run("import_fans", file, "--creator", "Ava")

    again = run("import_fans", file, "--creator", creator.public_id, "--json")

    assert again.code == 0
    assert (again.json["successfulInserts"], again.json["updated"], again.json["unchanged"]) == (0, 0, 2)


def test_rows_that_were_left_out_are_exit_code_3_named_and_written_to_a_file(
    creator: Creator, file: Path, tmp_path: Path
) -> None:
    file.write_text(ONE_BAD)

    said = run("import_fans", file, "--creator", "Ava", "--errors", tmp_path / "errors.csv")

    assert said.code == 3
    assert "row 4 (line 4) Fan ID:" in said.out
    assert creator.fans.count() == 2
    header, row = (tmp_path / "errors.csv").read_text("utf-8-sig").splitlines()
    assert header.startswith("Fan ID,Username,Total Spent")
    assert row.startswith("3e5,cy,3.00")


def test_what_a_file_says_is_nothing_to_a_terminal(creator: Creator, file: Path) -> None:
    file.write_text("Username,Display Name\nava,\x1b[2JAva\n")

    said = run("import_fans", file, "--creator", "Ava")

    assert "\x1b" not in said.out
    assert "There is a control character in it. \ufffd[2JAva" in said.out


def test_a_row_that_is_bad_as_a_whole_names_no_column(creator: Creator, file: Path) -> None:
    file.write_text("Username,Display Name\nava\nbo,Bo\n")

    said = run("import_fans", file, "--creator", "Ava")

    assert "  row 2 (line 2): The row has 1 cells and the header has 2 columns. ava" in said.out


def test_json_is_one_object_with_every_count_and_problem(creator: Creator, file: Path) -> None:
    file.write_text(ONE_BAD)

    said = run("import_fans", file, "--creator", "Ava", "--json")

    assert (said.code, said.err) == (3, "")
    [problem] = said.json.pop("errors")
    assert said.json | {"importId": ""} == {
        "importId": "",
        "state": "done",
        "kind": "fans",
        "totalRows": 3,
        "successfulInserts": 2,
        "updated": 0,
        "unchanged": 0,
        "skipped": 1,
        "errors": [problem],
    }
    assert (problem["row"], problem["column"], problem["value"]) == (4, "Fan ID", "3e5")
    assert Import.objects.get(public_id=said.json["importId"]).created_by is None


def test_a_dry_run_says_what_would_happen_and_writes_nothing(creator: Creator, file: Path) -> None:
    said = run("import_fans", file, "--creator", "Ava", "--dry-run", "--json")

    assert said.code == 0
    assert (said.json["state"], said.json["successfulInserts"]) == ("checked", 2)
    assert not creator.fans.exists()


def test_what_the_file_leaves_open_is_asked_by_the_name_of_its_flag(creator: Creator, file: Path) -> None:
    file.write_text(ASKS)

    asked = run("import_fans", file, "--creator", "Ava")

    assert asked.code == 1
    assert "Nothing was imported" in asked.err
    assert "--date-order:" in asked.err
    assert not Import.objects.exists()
    assert run("import_fans", file, "--creator", "Ava", "--date-order", "dmy").code == 0
    assert creator.fans.get().last_seen_at == datetime(2025, 4, 3, tzinfo=UTC)


def test_a_column_is_named_by_hand(creator: Creator, file: Path) -> None:
    file.write_text("Nick;Id;Junk\nava;1;x\n")

    said = run(
        "import_fans", file, "--creator", "Ava", "--map", "Nick=handle", "--map", "Id=platform_id", "--map=Junk="
    )

    assert said.code == 0
    assert list(creator.fans.values_list("handle", "platform_id")) == [("ava", "1")]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--creator", "nobody"], 2, "There is no creator called “nobody”; use the id. There are: Ava."),
        (["--creator", "Ava", "--map", "Nick"], 2, "--map Nick: write HEADER=FIELD."),
        (["--creator", "Ava", "--map", "Username=shoe_size"], 1, "Nothing was imported."),
        (["--creator", "Ava", "--encoding", "ebcdic"], 1, "Nothing was imported. One of: "),
        (["--creator", "Ava", "--errors", "/nowhere/errors.csv"], 1, "/nowhere/errors.csv: No such file or directory"),
        (["--creator", "Ava", "--kind", "shoes"], 2, "argument --kind: invalid choice: 'shoes'"),
    ],
)
def test_a_wrong_argument_is_named_and_nothing_is_imported(
    creator: Creator, file: Path, arguments: list[str], code: int, words: str
) -> None:
    said = run("import_fans", file, *arguments)

    assert said.code == code
    assert words in said.err
    assert not creator.fans.exists()


def test_two_creators_of_one_name_are_told_apart_by_id(creator: Creator, file: Path) -> None:
    make_creator(name="Ava")

    assert "more than one creator" in run("import_fans", file, "--creator", "Ava").err
    assert run("import_fans", file, "--creator", creator.public_id).code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory"),
        (b"", "empty"),
        (b"PK\x03\x04zip", "not a CSV file"),
        (b"Colour,Size\nred,9\n", "Colour"),
        (b"Coul\xc3\xa9e\xff,Size\nred,9\n", "Coulée\ufffd"),
    ],
    ids=["missing", "empty", "a zip", "no column of ours", "a header that is no text"],
)
def test_what_is_no_list_of_fans_is_refused_with_the_reason(
    creator: Creator, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "file.csv"
    if content is not None:
        path.write_bytes(content)

    said = run("import_fans", path, "--creator", "Ava")

    assert said.code == 1
    assert words in said.err
    assert not Import.objects.exists()


def test_a_pipe_is_refused_because_the_file_is_read_several_times(creator: Creator) -> None:
    said = run("import_fans", "/dev/null", "--creator", "Ava")

    assert said.code == 1
    assert "/dev/null: not a file." in said.err


def test_ctrl_c_ends_it_between_two_chunks_and_the_same_command_goes_on(
    creator: Creator, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text("Fan ID,Username\n" + "".join(f"{number},fan{number}\n" for number in range(1, 41)))
    monkeypatch.setitem(running.CHUNK_ROWS, Kind.FANS, 1)
    write = fans.write

    def write_and_press(*arguments: Any, **options: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return write(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(fans, "write", write_and_press)
        stopped = run("import_fans", file, "--creator", "Ava")

    assert stopped.code == 130
    assert "The same command goes on from here." in stopped.out
    assert 0 < creator.fans.count() < 40
    assert run("import_fans", file, "--creator", "Ava").code == 0
    assert creator.fans.count() == 40


def test_a_file_that_another_process_imports_is_left_to_it(
    creator: Creator, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fans, "write", _killed)
        with pytest.raises(KeyboardInterrupt):
            run("import_fans", file, "--creator", "Ava")

    said = run("import_fans", file, "--creator", "Ava")

    assert said.code == 1
    assert "Somebody else is importing this very file." in said.err
    assert Import.objects.get().state == ImportState.RUNNING
    assert not creator.fans.exists()


def _killed(*_arguments: object, **_options: object) -> None:
    raise KeyboardInterrupt
