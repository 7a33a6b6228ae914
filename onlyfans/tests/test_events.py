"""Stored webhook events on their way to whoever reads them."""

import re
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from crm.clock import database_now
from crm.models import Creator
from crm.tests.factories import make_creator
from crm.tests.plans import analyze, plan_of_statement
from onlyfans import events
from onlyfans.models import Connection, WebhookEvent
from onlyfans.queue import QueueUnavailable
from onlyfans.tests.conftest import Basket

pytestmark = pytest.mark.django_db


def make_connection() -> Connection:
    creator = make_creator()
    return Connection.objects.create(creator=creator, account_id=f"acct_of_{creator.pk}")


def flood(connection: Connection, events_waiting: int) -> list[WebhookEvent]:
    """So many events wait, the first for the longest."""
    now = database_now()
    return WebhookEvent.objects.bulk_create(
        WebhookEvent(
            connection=connection,
            event_key=f"evt_{uuid4()}",
            kind="users.typing",
            payload={},
            due_at=now - timedelta(milliseconds=events_waiting - number),
        )
        for number in range(events_waiting)
    )


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


class TestFlood:
    """One account's events must not keep the others' waiting."""

    FLOOD = 2_000

    @pytest.fixture
    def flooded(self) -> Connection:
        """An account with more events waiting than are handed over in many turns, all of them from before now."""
        connection = make_connection()
        flood(connection, self.FLOOD)
        return connection

    def test_one_event_of_another_account_is_in_the_next_hand_over(self, flooded: Connection, basket: Basket) -> None:
        events.hand_over(basket.carry)
        late = flood(make_connection(), 1)

        events.hand_over(basket.carry)

        assert late[0].public_id in basket.ids

    def test_also_when_both_wait_from_the_beginning(self, flooded: Connection, basket: Basket) -> None:
        late = flood(make_connection(), 1)

        events.hand_over(basket.carry)

        assert late[0].public_id in basket.ids
        assert len(basket.ids) > 1, "the flood is read, too"

    def test_workers_have_only_so_many_at_once_and_get_more_as_they_read(
        self, flooded: Connection, basket: Basket
    ) -> None:
        for _turn in range(5):
            events.hand_over(basket.carry)
        had = len(basket.ids)
        assert had < events.IN_FLIGHT_MAX

        basket.work(events.read)

        assert events.hand_over(basket.carry) == had

    def test_an_account_s_own_events_stay_in_the_order_in_which_they_came(
        self, flooded: Connection, basket: Basket
    ) -> None:
        handed: list[UUID] = []
        for _turn in range(4):
            flood(make_connection(), 1)
            events.hand_over(basket.carry)
            handed += basket.ids
            basket.work(events.read)

        of_the_flood = (
            WebhookEvent.objects.filter(connection=flooded).order_by("id").values_list("public_id", flat=True)
        )
        mine = [public_id for public_id in handed if public_id in set(of_the_flood)]
        assert mine == list(of_the_flood[: len(mine)])

    def test_two_floods_are_read_alike(self, flooded: Connection, basket: Basket) -> None:
        other = make_connection()
        flood(other, self.FLOOD)

        for _turn in range(4):
            events.hand_over(basket.carry)
            basket.work(events.read)

        read = [
            WebhookEvent.objects.filter(connection=each, read_at__isnull=False).count() for each in (flooded, other)
        ]
        assert read[0] == read[1] > 0

    def test_though_workers_are_full_whoever_has_nothing_with_them_hands_one_over(
        self, flooded: Connection, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events.hand_over(basket.carry)
        monkeypatch.setattr(events, "IN_FLIGHT_MAX", len(basket.ids))
        late = flood(make_connection(), 3)
        basket.ids.clear()

        events.hand_over(basket.carry)

        assert basket.ids == [late[0].public_id]

    def test_more_accounts_than_are_served_in_one_turn_take_turns(
        self, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(events, "ACCOUNTS_AT_ONCE", 2)
        firsts = [flood(make_connection(), 50)[0].public_id for _account in range(5)]

        for _turn in range(3):
            events.hand_over(basket.carry)

        assert set(firsts) <= set(basket.ids)

    def test_events_that_fail_hold_nobody_else_s(
        self, flooded: Connection, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """They come round again and again, from different turns, so that all of them wait for their next time."""

        def poison(event: WebhookEvent) -> None:
            raise ZeroDivisionError if event.connection_id == flooded.pk else events.CannotRead("nothing to read")

        monkeypatch.setattr(events, "read_event", poison)
        for _turn in range(30):
            events.hand_over(basket.carry)
            basket.work(events.read)
            WebhookEvent.objects.filter(attempts__gt=0).update(due_at=database_now() - timedelta(hours=1))
        late = flood(make_connection(), 1)

        events.hand_over(basket.carry)

        assert late[0].public_id in basket.ids

    def test_an_event_that_is_to_be_read_again_takes_nobody_s_place(
        self, flooded: Connection, basket: Basket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        events.hand_over(basket.carry)
        had = len(basket.ids)

        def too_early(_event: WebhookEvent) -> None:
            raise events.TryLater("its message is being sent")

        monkeypatch.setattr(events, "read_event", too_early)
        basket.work(events.read)

        assert events.hand_over(basket.carry) == had

    def test_what_the_queue_does_not_take_is_handed_over_as_soon_as_it_does(
        self, flooded: Connection, basket: Basket
    ) -> None:
        def refuse(_public_id: UUID) -> None:
            raise QueueUnavailable("refused")

        with pytest.raises(QueueUnavailable):
            events.hand_over(refuse)
        assert not WebhookEvent.objects.in_flight(database_now()).exists()

        events.hand_over(basket.carry)

        assert basket.ids[0] == WebhookEvent.objects.order_by("id").values_list("public_id", flat=True)[0]


def test_of_all_that_waits_only_each_account_s_own_front_is_read() -> None:
    """Also where the planner has counted them: one account has much and the others have little that waits."""
    accounts = [make_connection() for _account in range(10)]
    for account in accounts:
        flood(account, 300)
    WebhookEvent.objects.update(read_at=database_now())
    for account in accounts:
        flood(account, 3_000 if account == accounts[0] else 5)
    analyze("onlyfans_webhookevent", "onlyfans_connection")

    with CaptureQueriesContext(connection) as asked:
        events.hand_over(lambda _public_id: None)
    looked = [query["sql"] for query in asked if re.search('SELECT.*FROM "onlyfans_webhookevent"', query["sql"])]
    plans = [plan_of_statement(sql) for sql in looked]

    assert len(plans) == 12, "which accounts have events, how many workers have, and the front of each account"
    for plan in plans:
        assert "webhook_event_front" in plan
        assert not re.search(r"(Seq Scan on|SCAN) (onlyfans_webhookevent|U0)|Hash", plan)
    for front in plans[2:]:
        assert not re.search("TEMP B-TREE|Sort", front)
