"""What a team does with conversations, with one as with many."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from crm.clock import database_now
from crm.models import Conversation, Creator, Line, Membership, State, WrittenMeanwhile
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_membership, make_user

pytestmark = pytest.mark.django_db


def seq_of(creator: Creator) -> int:
    return Line.objects.get(creator=creator).seq


def fresh(conversation: Conversation) -> Conversation:
    return Conversation.objects.get(pk=conversation.pk)


@pytest.fixture
def creator() -> Creator:
    return make_creator()


@pytest.fixture
def talk(creator: Creator) -> Conversation:
    return make_conversation(creator)


class TestClose:
    def test_it_leaves_the_list_is_read_and_touches_no_message(self, talk: Conversation) -> None:
        talk.receive(text="Bye!", platform_id="1", written_at=database_now())
        waiting = talk.queue(text="Later", author=None)

        talk.close()

        now = database_now()
        assert fresh(talk).state(now) == State.CLOSED
        assert fresh(talk).unread_count == 0
        assert not Conversation.objects.open(now).exists()
        assert list(Conversation.objects.closed()) == [talk]
        waiting.refresh_from_db()
        assert waiting.status == Status.QUEUED

    def test_many_are_closed_with_one_number_a_creator_and_only_once(self, creator: Creator) -> None:
        talks = [make_conversation(creator) for _ in range(3)]
        talks[0].close()
        elsewhere = make_conversation(make_creator())
        before = seq_of(creator)

        closed = Conversation.objects.close()

        assert set(closed) == {each.public_id for each in (*talks[1:], elsewhere)}
        assert {fresh(each).seq for each in talks[1:]} == {before + 1}
        assert Conversation.objects.close() == {}
        assert seq_of(creator) == before + 1

    def test_it_is_taken_back_to_where_it_stood(self, talk: Conversation) -> None:
        talk.close()

        talk.reopen()

        assert fresh(talk).state(database_now()) == State.OPEN
        assert fresh(talk).listed_at == talk.last_message_at

    def test_marking_it_as_unread_opens_it(self, talk: Conversation) -> None:
        talk.close()

        talk.mark_unread()

        assert fresh(talk).closed_at is None

    def test_none_is_closed_and_snoozed(self, talk: Conversation) -> None:
        now = database_now()
        with pytest.raises(IntegrityError), transaction.atomic():
            Conversation.objects.filter(pk=talk.pk).update(closed_at=now, snoozed_until=now)


class TestUndoOfClosing:
    def test_it_brings_back_exactly_what_was_taken_away(self, creator: Creator) -> None:
        until = database_now() + timedelta(hours=1)
        talks = [make_conversation(creator, unread_count=number) for number in (0, 3)]
        talks.append(make_conversation(creator, snoozed_until=until))
        closings = Conversation.objects.close()

        undone = Conversation.objects.undo_closing(closings)

        assert set(undone) == {each.public_id for each in talks}
        back = [fresh(each) for each in talks]
        assert [(each.closed_at, each.unread_count) for each in back] == [(None, 0), (None, 3), (None, 0)]
        assert [each.snoozed_until for each in back] == [None, None, until]
        assert {each.seq for each in back} == {seq_of(creator)}

    def test_what_the_fan_has_written_since_counts_beside_it(self, talk: Conversation) -> None:
        talk.receive(text="Hello?", platform_id="1", written_at=database_now())
        closings = talk.close()
        talk.receive(text="Wait!", platform_id="2", written_at=database_now())

        Conversation.objects.undo_closing(closings)

        assert fresh(talk).unread_count == 2

    def test_what_somebody_has_done_since_stays(self, creator: Creator) -> None:
        read, anew, opened = talks = [make_conversation(creator, unread_count=3) for _ in range(3)]
        closings = Conversation.objects.close()
        read.receive(text="Wait!", platform_id="1", written_at=database_now())
        read.mark_read()
        for each in (anew, opened):
            each.reopen()
        anew.close()

        assert Conversation.objects.undo_closing(closings) == []

        assert [fresh(each).unread_count for each in talks] == [0, 0, 0]
        assert fresh(anew).closed_at is not None

    def test_twice_it_counts_once(self, talk: Conversation) -> None:
        talk.receive(text="Hello?", platform_id="1", written_at=database_now())
        closings = talk.close()

        assert [bool(Conversation.objects.undo_closing(closings)) for _ in range(2)] == [True, False]

        assert fresh(talk).unread_count == 1


class TestSnooze:
    def test_it_leaves_the_list_and_comes_back_on_top_by_the_clock_alone(
        self, talk: Conversation, creator: Creator
    ) -> None:
        other = make_conversation(creator)
        until = database_now() + timedelta(hours=1)

        talk.snooze(until)

        now, later = database_now(), until + timedelta(seconds=1)
        assert list(Conversation.objects.open(now)) == [other]
        assert list(Conversation.objects.snoozed(now)) == [talk]
        assert list(Conversation.objects.open(later).newest_first()) == [talk, other]
        assert not Conversation.objects.snoozed(later).exists()
        assert list(Conversation.objects.woken(later)) == [talk]
        assert [fresh(talk).state(at) for at in (now, later)] == [State.SNOOZED, State.OPEN]

    def test_what_we_write_leaves_it_snoozed_and_the_fan_brings_it_back_at_once(self, talk: Conversation) -> None:
        talk.snooze(database_now() + timedelta(hours=1))
        talk.queue(text="Sleep well", author=None)
        assert fresh(talk).state(database_now()) == State.SNOOZED

        written = talk.receive(text="Hey!", platform_id="1", written_at=database_now())

        assert fresh(talk).state(database_now()) == State.OPEN
        assert fresh(talk).listed_at == written.send_at

    def test_an_old_chat_that_is_read_wakes_nobody(self, talk: Conversation) -> None:
        talk.snooze(database_now() + timedelta(hours=1))

        long_ago = database_now() - timedelta(days=9)
        talk.receive(text="Hi", platform_id="1", written_at=long_ago, is_news=False)

        assert fresh(talk).state(database_now()) == State.SNOOZED

    def test_it_is_ended_by_hand(self, talk: Conversation) -> None:
        talk.snooze(database_now() + timedelta(hours=1))

        talk.reopen()

        assert fresh(talk).snoozed_until is None
        assert fresh(talk).listed_at == talk.last_message_at

    def test_of_closing_and_snoozing_the_last_holds(self, talk: Conversation) -> None:
        talk.close()
        talk.snooze(database_now() + timedelta(hours=1))
        assert fresh(talk).state(database_now()) == State.SNOOZED

        talk.close()
        assert fresh(talk).state(database_now()) == State.CLOSED

    @pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(seconds=30), timedelta(days=367)])
    def test_the_limits_are_named(self, talk: Conversation, ahead: timedelta) -> None:
        with pytest.raises(ValidationError, match="From a minute to 366 days ahead"):
            talk.snooze(database_now() + ahead)

        assert fresh(talk).snoozed_until is None

    def test_what_is_in_no_list_leaves_none(self, creator: Creator) -> None:
        silent = make_conversation(creator, last_message_at=None)

        with pytest.raises(ValidationError):
            silent.snooze(database_now() + timedelta(hours=1))


class TestTheFanWrites:
    @pytest.mark.parametrize("before", [timedelta(), timedelta(minutes=1)], ids=["after", "before"])
    def test_whenever_it_was_written_nobody_has_seen_it_and_it_opens(
        self, talk: Conversation, before: timedelta
    ) -> None:
        written_at = database_now() - before
        talk.close()

        talk.receive(text="Wait!", platform_id="1", written_at=written_at)

        assert fresh(talk).closed_at is None
        assert fresh(talk).unread_count == 1

    def test_what_is_told_twice_opens_once(self, talk: Conversation) -> None:
        talk.receive(text="Bye", platform_id="1", written_at=database_now())
        talk.close()

        talk.receive(text="Bye", platform_id="1", written_at=database_now())

        assert fresh(talk).closed_at is not None

    def test_an_old_chat_that_is_read_opens_nothing(self, talk: Conversation) -> None:
        talk.close()

        talk.receive(text="Hi", platform_id="1", written_at=database_now(), is_news=False)

        assert fresh(talk).closed_at is not None

    def test_while_somebody_closes_it_and_it_stays_open(self, talk: Conversation, creator: Creator) -> None:
        read = make_conversation(creator)
        seen = seq_of(creator)
        talk.receive(text="Wait!", platform_id="1", written_at=database_now() - timedelta(days=1))
        read.queue(text="What we write is no reason", author=None)

        with pytest.raises(WrittenMeanwhile):
            talk.close(seen=seen)

        assert fresh(talk).unread_count == 1
        assert list(Conversation.objects.close(seen=seen)) == [read.public_id]
        assert fresh(talk).closed_at is None
        talk.close(seen=seq_of(creator))
        assert fresh(talk).closed_at is not None

    def test_closed_by_somebody_else_it_is_closed(self, talk: Conversation, creator: Creator) -> None:
        seen = seq_of(creator)
        talk.close()

        talk.close(seen=seen)

        assert fresh(talk).closed_at is not None

    def test_an_answer_past_us_opens_nothing(self, talk: Conversation) -> None:
        talk.close()

        talk.show_sent(text="Bye", platform_id="1", sent_at=database_now())

        assert fresh(talk).closed_at is not None


class TestAssign:
    def test_many_go_to_somebody_who_may_write_for_all_their_creators(self, creator: Creator) -> None:
        talks = [make_conversation(creator) for _ in range(2)]
        anna = make_user("anna")
        make_membership(anna, creator)

        assert len(Conversation.objects.assign(anna)) == 2
        assert Conversation.objects.assign(anna) == []
        assert {fresh(each).assigned_to for each in talks} == {anna}

    def test_one_foreign_creator_and_nothing_is_assigned(self, talk: Conversation, creator: Creator) -> None:
        anna = make_user("anna")
        make_membership(anna, creator, role=Membership.Role.CHATTER)
        make_conversation(fan=make_fan(make_creator()))

        with pytest.raises(ValidationError):
            Conversation.objects.assign(anna)

        assert fresh(talk).assigned_to is None
