"""A campaign through the real gate and the real gateway; the platform's own ledger says what it accepted."""

import time
from datetime import timedelta
from typing import Any

import pytest

from crm import campaigning
from crm.clock import database_now
from crm.models import Campaign, Creator, Dispatch, Line, Message, Tally
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan
from onlyfans import delivery, handing_over, media
from onlyfans.dispatching import DispatchLoop
from onlyfans.tests.conftest import Basket, RunningSimulator

pytestmark = pytest.mark.django_db

BEACH = "https://media.example/beach.jpg"


def launch(creator: Creator, *, recipients: int = 3, **written: Any) -> Campaign:
    fans = [str(make_fan(creator, name=f"Fan {number}").public_id) for number in range(recipients)]
    campaign = campaigning.draft(
        creator, author=None, **({"name": "News", "text": "Hello {name|you}", "audience": {"fans": fans}} | written)
    )
    campaigning.launch(campaign)
    return campaign


def send(basket: Basket, creator: Creator) -> None:
    """One turn without its pauses: the pace is another test's."""
    Line.objects.filter(creator=creator).update(hold_until=None)
    handing_over.hand_over(basket.carry)
    basket.work(delivery.deliver)


def send_everything(basket: Basket, campaign: Campaign) -> None:
    Creator.objects.filter(pk=campaign.creator_id).update(pace="1000/1")
    deadline = time.monotonic() + 20
    while Message.objects.filter(status__in=(Status.QUEUED, Status.HANDED_OVER, Status.SENDING)).exists():
        assert time.monotonic() < deadline
        send(basket, campaign.creator)


def test_every_recipient_gets_it_once_in_their_own_words(
    creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    campaign = launch(creator)

    send_everything(basket, campaign)
    campaigning.serve()

    assert sorted(entry["text"] for entry in simulator.ledger(account)) == ["Hello Fan 0", "Hello Fan 1", "Hello Fan 2"]
    assert len({entry["chat"] for entry in simulator.ledger(account)}) == 3
    assert Tally.objects.of(campaign.pk) == {"sent": 3}
    assert Campaign.objects.get().status == "completed"


def test_its_media_is_uploaded_once_to_where_it_can_be_used_again(
    creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    simulator.set(media_once=True)
    campaign = launch(creator, media_urls=[BEACH], price_cents=500)

    media.hand_over(basket.carry)
    basket.work(media.upload)
    campaigning.serve()
    send_everything(basket, campaign)

    [own] = campaign.attachments.all()
    assert [entry["media"] for entry in simulator.ledger(account)] == [[own.provider_media_id]] * 3
    assert Tally.objects.of(campaign.pk) == {"sent": 3}


def test_a_stop_between_hand_over_and_call_keeps_it_from_going(
    creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    campaign = launch(creator)
    handing_over.hand_over(basket.carry)
    assert basket.ids

    campaigning.pause(campaign, reason="Wrong picture")
    basket.work(delivery.deliver)

    assert simulator.ledger(account) == []
    assert Tally.objects.of(campaign.pk) == {"queued": 3}
    campaigning.resume(campaign)
    send(basket, creator)
    assert len(simulator.ledger(account)) == 1


def test_cancelled_between_hand_over_and_call_it_never_goes(
    creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    campaign = launch(creator)
    handing_over.hand_over(basket.carry)

    campaigning.cancel(campaign)
    basket.work(delivery.deliver)
    send(basket, creator)

    assert simulator.ledger(account) == []
    assert Tally.objects.of(campaign.pk) == {"cancelled": 3}


def test_a_reply_goes_before_everything_that_waits_of_it(
    creator: Creator, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    launch(creator)
    make_conversation(creator).queue(text="An answer", author=None)

    send(basket, creator)

    assert [entry["text"] for entry in simulator.ledger(account)] == ["An answer"]


def test_a_paused_one_lets_its_line_sleep(creator: Creator, basket: Basket) -> None:
    campaign = launch(creator)
    campaigning.pause(campaign, reason="x")

    handing_over.hand_over(basket.carry)

    assert Line.objects.get(creator=creator).wake_at is None
    campaigning.resume(campaign)
    assert Line.objects.get(creator=creator).wake_at is not None


def test_media_the_platform_refuses_stops_the_campaign_with_the_reason(creator: Creator, basket: Basket) -> None:
    campaign = launch(creator, media_urls=["https://media.example/" + "x" * 1900])
    campaign.attachments.update(url="ftp://media.example/nothing")

    media.hand_over(basket.carry)
    basket.work(media.upload)

    campaign.refresh_from_db()
    assert campaign.status == "paused"
    assert "media could not be uploaded" in campaign.reason
    assert not Message.objects.exists()


def test_dispatch_starts_what_is_scheduled(creator: Creator) -> None:
    campaign = launch(creator, scheduled_at=database_now() + timedelta(hours=1))
    Campaign.objects.filter(pk=campaign.pk).update(scheduled_at=database_now())
    Dispatch.stop_sending(reason="a test needs no queue", now=database_now())

    DispatchLoop().turn()

    assert Campaign.objects.get().status == "running"
    assert Tally.objects.of(campaign.pk) == {"queued": 3}
