"""Segments as a browser without JavaScript builds them."""

from typing import Any

import pytest
from django.test import Client

from crm.forms.rules import Builder
from crm.models import Creator, Membership, Segment, Tag
from crm.segments import READY_MADE, Rule
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_segment, make_user
from crm.wording import rule_in_words

pytestmark = pytest.mark.django_db


@pytest.fixture
def creator() -> Creator:
    creator = make_creator(make_user("owner"))
    make_fan(creator, name="Whale", value_cents=90_000)
    make_conversation(fan=make_fan(creator, name="Newbie"), unread_count=1)
    return creator


FORM = {"name": "Mine", "how-r": "all", "name-r.0": "valueMin", "was-r.0": "valueMin", "value-r.0": "500"}


def posted(client: Client, address: str = "/segments/new", form: dict[str, str] | None = None, **said: Any) -> str:
    status = said.pop("status", 200)
    answer = client.post(address, FORM | (form or {}) | said)
    assert answer.status_code == status, answer.content.decode()[-3000:]
    return answer.content.decode()


def test_rules_are_nested_button_by_button_and_saved(owner: Client, creator: Creator) -> None:
    page = posted(owner, do="nest:r")
    assert 'name="how-r.1"' in page
    form = {"how-r": "any", "how-r.1": "none", "name-r.1.0": "unread", "value-r.1.0": "true"}
    page = posted(owner, form=form, do="add:r.1")
    assert 'name="name-r.1.1"' in page
    page = posted(owner, form=form | {"name-r.1.1": "blocked", "value-r.1.1": "true"}, do="remove:r.1.1")
    assert 'name="name-r.1.1"' not in page
    assert "1 fan" in page
    assert "Whale" in page

    posted(owner, form=form, do="save", status=303)

    segment = Segment.objects.get()
    assert segment.rule == {"any": [{"valueMin": 50_000}, {"not": {"any": [{"unread": True}]}}]}
    page = owner.get(f"/segments/{segment.public_id}").content.decode()
    assert 'value="500"' in page
    assert 'name="name-r.1.0"' in page


def test_another_condition_keeps_the_value_only_if_it_can_read_it(owner: Client) -> None:
    assert 'value="500"' in posted(owner, form={"name-r.0": "silentForDays"}, do="preview")

    page = posted(owner, form={"name-r.0": "lastSeenAfter"}, do="preview")

    assert 'value="500"' not in page
    assert "Say a value" in page
    assert "Complete the conditions" in page


def test_a_wrong_value_is_said_at_its_row_and_nothing_is_saved(owner: Client) -> None:
    page = posted(owner, form={"value-r.0": "lots"}, do="save", status=400)

    assert "Write an amount" in page
    assert 'value="lots"' in page
    assert not Segment.objects.exists()


def test_a_name_that_is_taken_is_said(owner: Client, creator: Creator) -> None:
    make_segment(creator, name="mine")

    assert "This name is taken" in posted(owner, do="save", status=400)


def test_a_segment_is_changed_and_deleted(owner: Client, creator: Creator) -> None:
    segment = make_segment(creator, rule={"unread": True})
    address = f"/segments/{segment.public_id}"

    posted(owner, address, do="save", status=303)
    segment.refresh_from_db()
    assert (segment.name, segment.rule) == ("Mine", {"valueMin": 50_000})

    posted(owner, address, do="delete", status=303)
    assert not Segment.objects.exists()


def test_everything_that_was_ready_made_can_be_copied_as_it_is(owner: Client, creator: Creator) -> None:
    listed = owner.get("/segments").content.decode()
    for each in READY_MADE:
        assert f"/segments/new?segment=ready:{each.key}" in listed

    page = owner.get("/segments/new?segment=ready:spent-500").content.decode()

    assert "Spent 500 or more" in page
    assert "Whale" in page
    assert "Newbie" not in page


DEEP = {"any": [{"unread": True}, {"all": [{"any": [{"all": [{"tag": "x"}, {"blocked": True}]}, {"failed": False}]}]}]}
RULES = [each.rule for each in READY_MADE] + [
    {},
    DEEP,
    {"valueMin": 1, "not": {"any": [{"unread": True}, {"lastSeenAfter": "2026-05-01T12:00:00+00:00"}]}},
    {"not": {"all": [{"unread": True}, {"subscription": "unknown"}]}},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_the_builder_means_what_the_rule_meant(creator: Creator, rule: Rule) -> None:
    Tag.objects.add(creator, name="x")

    built = Builder.of_rule(rule, creator).rule()

    assert built is not None
    again = Builder.of_rule(built, creator).rule()
    assert again == built
    assert rule_in_words(built, creator=creator) == rule_in_words(rule, creator=creator)


def test_a_filter_of_the_list_becomes_a_segment(owner: Client) -> None:
    page = owner.get("/segments/new?valueMin=50000&unread=true").content.decode()

    assert 'value="500"' in page
    assert "0 fans" in page


def test_a_chatter_looks_at_segments_and_changes_none(client: Client, creator: Creator) -> None:
    chatter = make_user("chatter")
    make_membership(chatter, creator, role=Membership.Role.CHATTER)
    client.force_login(chatter)
    segment = make_segment(creator, rule={"valueMin": 100})

    page = client.get(f"/segments/{segment.public_id}").content.decode()

    assert "spent $1 or more" in page
    assert 'value="save"' not in page


def test_the_list_counts_a_segment_when_asked(owner: Client, creator: Creator) -> None:
    segment = make_segment(creator, rule={"valueMin": 100})

    assert "1 fan" in owner.get(f"/segments/count?segment={segment.public_id}").content.decode()
    assert owner.get("/segments/count?segment=nonsense").status_code == 404


@pytest.mark.parametrize(("cents", "typed"), [(900_000, "9000"), (10_050, "100.5"), (5, "0.05")])
def test_an_amount_is_shown_as_it_is_typed(owner: Client, creator: Creator, cents: int, typed: str) -> None:
    segment = make_segment(creator, rule={"valueMin": cents})

    page = owner.get(f"/segments/{segment.public_id}").content.decode()

    assert f'value="{typed}"' in page
    posted(owner, f"/segments/{segment.public_id}", {"value-r.0": typed}, do="save", status=303)
    segment.refresh_from_db()
    assert segment.rule == {"valueMin": cents}
