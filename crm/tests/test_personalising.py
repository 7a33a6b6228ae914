"""Variables become what each fan is called."""

import pytest
from django.core.exceptions import ValidationError

from crm.models import Fan
from crm.personalising import check, fill_in, render


@pytest.mark.parametrize(
    ("text", "fan", "read"),
    [
        ("Hello {name|there}!", Fan(name="Mia Reed"), "Hello Mia Reed!"),
        ("Hello {first_name|there}!", Fan(name="Mia Reed"), "Hello Mia!"),
        ("Hello {name|there}!", Fan(name=""), "Hello there!"),
        ("Hello {name|there}!", Fan(name="u48213377"), "Hello there!"),
        ("@{handle|you}", Fan(name="Mia", handle="mia_r"), "@mia_r"),
        ("{ name | dear }", Fan(name=""), "dear"),
        ("{name|a} and {name|b}", Fan(name="{handle|x}", handle="h"), "{handle|x} and {handle|x}"),
        ("a } brace { and {} and {1}", Fan(name="Mia"), "a } brace { and {} and {1}"),
    ],
)
def test_a_text_is_filled_in_for_one_fan(text: str, fan: Fan, read: str) -> None:
    assert fill_in(text, fan) == read


def test_a_text_that_the_name_makes_too_long_is_refused_with_both_lengths() -> None:
    with pytest.raises(ValidationError, match="At most 5,000 characters; with this fan's names it is 5,001"):
        render("x" * 4_990 + "{name|}", Fan(name="Anna Bellle"))


@pytest.mark.parametrize("text", ["Hello!", "Hello {name|there}", "{first_name|love} {handle|you}", "a { b c } d {}"])
def test_a_text_with_known_variables_is_fine(text: str) -> None:
    check(text)


@pytest.mark.parametrize(("text", "named"), [("Hi {nmae|there}", "nmae"), ("{tier|x} {price|y}", "price, tier")])
def test_an_unknown_variable_is_refused_by_name(text: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        check(text)


@pytest.mark.parametrize("text", ["Hi {name}", "Hi {name|}", "Hi {name| }"])
def test_a_variable_needs_something_to_stand_in_for_it(text: str) -> None:
    with pytest.raises(ValidationError, match="there"):
        check(text)
