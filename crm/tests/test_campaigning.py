"""A campaign from its draft to its end, and every way to stop it."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Count
from pytest_django import Settings

from crm import campaigning
from crm.clock import database_now
from crm.correlation import correlated
from crm.forecast import completion, forecast
from crm.models import (
    Attachment,
    Campaign,
    Conversation,
    Creator,
    Dispatch,
    Fan,
    IllegalCampaignMove,
    Line,
    Message,
    StateForbids,
    Tally,
)
from crm.models.campaigns import EXCLUDED, WAITING
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message

pytestmark = pytest.mark.django_db

BEACH = "https://files.example.test/beach.jpg"


@pytest.fixture
def creator() -> Creator:
    return make_creator(name="Mia", timezone="Europe/Paris")


def make_campaign(creator: Creator, *fans: Fan, **written: Any) -> Campaign:
    audience = {"fans": [str(fan.public_id) for fan in fans or (make_fan(creator),)]}
    values: dict[str, Any] = {"name": "Hello", "text": "Hello {name|there}", "audience": audience}
    return campaigning.draft(creator, author=None, **(values | written))


class TestQuietHoursOfTheCreator:
    @pytest.fixture(autouse=True)
    def _at_night(self, creator: Creator) -> None:
        creator.change(quiet_from=time(22), quiet_until=time(8))

    def test_a_campaign_of_which_nothing_is_said_has_them(self, creator: Creator) -> None:
        campaign = make_campaign(creator)

        assert (campaign.quiet_from, campaign.quiet_until) == (time(22), time(8))

    @pytest.mark.parametrize("said", [{"quiet_from": None, "quiet_until": None}, {"quiet_from": None}])
    def test_one_may_go_at_any_hour(self, creator: Creator, said: dict[str, Any]) -> None:
        campaign = make_campaign(creator, **said)

        assert (campaign.quiet_from, campaign.quiet_until) == (None, None)

    def test_they_need_both_ends(self, creator: Creator) -> None:
        with pytest.raises(ValidationError, match="a beginning and an end"):
            creator.change(quiet_until=None)
        creator.refresh_from_db()
        assert creator.quiet_until == time(8)


def launched(creator: Creator, *fans: Fan, **written: Any) -> Campaign:
    campaign = make_campaign(creator, *fans, **written)
    campaigning.launch(campaign)
    return campaign


def recount(campaign: Campaign) -> dict[str, int]:
    """The tally, counted anew from the rows."""
    rows = campaign.recipients.order_by()
    found = dict(rows.filter(message__isnull=False).values_list("message__status").annotate(Count("pk")))
    left_out = rows.exclude(excluded="").count()
    not_yet = rows.filter(message__isnull=True, excluded="").count()
    stopped = campaign.status == Campaign.Status.CANCELLED
    found[EXCLUDED] = left_out
    state = Status.CANCELLED if stopped else WAITING
    found[state] = found.get(state, 0) + not_yet
    return {state: number for state, number in found.items() if number}


def tally(campaign: Campaign) -> dict[str, int]:
    counted = Tally.objects.of(campaign.pk)
    assert counted == recount(campaign)
    return counted


def settle(campaign: Campaign, *, failed: int = 0, sent: int = 0) -> None:
    now = database_now()
    messages = list(campaign.messages.waiting().in_line_order())
    for number, message in enumerate(messages[: failed + sent]):
        message.hand_over(until=now + timedelta(seconds=30))
        message.take_lease(until=now + timedelta(seconds=30))
        message.move(Status.SENDING, sending_at=now)
        if number < failed:
            message.settle(Status.FAILED, cause_code="no", cause="No.")
        else:
            message.settle(Status.SENT, sent_at=now, platform_id=uuid.uuid4().hex)


class TestWriting:
    def test_a_draft_is_kept_and_sends_nothing(self, creator: Creator) -> None:
        campaign = make_campaign(creator, media_urls=[BEACH], price_cents=500)

        assert (campaign.status, campaign.media_urls) == ("draft", [BEACH])
        assert not Message.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"text": "  "}, "text"),
            ({"text": "x" * 5001}, "text"),
            ({"text": "Hi {nmae|x}"}, "text"),
            ({"name": ""}, "name"),
            ({"name": "n" * 121}, "name"),
            ({"price_cents": 500}, "price_cents"),
            ({"price_cents": 100, "media_urls": [BEACH]}, "price_cents"),
            ({"media_urls": ["ftp://x.test/a"]}, "media_urls"),
            ({"media_urls": [BEACH] * 21}, "media_urls"),
            ({"quiet_from": time(22)}, "quiet_from"),
            ({"audience": {"fans": []}}, "audience"),
            ({"audience": {"fans": ["x"]}}, "audience"),
            ({"audience": {"everybody": True}}, "audience"),
            ({"audience": {"fans": [str(uuid.uuid4())]}}, "audience"),
            ({"audience": {"segment": str(uuid.uuid4())}}, "audience"),
            ({"exclusions": {"messagedWithinHours": 0}}, "exclusions"),
            ({"exclusions": {"frequencyCap": {"campaigns": 1}}}, "exclusions"),
            ({"exclusions": {"alreadyBought": "yes"}}, "exclusions"),
            ({"exclusions": {"weekends": True}}, "exclusions"),
            ({"scheduled_at": datetime(2100, 1, 1, tzinfo=UTC)}, "scheduled_at"),
        ],
    )
    def test_what_is_wrong_is_said_by_field(self, creator: Creator, wrong: dict[str, Any], field: str) -> None:
        with pytest.raises(ValidationError) as refused:
            make_campaign(creator, **wrong)

        assert field in refused.value.message_dict
        assert not Campaign.objects.exists()

    def test_a_fan_of_somebody_else_is_named(self, creator: Creator) -> None:
        stranger = make_fan()

        with pytest.raises(ValidationError, match=str(stranger.public_id)):
            make_campaign(creator, stranger)

    def test_a_draft_can_be_written_differently_and_a_running_one_cannot(self, creator: Creator) -> None:
        campaign = make_campaign(creator, media_urls=[BEACH])

        campaigning.change(campaign, text="Bye", media_urls=[])
        campaigning.launch(campaign)

        assert (Campaign.objects.get().text, Campaign.objects.get().media_urls) == ("Bye", [])
        with pytest.raises(IllegalCampaignMove):
            campaigning.change(campaign, text="Wait!")

    def test_scheduled_for_no_time_any_more_it_is_a_draft(self, creator: Creator) -> None:
        campaign = make_campaign(creator, make_fan(creator), scheduled_at=database_now() + timedelta(hours=1))
        campaigning.launch(campaign)

        campaigning.change(campaign, scheduled_at=None)

        campaign.refresh_from_db()
        assert (campaign.status, campaign.scheduled_at) == (Campaign.Status.DRAFT, None)

    def test_one_that_began_while_somebody_wrote_stays_as_it_was(self, creator: Creator) -> None:
        campaign = make_campaign(creator, make_fan(creator), name="First")
        read_before = Campaign.objects.get(pk=campaign.pk)
        campaigning.launch(campaign)

        with pytest.raises(IllegalCampaignMove):
            campaigning.change(read_before, name="Second")

        campaign.refresh_from_db()
        assert (campaign.status, campaign.name) == (Campaign.Status.RUNNING, "First")


class TestLaunching:
    def test_every_fan_gets_one_row_in_their_own_words(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator, name="Leo"), make_fan(creator, name=""))

        texts = campaign.messages.order_by("id").values_list("text", "status", "priority")
        assert list(texts) == [("Hello Leo", "queued", 1), ("Hello there", "queued", 1)]
        assert tally(campaign) == {"queued": 2}
        line = Line.objects.get(creator=creator)
        assert line.wake_at is not None

    def test_the_audience_is_frozen(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator))
        make_fan(creator)

        campaigning.serve()

        assert campaign.recipients.count() == campaign.messages.count() == 1

    def test_launching_twice_is_refused_and_writes_nothing(self, creator: Creator) -> None:
        campaign = launched(creator)
        twin = Campaign.objects.get()

        with pytest.raises(IllegalCampaignMove):
            campaigning.launch(twin)
        twin.status = "draft"
        with pytest.raises(IllegalCampaignMove):
            campaigning.launch(twin)

        assert tally(campaign) == {"queued": 1}

    def test_an_empty_audience_stays_a_draft(self, creator: Creator) -> None:
        fan = make_fan(creator)
        campaign = make_campaign(creator, fan)
        fan.delete()

        with pytest.raises(ValidationError):
            campaigning.launch(campaign)

        assert Campaign.objects.get().status == "draft"
        assert not campaign.recipients.exists()

    def test_who_is_left_out_is_written_down_with_the_reason(self, creator: Creator) -> None:
        now = database_now()
        fine, nameless = make_fan(creator), make_fan(creator, platform_id="")
        blocked, written_to = make_fan(creator, blocked_at=now), make_fan(creator)
        buyer, tired = make_fan(creator), make_fan(creator)
        make_message(make_conversation(fan=written_to), status=Status.SENT, send_at=now - timedelta(hours=2))
        bought = make_message(
            make_conversation(fan=buyer), status=Status.SENT, send_at=now - timedelta(days=9), purchased_at=now
        )
        Attachment.objects.create(creator=creator, message=bought, position=0, url=BEACH)
        earlier = make_campaign(creator, fine, name="Earlier")
        make_message(
            make_conversation(fan=tired), status=Status.SENT, send_at=now - timedelta(days=2), campaign=earlier
        )

        campaign = launched(
            creator,
            *(fine, nameless, blocked, written_to, buyer, tired),
            media_urls=[BEACH],
            exclusions={
                "messagedWithinHours": 24,
                "alreadyBought": True,
                "frequencyCap": {"campaigns": 1, "days": 7},
            },
        )

        reasons = dict(campaign.recipients.values_list("fan", "excluded"))
        assert reasons == {
            fine.pk: "",
            nameless.pk: "no_platform_id",
            blocked.pk: "blocked",
            written_to.pk: "recently_messaged",
            buyer.pk: "already_bought",
            tired.pk: "frequency_cap",
        }
        assert tally(campaign) == {WAITING: 1, EXCLUDED: 5}

    def test_everybody_left_out_is_said_and_stays_a_draft(self, creator: Creator) -> None:
        campaign = make_campaign(creator, make_fan(creator, platform_id=""))

        with pytest.raises(ValidationError, match="nobody would get it"):
            campaigning.launch(campaign)

    def test_media_is_uploaded_once_before_the_first_row(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator), make_fan(creator), media_urls=[BEACH], price_cents=500)
        [own] = Attachment.objects.to_upload(database_now())

        own.arrived("vault_1", now=database_now())
        campaigning.serve()

        assert own.campaign == campaign
        lent = Attachment.objects.filter(message__campaign=campaign)
        assert list(lent.values_list("provider_media_id", flat=True)) == ["vault_1", "vault_1"]
        assert campaign.messages.filter(waits_for_media=False, price_cents=500).count() == 2

    def test_a_conversation_begun_by_it_is_in_no_list_until_the_fan_answers(self, creator: Creator) -> None:
        launched(creator)
        conversation = Conversation.objects.get()
        assert not Conversation.objects.newest_first().exists()

        conversation.receive(text="Hi!", platform_id="p1", written_at=database_now())

        assert list(Conversation.objects.newest_first()) == [conversation]

    def test_a_known_conversation_does_not_move_up(self, creator: Creator) -> None:
        long_ago = database_now() - timedelta(days=3)
        conversation = make_conversation(creator, last_message_at=long_ago, last_text="Bye")

        launched(creator, conversation.fan)

        conversation.refresh_from_db()
        assert (conversation.last_message_at, conversation.last_text) == (long_ago, "Bye")


class TestServing:
    def test_rows_are_made_a_few_at_a_time_ahead_of_the_line(
        self, creator: Creator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(campaigning, "ENLIST_BELOW", 2)
        monkeypatch.setattr(campaigning, "ENLIST_AT_ONCE", 3)
        campaign = launched(creator, *(make_fan(creator) for _ in range(7)))
        assert tally(campaign) == {"queued": 3, WAITING: 4}

        campaigning.serve()
        assert tally(campaign) == {"queued": 3, WAITING: 4}

        settle(campaign, sent=2)
        campaigning.serve()
        assert tally(campaign) == {"sent": 2, "queued": 4, WAITING: 1}

    def test_exclusions_are_judged_again_when_the_row_is_made(self, creator: Creator) -> None:
        fan = make_fan(creator)
        campaign = launched(creator, make_fan(creator), fan, media_urls=[BEACH])
        Fan.objects.filter(pk=fan.pk).update(blocked_at=database_now())
        for own in campaign.attachments.all():
            own.arrived("vault_1", now=database_now())

        campaigning.serve()

        assert tally(campaign) == {"queued": 1, EXCLUDED: 1}
        assert campaign.recipients.get(fan=fan).excluded == "blocked"

    def test_a_text_too_long_with_this_fans_name_leaves_the_fan_out(self, creator: Creator) -> None:
        long, short = make_fan(creator, name="n" * 200), make_fan(creator, name="Leo")

        campaign = launched(creator, long, short, text="x" * 4980 + "{name|there}")

        assert tally(campaign) == {"queued": 1, EXCLUDED: 1}
        assert campaign.recipients.get(fan=long).excluded == "too_long"

    def test_it_is_completed_when_nothing_waits_any_more(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator), make_fan(creator))
        settle(campaign, sent=1, failed=1)

        campaigning.serve()

        campaign.refresh_from_db()
        assert campaign.status == "completed"
        assert campaign.finished_at is not None
        assert tally(campaign) == {"sent": 1, "failed": 1}

    def test_too_many_errors_pause_it_and_resuming_judges_anew(self, creator: Creator) -> None:
        campaign = launched(creator, *(make_fan(creator) for _ in range(45)))
        settle(campaign, failed=3, sent=17)

        campaigning.serve()

        campaign.refresh_from_db()
        assert campaign.status == "paused"
        assert "3 of 20" in campaign.reason
        campaigning.resume(campaign)
        settle(campaign, failed=2, sent=18)
        campaigning.serve()
        campaign.refresh_from_db()
        assert campaign.status == "running"

    def test_of_many_errors_the_reason_has_groups_of_digits(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator))
        Tally.objects.create(campaign=campaign, state=Status.FAILED, number=1200)
        Tally.objects.create(campaign=campaign, state=Status.SENT, number=3400)

        campaigning.serve()

        campaign.refresh_from_db()
        assert campaign.reason.startswith("1,200 of 4,600 messages failed.")

    def test_a_schedule_starts_by_itself(self, creator: Creator) -> None:
        at = database_now() + timedelta(hours=1)
        campaign = make_campaign(creator, scheduled_at=at)
        campaigning.launch(campaign)
        campaigning.serve()
        assert (campaign.status, Message.objects.count()) == ("scheduled", 0)
        Campaign.objects.update(scheduled_at=database_now() - timedelta(minutes=14))

        campaigning.serve()

        assert Campaign.objects.get().status == "running"
        assert Message.objects.count() == 1

    def test_its_messages_carry_the_id_of_the_request_that_launched_or_scheduled_it(self, creator: Creator) -> None:
        in_an_hour = database_now() + timedelta(hours=1)
        with correlated("of-the-launch"):
            launched(creator, media_urls=[BEACH])
        with correlated("of-the-schedule"):
            launched(creator, scheduled_at=in_an_hour)
        Attachment.objects.update(provider_media_id="at-the-provider")
        Campaign.objects.filter(scheduled_at=in_an_hour).update(scheduled_at=database_now())

        for _turn in range(2):
            campaigning.serve()

        ids = Message.objects.order_by("campaign_id").values_list("correlation_id", flat=True)
        assert list(ids) == ["of-the-launch", "of-the-schedule"]

    def test_a_schedule_overdue_by_more_than_a_quarter_of_an_hour_waits_for_a_person(self, creator: Creator) -> None:
        campaign = make_campaign(creator, scheduled_at=database_now() + timedelta(hours=1))
        campaigning.launch(campaign)
        Campaign.objects.update(scheduled_at=database_now() - timedelta(minutes=16))

        campaigning.serve()

        campaign.refresh_from_db()
        assert campaign.status == "needs_review"
        assert not Message.objects.exists()
        campaigning.launch(campaign)
        assert Message.objects.count() == 1

    def test_a_schedule_whose_audience_is_gone_waits_for_a_person(self, creator: Creator) -> None:
        fan = make_fan(creator)
        campaign = make_campaign(creator, fan, scheduled_at=database_now() + timedelta(hours=1))
        campaigning.launch(campaign)
        fan.delete()
        Campaign.objects.update(scheduled_at=database_now())

        campaigning.serve()

        assert Campaign.objects.get().status == "needs_review"
        assert Campaign.objects.get().reason


class TestStopping:
    def front(self, creator: Creator) -> list[Message]:
        now = database_now()
        front = list(Message.objects.front(creator.pk, now))
        assert Message.objects.to_hand_over(creator.pk, now, 100) == front
        return front

    def test_paused_nothing_of_it_is_in_front_until_it_goes_on(self, creator: Creator) -> None:
        campaign = launched(creator)

        campaigning.pause(campaign, reason="Wrong picture")
        assert self.front(creator) == []
        campaigning.resume(campaign)

        assert len(self.front(creator)) == 1

    def test_cancelled_nobody_else_gets_it_and_the_numbers_add_up(
        self, creator: Creator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(campaigning, "ENLIST_AT_ONCE", 4)
        campaign = launched(creator, *(make_fan(creator) for _ in range(6)))
        settle(campaign, sent=1)
        handed_over = campaign.messages.waiting().in_line_order()[0]
        handed_over.hand_over(until=database_now() + timedelta(seconds=30))

        assert campaigning.cancel(campaign) == 5

        assert tally(campaign) == {"sent": 1, "cancelled": 5}
        assert campaign.messages.get(pk=handed_over.pk).status == "cancelled"
        assert self.front(creator) == []
        with pytest.raises(IllegalCampaignMove):
            campaigning.resume(campaign)

    def test_direct_messages_pass_it_and_do_not_wait_for_it(self, creator: Creator) -> None:
        campaign = launched(creator)
        conversation = Conversation.objects.get()

        reply = conversation.queue(text="An answer", author=None, priority=5)

        assert self.front(creator) == [reply, campaign.messages.get()]
        assert campaign.messages.get().priority == 1
        campaigning.pause(campaign, reason="x")
        assert self.front(creator) == [reply]

    def test_a_scheduled_reply_does_not_hold_the_campaign(self, creator: Creator) -> None:
        conversation = make_conversation(creator)
        conversation.queue(text="Tomorrow", author=None, send_at=database_now() + timedelta(days=1))

        campaign = launched(creator, conversation.fan)

        assert self.front(creator) == [campaign.messages.get()]

    def test_retrying_the_failed_ones_lets_a_completed_one_run_again(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator), make_fan(creator))
        settle(campaign, failed=2)
        campaigning.serve()
        campaign.refresh_from_db()

        assert campaigning.retry_failed(campaign) == 2

        assert (campaign.status, tally(campaign)) == ("running", {"queued": 2})
        assert len(self.front(creator)) == 2

    def test_retrying_the_failed_ones_of_a_paused_one_leaves_it_paused(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator), make_fan(creator))
        settle(campaign, failed=1)
        campaigning.pause(campaign, reason="Wrong price.")

        assert campaigning.retry_failed(campaign) == 1

        campaign.refresh_from_db()
        assert (campaign.status, campaign.reason, tally(campaign)) == ("paused", "Wrong price.", {"queued": 2})
        assert self.front(creator) == []
        campaigning.resume(campaign)
        assert len(self.front(creator)) == 2

    def test_a_message_of_a_cancelled_one_is_not_sent_again(self, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator), make_fan(creator))
        settle(campaign, failed=1)
        campaigning.cancel(campaign)
        failed = campaign.messages.get(status=Status.FAILED)

        with pytest.raises(StateForbids, match="campaign is cancelled"):
            failed.retry(by=None)

        assert tally(campaign) == recount(campaign) == {"failed": 1, "cancelled": 1}

    def test_media_that_cannot_be_uploaded_stops_it(self, creator: Creator) -> None:
        campaign = launched(creator, media_urls=[BEACH])

        campaigning.stop_for_a_person(campaign, reason="No such file.")

        assert (campaign.status, campaign.reason) == ("paused", "No such file.")

    @pytest.mark.parametrize("act", [campaigning.resume, campaigning.retry_failed, campaigning.pause])
    def test_a_draft_begins_by_its_launch_only(self, creator: Creator, act: Callable[[Campaign], object]) -> None:
        campaign = make_campaign(creator)

        with pytest.raises(IllegalCampaignMove):
            act(campaign)

        assert Campaign.objects.get().status == "draft"

    def test_a_paused_one_is_not_launched_again(self, creator: Creator) -> None:
        campaign = launched(creator)
        campaigning.pause(campaign)

        with pytest.raises(IllegalCampaignMove):
            campaigning.launch(campaign)

        assert tally(campaign) == {"queued": 1}


class TestQuietHours:
    @pytest.mark.parametrize(
        ("begin", "end", "now", "until"),
        [
            # Paris is two hours ahead in July.
            (time(22), time(8), "2026-07-01T19:59", None),
            (time(22), time(8), "2026-07-01T20:00", "2026-07-02T06:00"),
            (time(22), time(8), "2026-07-02T05:59", "2026-07-02T06:00"),
            (time(22), time(8), "2026-07-02T06:00", None),
            (time(12), time(14), "2026-07-01T11:00", "2026-07-01T12:00"),
            (time(12), time(12), "2026-07-01T10:00", None),
            # The night in which the clock goes from 2 to 3: quiet ends one hour earlier in UTC.
            (time(22), time(8), "2026-03-28T21:30", "2026-03-29T06:00"),
            # And back from 3 to 2.
            (time(22), time(8), "2026-10-24T21:30", "2026-10-25T07:00"),
            (time(1), time(2, 30), "2026-03-29T00:30", "2026-03-29T01:30"),
        ],
    )
    def test_they_end_by_the_creators_clock(
        self, creator: Creator, begin: time, end: time, now: str, until: str | None
    ) -> None:
        campaign = Campaign(creator=creator, quiet_from=begin, quiet_until=end)

        found = campaign.quiet_until_when(datetime.fromisoformat(now).replace(tzinfo=UTC))

        assert found == (datetime.fromisoformat(until).replace(tzinfo=UTC) if until else None)

    def test_they_hold_it_and_exclude_nobody(self, creator: Creator) -> None:
        now = database_now().astimezone(UTC)
        creator.timezone = "UTC"
        creator.save()
        begin, end = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()

        campaign = launched(creator, quiet_from=begin, quiet_until=end)

        message = campaign.messages.get()
        assert not Message.objects.front(creator.pk, database_now()).exists()
        waits = forecast(message)
        assert waits is not None
        assert (waits.reason, waits.at) == ("quiet_hours", Campaign.objects.get().held_until)
        Campaign.objects.update(quiet_from=None, quiet_until=None)
        campaigning.serve()
        assert Message.objects.front(creator.pk, database_now()).get() == message


class TestForecast:
    def test_the_end_is_named_by_the_pace_and_what_stands_in_front(
        self, creator: Creator, gate_opens: Callable[[float | None], None]
    ) -> None:
        gate_opens(0.0)
        campaign = launched(creator, *(make_fan(creator) for _ in range(10)))
        make_message(make_conversation(creator))
        now = database_now()
        Dispatch.note(heartbeat_at=now)

        expected = completion(campaign, now=now)

        assert expected is not None
        assert expected.at == now + timedelta(seconds=10 * 6.03)

    def test_quiet_hours_are_slept_through(self, creator: Creator) -> None:
        campaign = Campaign(creator=creator, quiet_from=time(22), quiet_until=time(8))
        start = datetime(2026, 7, 1, 19, 0, tzinfo=UTC)

        assert campaign.after_quiet_hours(start, timedelta(minutes=30)) == start + timedelta(minutes=30)
        assert campaign.after_quiet_hours(start, timedelta(hours=2)) == datetime(2026, 7, 2, 7, 0, tzinfo=UTC)
        # An hour, then fourteen a day.
        assert campaign.after_quiet_hours(start, timedelta(hours=16)) == datetime(2026, 7, 3, 7, 0, tzinfo=UTC)

    def test_a_paused_one_has_no_end_and_asks_no_gate(self, creator: Creator, settings: Settings) -> None:
        settings.ASK_THE_GATE = "nobody.is_there"
        campaign = launched(creator)
        campaigning.pause(campaign, reason="Lunch")

        expected = completion(campaign)

        assert expected is not None
        assert expected.at is None
        assert "Lunch" in expected.words
