"""Stored webhook events on their way to whoever reads them."""

import pytest

from crm.clock import database_now
from crm.models import Creator
from onlyfans import events
from onlyfans.models import WebhookEvent
from onlyfans.tests.conftest import Basket

pytestmark = pytest.mark.django_db


def store(creator: Creator, kind: str = "users.typing", **payload: object) -> WebhookEvent:
    return WebhookEvent.objects.create(
        connection=creator.connection,
        event_key=f"evt_{WebhookEvent.objects.count()}",
        kind=kind,
        payload={"event": kind, "payload": payload},
        due_at=database_now(),
    )


def test_each_event_is_handed_over_once_in_the_order_it_came(creator: Creator, basket: Basket) -> None:
    first, second = store(creator), store(creator)

    assert events.hand_over(basket.carry) == 2
    assert events.hand_over(basket.carry) == 0

    assert basket.ids == [first.public_id, second.public_id]


def test_an_event_nobody_understands_is_kept_and_not_read_again(creator: Creator, basket: Basket) -> None:
    event = store(creator)
    events.hand_over(basket.carry)

    basket.work(events.read)

    event.refresh_from_db()
    assert event.read_at is not None
    events.read(event.public_id)


def test_an_event_that_cannot_be_read_keeps_its_reason(creator: Creator, basket: Basket) -> None:
    event = store(creator, "messages.received", text="no sender")

    events.read(event.public_id)

    event.refresh_from_db()
    assert event.read_at is not None
    assert event.trouble


def test_a_bug_of_ours_does_not_make_an_event_come_round_for_ever(
    creator: Creator, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = store(creator)

    def bug(_event: WebhookEvent) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(events, "read_event", bug)

    for _attempt in range(WebhookEvent.ATTEMPTS_MAX):
        events.read(event.public_id)

    event.refresh_from_db()
    assert event.read_at is not None
    assert event.trouble


def test_an_event_that_comes_too_early_is_read_again_and_given_up_in_the_end(
    creator: Creator, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = store(creator)

    def too_early(_event: WebhookEvent) -> None:
        raise events.TryLater("its message is being sent")

    monkeypatch.setattr(events, "read_event", too_early)

    for attempt in range(1, WebhookEvent.ATTEMPTS_MAX + 1):
        events.read(event.public_id)
        event.refresh_from_db()
        assert event.attempts == attempt
        assert event.due_at > database_now()

    assert event.read_at is not None
    assert event.trouble == "its message is being sent"
