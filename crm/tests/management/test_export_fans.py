"""A creator's fans and payments leave by a command, to a file or into a pipe."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crm.exporting import export
from crm.management.commands import export_fans
from crm.models import Creator, ImportKind
from crm.tests.factories import make_creator, make_fan
from crm.tests.management.operator import run


def test_without_a_file_the_fans_go_to_the_standard_output(creator: Creator) -> None:
    make_fan(creator, name="Léa")

    said = run("export_fans", "--creator", "Ava")

    assert (said.code, said.err) == (0, "")
    assert said.out == "".join(export(creator, ImportKind.FANS))
    assert "Léa" in said.out


def test_to_a_file_it_says_how_many_and_the_file_imports_back_unchanged(creator: Creator, tmp_path: Path) -> None:
    for _number in range(3):
        make_fan(creator)

    said = run("export_fans", "--creator", "Ava", "--out", tmp_path / "fans.csv", "--json")

    assert said.code == 0
    assert said.json == {"file": str(tmp_path / "fans.csv"), "kind": "fans", "rows": 3}
    back = run("import_fans", tmp_path / "fans.csv", "--creator", "Ava", "--json")
    assert (back.code, back.json["unchanged"]) == (0, 3)
    other = make_creator(name="Bo")
    assert run("import_fans", tmp_path / "fans.csv", "--creator", "Bo").code == 0
    assert other.fans.count() == 3


def test_payments_are_a_kind_of_their_own(creator: Creator) -> None:
    said = run("export_fans", "--creator", "Ava", "--kind", "transactions")

    assert said.code == 0
    assert "Fan Platform ID" in said.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--creator", "nobody"], 2, "There is no creator called “nobody”"),
        (["--creator", "Ava", "--out", "/nowhere/fans.csv"], 1, "/nowhere/fans.csv: No such file or directory"),
        (["--creator", "Ava", "--kind", "shoes"], 2, "invalid choice: 'shoes'"),
        (["--creator", "Ava", "--json"], 2, "without --out there is only the CSV"),
    ],
)
def test_a_wrong_argument_is_named(creator: Creator, arguments: list[str], code: int, words: str) -> None:
    said = run("export_fans", *arguments)

    assert said.code == code
    assert words in said.err
    assert said.out == ""


def test_a_file_that_was_interrupted_is_taken_for_nothing(
    creator: Creator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tmp_path / "fans.csv"
    before.write_text("as it was")

    def interrupted(*_arguments: object) -> Iterator[str]:
        yield "Platform ID\n"
        raise KeyboardInterrupt

    monkeypatch.setattr(export_fans, "export", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run("export_fans", "--creator", "Ava", "--out", before)

    assert [path.read_text() for path in tmp_path.iterdir()] == ["as it was"]
