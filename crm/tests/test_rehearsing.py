"""A campaign's message, sent to a few fans before anybody else gets it."""

from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError

from crm import campaigning
from crm.clock import database_now
from crm.models import Campaign, Creator, Fan, Message
from crm.rehearsing import FANS_MAX, rehearse
from crm.tests.factories import make_creator, make_fan, make_user

pytestmark = pytest.mark.django_db

BEACH = "https://files.example.test/beach.jpg"


@pytest.fixture
def creator() -> Creator:
    return make_creator()


@pytest.fixture
def mia(creator: Creator) -> Fan:
    return make_fan(creator, name="Mia Long")


@pytest.fixture
def campaign(creator: Creator, mia: Fan) -> Campaign:
    return campaigning.draft(
        creator,
        author=None,
        name="News",
        text="Hi {first_name|you}",
        price_cents=500,
        media_urls=[BEACH],
        audience={"fans": [str(mia.public_id)]},
    )


def test_the_fan_gets_what_they_would_get_marked_as_a_test(campaign: Campaign, mia: Fan) -> None:
    author = make_user()

    [sent] = rehearse(campaign, [mia], author=author)

    assert (sent.text, sent.price_cents, sent.author) == ("TEST · Hi Mia", 500, author)
    assert [attachment.url for attachment in sent.attachments.all()] == [BEACH]
    assert sent.priority == Message.PRIORITY_MAX


def test_it_counts_for_nothing_and_its_fan_still_gets_the_campaign(campaign: Campaign, mia: Fan) -> None:
    rehearse(campaign, [mia], author=None)

    campaigning.launch(campaign)

    assert not campaign.messages.filter(text__startswith="TEST").exists()
    assert {tally.state: tally.number for tally in campaign.tallies.all() if tally.number} == {"waiting": 1}


def test_the_same_key_sends_once(campaign: Campaign, mia: Fan) -> None:
    key = uuid4()

    first, second = (rehearse(campaign, [mia], author=None, key=key) for _click in range(2))

    assert first == second
    assert Message.objects.count() == 1


def test_all_of_them_get_it_or_nobody(campaign: Campaign, creator: Creator, mia: Fan) -> None:
    lost, blocked = make_fan(creator, platform_id="", name="Lost"), make_fan(creator, blocked_at=database_now())

    for wrong in (lost, blocked):
        with pytest.raises(ValidationError) as refused:
            rehearse(campaign, [mia, wrong], author=None)

        assert wrong.display_name in refused.value.message_dict["fans"][0]
    assert not Message.objects.exists()


@pytest.mark.parametrize("how_many", [0, FANS_MAX + 1])
def test_a_test_goes_to_a_few(campaign: Campaign, creator: Creator, how_many: int) -> None:
    with pytest.raises(ValidationError, match=str(FANS_MAX)):
        rehearse(campaign, [make_fan(creator) for _ in range(how_many)], author=None)


def test_a_text_too_long_with_the_mark_is_refused(campaign: Campaign, mia: Fan) -> None:
    campaigning.change(campaign, text="x" * Message.TEXT_MAX)

    with pytest.raises(ValidationError) as refused:
        rehearse(campaign, [mia], author=None)

    assert "text" in refused.value.message_dict
