import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from crm.clock import database_now
from crm.models import (
    MOVES,
    Attachment,
    Campaign,
    Conversation,
    Fan,
    HoldCause,
    IllegalMove,
    Line,
    Message,
    StateForbids,
)
from crm.models.campaigns import CampaignStatus
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_message, make_user
from crm.tests.plans import analyze, plan_of

pytestmark = pytest.mark.django_db


def front_of(message: Message) -> list[Message]:
    """What may go now, which dispatch must see just so."""
    now = database_now()
    front = list(Message.objects.front(message.creator_id, now))
    assert Message.objects.to_hand_over(message.creator_id, now, 100) == front
    return front


class TestMove:
    def test_moves_from_the_known_status_and_stamps_the_change(self) -> None:
        message = make_message()
        before = message.seq

        assert message.hand_over(until=database_now() + timedelta(seconds=30))

        stored = Message.objects.get(pk=message.pk)
        assert stored.status == message.status == Status.HANDED_OVER
        assert stored.seq == before + 1
        assert stored.hand_overs == 1

    def test_whoever_comes_second_changes_nothing(self) -> None:
        message = make_message()
        second = Message.objects.get(pk=message.pk)
        message.hand_over(until=database_now() + timedelta(seconds=30))
        seq = Line.objects.get(creator_id=message.creator_id).seq

        assert not second.hand_over(until=database_now() + timedelta(seconds=30))

        assert second.status == Status.QUEUED
        assert Message.objects.get(pk=message.pk).hand_overs == 1
        assert Line.objects.get(creator_id=message.creator_id).seq == seq

    def test_a_worker_that_lost_its_lease_writes_no_outcome(self) -> None:
        message = make_message(status=Status.SENDING)
        late = Message.objects.get(pk=message.pk)
        message.settle(Status.UNKNOWN)

        assert not late.settle(Status.SENT, platform_id="9", sent_at=database_now())

        assert Message.objects.get(pk=message.pk).status == Status.UNKNOWN

    def test_provided_conditions_hold_at_that_very_moment(self) -> None:
        message = make_message(status=Status.HANDED_OVER)

        assert not message.move(Status.SENDING, provided={"lease_until__lt": database_now()})

        assert message.status == Status.HANDED_OVER

    @pytest.mark.parametrize("status", list(Status))
    def test_refuses_every_move_that_is_not_in_the_table(self, status: Status) -> None:
        message = make_message(status=status)

        for target in set(Status) - MOVES.get(status, frozenset()):
            with pytest.raises(IllegalMove):
                message.move(target)

    def test_wakes_the_line_when_the_message_waits_again(self) -> None:
        message = make_message(status=Status.HANDED_OVER)
        Line.objects.update(wake_at=None)

        message.back_to_queue()

        assert Line.objects.get(creator_id=message.creator_id).wake_at == message.due_at

    def test_wakes_the_line_when_the_conversation_is_free_again(self) -> None:
        message = make_message(status=Status.SENDING)
        Line.objects.update(wake_at=None)

        message.settle(Status.SENT, platform_id="1", sent_at=database_now())

        assert Line.objects.get(creator_id=message.creator_id).wake_at is not None


class TestTakeLease:
    def test_gives_the_message_to_one_worker_only(self) -> None:
        message = make_message(status=Status.HANDED_OVER, lease=None)
        copy = Message.objects.get(pk=message.pk)
        until = database_now() + timedelta(seconds=30)

        assert message.take_lease(until=until)
        assert not copy.take_lease(until=until)

    def test_finds_nothing_to_lease_in_a_message_that_was_sent(self) -> None:
        assert not make_message(status=Status.SENT).take_lease(until=database_now())


def test_every_line_is_read_in_its_own_order_though_one_is_long_and_the_planner_has_counted_them() -> None:
    """What the planner counts of creators on average is wrong for each of them."""
    now = database_now()
    long, *short = (make_creator() for _creator in range(21))
    creators = [long] * 1500 + short * 5
    fans = Fan.objects.bulk_create(Fan(creator=creator, platform_id=str(n)) for n, creator in enumerate(creators))
    threads = Conversation.objects.bulk_create(Conversation(creator_id=fan.creator_id, fan=fan) for fan in fans)
    messages = Message.objects.bulk_create(
        Message(creator_id=thread.creator_id, conversation=thread, text="Hi", send_at=now, due_at=now)
        for thread in threads
    )
    analyze("crm_message", "crm_conversation", "crm_campaign")

    def plans() -> Iterator[tuple[str, str]]:
        for creator in (long, short[0]):
            wakes = Message.objects.in_line(creator.pk, now).order_by("due_at").values("due_at")
            yield "message_front_of_line", plan_of(Message.objects.front(creator.pk, now)[:2])
            yield "message_line_wakes", plan_of(wakes[:1])

    before = list(plans())
    held = Campaign.objects.create(creator=long, name="Held", text="Hi", status=CampaignStatus.PAUSED)
    Message.objects.filter(pk=messages[0].pk).update(campaign=held)

    for index, plan in (*before, *plans()):
        assert index in plan
        assert not re.search("TEMP B-TREE|Sort", plan)


