"""An operator asks how campaigns stand."""

import pytest

from crm import campaigning
from crm.models import Campaign, Creator
from crm.models.campaigns import CampaignStatus
from crm.tests.factories import make_fan, make_user
from crm.tests.management.operator import run

pytestmark = pytest.mark.django_db


def test_a_campaign_under_way_is_shown_with_its_recipients_by_state(creator: Creator) -> None:
    fans = [make_fan(creator) for _number in range(3)]
    campaign = campaigning.send_to(creator, fans, author=make_user(), name="Sunday", text="Hello!")

    said = run("campaign_status", "--json")

    [facts] = said.json["campaigns"]
    assert said.code == 0
    assert (facts["campaignId"], facts["status"]) == (str(campaign.public_id), "running")
    assert sum(facts["counts"].values()) == facts["totalRecipients"] == 3
    assert str(campaign.public_id) in run("campaign_status", "--creator", "Ava").out


def test_one_that_waits_for_a_person_is_the_exit_code(creator: Creator) -> None:
    campaign = campaigning.send_to(creator, [make_fan(creator)], author=make_user(), name="Sunday", text="Hello!")
    late = Campaign.objects.filter(pk=campaign.pk)
    late.update(status=CampaignStatus.NEEDS_REVIEW, reason="Half an hour late.")

    said = run("campaign_status")

    assert said.code == 1
    assert "Half an hour late." in said.out


def test_drafts_are_shown_when_they_are_asked_for(creator: Creator) -> None:
    campaign = campaigning.draft(creator, author=None, name="Sunday", text="Hello!")

    assert run("campaign_status").out == "No campaign is under way.\n"
    assert "Sunday" in run("campaign_status", "--all").out
    assert "Sunday" in run("campaign_status", campaign.public_id).out


def test_an_id_of_no_campaign_is_named(creator: Creator) -> None:
    said = run("campaign_status", "6a2f9c1e-8f0e-4a53-9a7f-5b8a53b0f6f4")

    assert (said.code, said.out) == (2, "")
    assert "There is no such campaign: 6a2f9c1e" in said.err


def test_an_unknown_creator_is_named(creator: Creator) -> None:
    said = run("campaign_status", "--creator", "Bo")

    assert (said.code, said.out) == (2, "")
    assert "There is no creator called “Bo”" in said.err
