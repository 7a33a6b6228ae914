"""Fault points are for the tests' own settings and for nobody else."""

import pytest
from pytest_django import Settings

from onlyfans.checks import nothing_dies_on_purpose
from onlyfans.faultpoints import reached
from onlyfans.tests.test_checks import in_production


def test_whoever_the_settings_name_is_told(settings: Settings) -> None:
    seen: list[str] = []
    settings.ON_FAULT_POINT = seen.append

    reached("sending")

    assert seen == ["sending"]


def test_settings_that_have_them_are_refused(settings: Settings) -> None:
    settings.ON_FAULT_POINT = print

    (error,) = nothing_dies_on_purpose()

    assert error.id == "onlyfans.E004"
    assert error.is_serious()


@pytest.mark.parametrize("value", ["os.abort", "1", "tests.faults.points.reached"])
def test_no_variable_switches_them_on_in_production(value: str) -> None:
    program = (
        "import django; django.setup(); from onlyfans import faultpoints; faultpoints.reached('sending'); print('on')"
    )

    done = in_production("-c", program, ON_FAULT_POINT=value, FAULT_POINTS=value, FAULTS_FOLDER="/tmp")

    assert (done.returncode, done.stdout) == (0, "on\n"), done.stderr