@pytest.mark.postgresql_only
def test_what_needs_a_person_is_read_newest_first_by_one_index() -> None:
    creator = make_creator()
    newest_first = Message.objects.filter(creator__in=[creator.pk]).for_a_person().order_by("-created_at", "-pk")

    plan = plan_of(newest_first[:50], sorts=False)

    assert "message_for_a_person" in plan
    assert "Sort" not in plan


class TestFront:
    def test_sorts_by_priority_then_time(self) -> None:
        creator = make_creator()
        now = database_now()
        low = make_message(make_conversation(creator), priority=1, send_at=now - timedelta(minutes=9))
        late = make_message(make_conversation(creator), priority=10, send_at=now - timedelta(minutes=1))
        early = make_message(make_conversation(creator), priority=10, send_at=now - timedelta(minutes=2))

        assert front_of(low) == [early, late, low]

    def test_leaves_out_what_is_not_due_or_waits_for_its_media(self) -> None:
        creator = make_creator()
        make_message(make_conversation(creator), send_at=database_now() + timedelta(minutes=1))
        waiting = make_message(make_conversation(creator), waits_for_media=True)

        assert front_of(waiting) == []

    @pytest.mark.parametrize("status", [Status.HANDED_OVER, Status.SENDING])
    def test_a_message_in_flight_holds_the_rest_of_its_conversation(self, status: Status) -> None:
        conversation = make_conversation()
        make_message(conversation, status=status)
        waiting = make_message(conversation)
        elsewhere = make_message(make_conversation(conversation.creator))

        assert front_of(waiting) == [elsewhere]

    def test_a_message_that_is_retried_later_holds_the_later_ones(self) -> None:
        conversation = make_conversation()
        now = database_now()
        make_message(conversation, send_at=now - timedelta(minutes=2), due_at=now + timedelta(seconds=30))
        later = make_message(conversation, send_at=now - timedelta(minutes=1))

        assert front_of(later) == []

    def test_a_message_scheduled_for_later_holds_nothing_before_it(self) -> None:
        conversation = make_conversation()
        make_message(conversation, send_at=database_now() + timedelta(hours=1))
        now_message = make_message(conversation)

        assert front_of(now_message) == [now_message]

    def test_an_unknown_outcome_holds_its_conversation_for_fifteen_minutes(self) -> None:
        conversation = make_conversation()
        unknown = make_message(conversation, status=Status.UNKNOWN, sending_at=database_now())
        waiting = make_message(conversation)
        assert front_of(waiting) == []

        Message.objects.filter(pk=unknown.pk).update(sending_at=database_now() - timedelta(minutes=16))

        assert front_of(waiting) == [waiting]

    def test_never_shows_another_creators_messages(self) -> None:
        mine, _other = make_message(), make_message()

        assert front_of(mine) == [mine]


