"""Media goes to the simulated platform before its message does."""

import pytest
from pytest_django import Settings

from crm.clock import database_now
from crm.models import Attachment, Conversation, Dispatch, Line, Message
from crm.models.messages import Status
from onlyfans import delivery, handing_over, media
from onlyfans.tests.conftest import Basket, RunningSimulator

pytestmark = pytest.mark.django_db

URLS = ["https://media.example/1.jpg", "https://media.example/2.mp4"]


@pytest.fixture
def message(conversation: Conversation) -> Message:
    return conversation.queue(text="Look", author=None, price_cents=500, media_urls=URLS)


def upload_all(basket: Basket) -> None:
    """Piece by piece: a creator's uploads go one after the other."""
    while media.hand_over(basket.carry):
        basket.work(media.upload)


def test_a_paid_message_goes_out_with_the_platforms_own_media_ids(
    message: Message, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    handing_over.hand_over(basket.carry)
    assert basket.ids == [], "it waits for its media"

    upload_all(basket)
    handing_over.hand_over(basket.carry)
    basket.work(delivery.deliver)

    message.refresh_from_db()
    assert message.status == Status.SENT
    (accepted,) = simulator.ledger(account)
    assert accepted["price"] == 500
    assert accepted["media"] == [attachment.provider_media_id for attachment in message.attachments.all()]


def test_each_piece_is_handed_over_once(message: Message, basket: Basket) -> None:
    assert [media.hand_over(basket.carry) for _turn in range(2)] == [1, 0]
    Line.objects.end_errand(message.creator_id)
    assert [media.hand_over(basket.carry) for _turn in range(2)] == [1, 0]

    assert set(basket.ids) == {attachment.public_id for attachment in message.attachments.all()}


def test_a_second_copy_from_sqs_uploads_nothing(message: Message, basket: Basket) -> None:
    upload_all(basket)
    first = list(Attachment.objects.values_list("provider_media_id", flat=True))

    basket.ids = [attachment.public_id for attachment in message.attachments.all()]
    basket.work(media.upload)

    assert list(Attachment.objects.values_list("provider_media_id", flat=True)) == first


def test_nothing_fails_for_a_platform_out_of_reach(message: Message, basket: Basket, settings: Settings) -> None:
    settings.OFAPI_BASE_URL = "http://127.0.0.1:1/api"

    for _attempt in range(media.ATTEMPTS_MAX + 1):
        Attachment.objects.update(upload_at=database_now())
        upload_all(basket)

    message.refresh_from_db()
    assert message.status == Status.QUEUED
    assert set(Attachment.objects.values_list("attempts", flat=True)) == {0}


def test_a_platform_in_trouble_is_tried_again_later_and_in_the_end_the_message_fails(
    message: Message, basket: Basket, simulator: RunningSimulator, account: str
) -> None:
    simulator.fault("error_before", on="upload", times=None, account=account)

    for attempt in range(1, media.ATTEMPTS_MAX + 1):
        message.refresh_from_db()
        assert message.status == Status.QUEUED, attempt
        Attachment.objects.update(upload_at=database_now())
        upload_all(basket)

    message.refresh_from_db()
    assert (message.status, message.cause_code) == (Status.FAILED, "media_not_uploaded")


@pytest.mark.parametrize("stop", ["pause", "kill switch"])
def test_nothing_is_uploaded_after_a_stop(stop: str, message: Message, basket: Basket) -> None:
    media.hand_over(basket.carry)
    if stop == "pause":
        Line.objects.get().pause(reason="holiday", now=database_now())
    else:
        Dispatch.stop_sending(reason="fire", now=database_now())

    basket.work(media.upload)

    assert set(Attachment.objects.values_list("provider_media_id", flat=True)) == {""}
    Attachment.objects.update(upload_at=database_now())
    assert media.hand_over(basket.carry) == 0
