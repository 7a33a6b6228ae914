"""Every command of ours: what its help says, that it answers a program, and how it ends when it may not end well."""

import os
import shlex
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings
from django.core.management import get_commands, load_command_class
from pytest_django import Settings

from crm.management.operating import ExplainedCommand, OperatorCommand
from crm.tests.factories import make_creator, make_user
from crm.tests.management.operator import run

#: What is typed to be answered in JSON, and the exit code, where there is one creator, nothing to do, and no servers.
ANSWERS = {
    "campaign_status": ("", 0),
    "check_connectivity": ("", 1),
    "check_figures": ("", 0),
    "create_creator": ("Bo --owner mia", 0),
    "erase_creator": ("Ava", 0),
    "export_fans": ("--creator Ava --out {folder}/fans.csv", 0),
    "grant_access": ("mia Ava", 0),
    "import_fans": ("{folder}/some.csv --creator Ava", 0),
    "list_failed": ("", 0),
    "pause_creator": ("Ava", 0),
    "queue_status": ("", 1),
    "reconcile_unknown": ("", 0),
    "redrive_dlq": ("", 1),
    "resume_creator": ("Ava", 1),
    "resume_sending": ("", 0),
    "retry_failed": ("--all", 1),
    "seed_demo": ("--scale 10", 0),
    "stop_sending": ("", 0),
    "sync_onlyfans": ("", 0),
}
#: These go on until they are told to stop, and answer nobody.
PROCESSES = ("dispatch", "run_imports", "simulate_platform")
TELLS_CREATORS_APART = {
    "campaign_status": "--creator Bo",
    "check_connectivity": "--creator Bo",
    "check_figures": "--creator Bo",
    "erase_creator": "Bo --yes",
    "export_fans": "--creator Bo",
    "grant_access": "mia Bo",
    "import_fans": "some.csv --creator Bo",
    "list_failed": "--creator Bo",
    "pause_creator": "Bo",
    "reconcile_unknown": "--creator Bo",
    "resume_creator": "Bo",
    "retry_failed": "--creator Bo",
    "sync_onlyfans": "--creator Bo",
}


def command_of(name: str) -> Any:
    return load_command_class(get_commands()[name], name)


def test_none_is_forgotten_here() -> None:
    ours = {name for name, app in get_commands().items() if app in ("crm", "onlyfans", "huntaze")}

    assert ours == {*ANSWERS, *PROCESSES}


@pytest.mark.parametrize("name", [*ANSWERS, *PROCESSES])
def test_its_help_says_what_it_is_for_with_examples_that_can_be_typed_and_its_exit_codes(name: str) -> None:
    command = command_of(name)
    parser = command.create_parser("manage.py", name)
    said = parser.format_help()

    assert isinstance(command, ExplainedCommand)
    assert len(command.help) > 40
    assert f"Exit code 0; 1 when {command.fails_when}" in " ".join(said.split())
    assert isinstance(command, OperatorCommand) == ("--json" in said) == (name in ANSWERS)
    assert command.examples
    for example in command.examples:
        assert f"  python manage.py {name} {example}".rstrip() in said.splitlines()
        parser.parse_args(shlex.split(example.partition("|")[0]))
    # Each choice says what it is for.
    assert [action.dest for action in parser._actions if not (action.help or action.choices)] == []


@pytest.mark.django_db
@pytest.mark.parametrize("name", ANSWERS)
def test_it_answers_a_program_with_one_object_and_nothing_else(name: str, tmp_path: Any, settings: Settings) -> None:
    settings.DEBUG = True
    settings.SQS_RATE_LIMITER_QUEUE_URL, settings.REDIS_ENDPOINT = "", "127.0.0.1:1"
    make_creator(make_user("ava"), name="Ava")
    (tmp_path / "some.csv").write_text("Fan ID,Username\n1,ava\n")
    typed, code = ANSWERS[name]

    said = run(name, *shlex.split(typed.format(folder=tmp_path)), "--json")

    assert isinstance(said.json, dict)
    assert (said.code, said.err) == (code, "")


@pytest.mark.django_db
@pytest.mark.parametrize("name", TELLS_CREATORS_APART)
def test_a_creator_whom_nobody_knows_is_named_with_those_whom_somebody_knows(name: str) -> None:
    make_creator(name="Ava")

    said = run(name, *shlex.split(TELLS_CREATORS_APART[name]))

    assert (said.code, said.out) == (2, "")
    assert "There is no creator called “Bo”; use the id. There are: Ava." in said.err


# --- In a terminal of its own


TALKS = """
import django; django.setup()
from crm.management.operating import ExplainedCommand
class Talks(ExplainedCommand):
    def handle(self, *arguments, **options):
        self.stdout.write("a line")
Talks().run_from_argv(["manage.py", "talks"])
"""


def typed(*arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """As an operator types it. The database that the process is given is not there."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "huntaze.settings", "DATABASE_URL": "sqlite:////no/where"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=settings.BASE_DIR,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
        **options,
    )


def test_without_a_database_it_says_so_in_one_line() -> None:
    said = typed("manage.py", "list_failed", stdout=subprocess.PIPE)

    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr.startswith("The database cannot be used")
    assert "unable to open database file" in said.stderr
    assert "Traceback" not in said.stderr


def test_whoever_reads_may_stop_reading() -> None:
    reads, writes = os.pipe()
    os.close(reads)

    said = typed("-c", TALKS, stdout=writes)
    os.close(writes)

    assert (said.returncode, said.stderr) == (141, "")


def test_ctrl_c_ends_it_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Endless(ExplainedCommand):
        def handle(self, *_arguments: Any, **_options: Any) -> None:
            raise KeyboardInterrupt

    with pytest.raises(SystemExit) as ended:
        Endless().run_from_argv(["manage.py", "endless"])

    assert ended.value.code == 130
    assert capsys.readouterr().err == "Interrupted.\n"