class TestRetry:
    def test_starts_anew_at_its_old_place_and_wakes_the_line(self) -> None:
        hour_ago = database_now() - timedelta(hours=1)
        message = make_message(
            status=Status.FAILED, send_at=hour_ago, attempts=5, hand_overs=3, cause_code="poison", cause="It is poison."
        )
        Line.objects.update(wake_at=None)

        message.retry(by=make_user())

        stored = Message.objects.get(pk=message.pk)
        assert (stored.status, stored.send_at, stored.cause_code, stored.cause) == (Status.QUEUED, hour_ago, "", "")
        assert (stored.attempts, stored.hand_overs) == (0, 0)
        assert Line.objects.get(creator_id=message.creator_id).wake_at == stored.due_at

    def test_goes_before_what_was_written_to_the_fan_later(self) -> None:
        conversation = make_conversation()
        hour_ago = database_now() - timedelta(hours=1)
        failed = make_message(conversation, status=Status.FAILED, priority=5, send_at=hour_ago)
        later = conversation.queue(text="later", author=None, priority=10)

        failed.retry(by=None)

        assert front_of(failed) == [failed, later]

    def test_uploads_its_media_anew(self) -> None:
        message = make_message(status=Status.FAILED)
        Attachment.objects.create(
            creator=message.creator,
            message=message,
            position=0,
            url="https://a.example/1.jpg",
            provider_media_id="used",
            attempts=5,
        )

        message.retry(by=None)

        attachment = Attachment.objects.get()
        assert (attachment.provider_media_id, attachment.attempts) == ("", 0)
        assert message.waits_for_media
        assert list(Attachment.objects.to_upload(database_now())) == [attachment]

    @pytest.mark.parametrize("status", [Status.UNKNOWN, Status.NEEDS_PERSON])
    def test_an_open_outcome_goes_again_only_when_a_person_says_that_it_was_not_sent(self, status: Status) -> None:
        message = make_message(status=status, absent_at=database_now(), reconciliations=9)

        with pytest.raises(StateForbids, match="may have been sent"):
            message.retry(by=make_user())
        message.retry(by=make_user(), not_sent=True)

        assert (message.status, message.absent_at, message.reconciliations) == (Status.QUEUED, None, 0)

    def test_of_two_people_the_second_is_told_what_it_is_now(self) -> None:
        message = make_message(status=Status.FAILED)
        second = Message.objects.get()
        message.retry(by=None)

        with pytest.raises(StateForbids, match="Waiting"):
            second.retry(by=None)

    def test_says_in_the_log_who_asked_for_it(self, caplog: pytest.LogCaptureFixture) -> None:
        user, message = make_user(), make_message(status=Status.FAILED, text="a secret")

        with caplog.at_level("INFO"):
            message.retry(by=user)

        assert f"'user': {user.pk}" in caplog.text
        assert str(message.public_id) in caplog.text
        assert "a secret" not in caplog.text


class TestCancel:
    @pytest.mark.parametrize("status", [Status.QUEUED, Status.HANDED_OVER])
    def test_takes_back_what_has_not_begun_whoever_leased_it_meanwhile(self, status: Status) -> None:
        message = make_message(status=status)
        stale = Message.objects.get()
        Message.objects.update(lease=None)

        stale.cancel(by=None)

        message.refresh_from_db()
        assert (message.status, message.cause_code) == (Status.CANCELLED, "cancelled")

    def test_lets_the_line_look_again_at_once(self) -> None:
        message = make_message(status=Status.HANDED_OVER)
        later = database_now() + timedelta(seconds=30)
        Line.objects.hold(message.creator_id, until=later, cause=HoldCause.HANDED_OVER)

        message.cancel(by=None)

        assert Line.objects.get(creator_id=message.creator_id).hold_until is None

    def test_never_shortens_a_hold_of_the_platform(self) -> None:
        message = make_message(status=Status.HANDED_OVER)
        later = database_now() + timedelta(seconds=30)
        Line.objects.hold(message.creator_id, until=later, cause=HoldCause.THROTTLED)

        message.cancel(by=None)

        assert Line.objects.get(creator_id=message.creator_id).hold_until == later

    @pytest.mark.parametrize("status", [Status.SENDING, Status.SENT, Status.FAILED, Status.UNKNOWN])
    def test_is_too_late_once_the_call_began(self, status: Status) -> None:
        message = make_message(status=status)

        with pytest.raises(StateForbids, match="cancelled"):
            message.cancel(by=None)

        assert Message.objects.get().status == status


class TestItWasSent:
    @pytest.mark.parametrize("status", [Status.UNKNOWN, Status.NEEDS_PERSON])
    def test_settles_an_open_outcome_with_the_time_of_its_call(self, status: Status) -> None:
        began = database_now() - timedelta(minutes=5)
        message = make_message(status=status, sending_at=began)

        message.it_was_sent(by=make_user())

        assert (message.status, message.sent_at, message.cause_code) == (Status.SENT, began, "seen_by_person")

    @pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.FAILED, Status.SENT])
    def test_decides_nothing_that_is_not_open(self, status: Status) -> None:
        message = make_message(status=status)

        with pytest.raises(StateForbids):
            message.it_was_sent(by=make_user())


class TestConstraints:
    @pytest.mark.parametrize(
        "impossible",
        [
            {"price_cents": 299},
            {"price_cents": 20_001},
            {"priority": 0},
            {"priority": 11},
            {"status": Status.RECEIVED, "direction": "out"},
            {"status": Status.SENDING, "lease_until": None},
            {"status": Status.SENT, "sent_at": None},
        ],
    )
    def test_the_database_refuses_what_can_never_be(self, impossible: dict) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            make_message(**impossible)

    def test_one_platform_id_is_one_row_of_a_creator(self) -> None:
        conversation = make_conversation()
        make_message(conversation, status=Status.SENT, platform_id="42")

        with pytest.raises(IntegrityError), transaction.atomic():
            make_message(conversation, status=Status.SENT, platform_id="42")
