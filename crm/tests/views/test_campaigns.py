"""The pages of campaigns, without a browser."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from crm import campaigning
from crm.clock import database_now
from crm.models import Campaign, Creator, Dispatch, Fan, Line, Membership, Message, Tally, Transaction, User
from crm.models.messages import Status
from crm.segments import READY_MADE
from crm.tests.factories import make_creator, make_fan, make_segment, make_user
from crm.tests.plans import plan_of_statement
from crm.tests.views.asking import text_of

pytestmark = pytest.mark.django_db

LIST, NEW = "/campaigns", "/campaigns/new"
#: Those who have no message, of any campaign at times.
WITHOUT_MESSAGE = r"recipient_to_enlist|sqlite_autoindex_crm_recipient_\d"
BEACH = "https://files.example.test/beach.jpg"


@pytest.fixture
def user() -> User:
    Dispatch.note(heartbeat_at=database_now())
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user, name="Mia", timezone="Europe/Paris")


@pytest.fixture
def web(client: Client, user: User, creator: Creator) -> Client:
    client.force_login(user)
    return client


def typed(**values: Any) -> dict[str, Any]:
    """What the form sends for a free message to nobody in particular."""
    plain = {"name": "News", "source": "filter", "text": "Hi {name|you}", "pause_at_error_percent": 10}
    return {name: value for name, value in (plain | values).items() if value is not None}


def make_campaign(creator: Creator, *fans: Fan, **written: Any) -> Campaign:
    audience = {"fans": [str(fan.public_id) for fan in fans or (make_fan(creator),)]}
    values: dict[str, Any] = {"name": "News", "text": "Hi {name|you}", "audience": audience}
    return campaigning.draft(creator, author=None, **(values | written))


def launched(creator: Creator, *fans: Fan, **written: Any) -> Campaign:
    campaign = make_campaign(creator, *fans, **written)
    campaigning.launch(campaign)
    return campaign


def fail(message: Message | None, cause: str = "The platform said no.") -> None:
    assert message
    message.hand_over(until=database_now())
    message.settle(Status.FAILED, cause_code="no", cause=cause)


def address(campaign: Campaign, name: str = "campaign") -> str:
    return reverse(name, args=[campaign.public_id])


def act(web: Client, campaign: Campaign, name: str, **values: Any) -> Any:
    return web.post(address(campaign), {"act": name, **values})


class TestWriting:
    def test_one_is_kept_and_nothing_is_sent(self, web: Client, creator: Creator) -> None:
        segment = make_segment(creator, rule={"valueMin": 100})

        answer = web.post(
            NEW,
            typed(
                source="segment",
                segment=str(segment.public_id),
                price="12.50",
                media_urls=BEACH,
                quiet_from="22:00",
                quiet_until="08:00",
                leave_out=[str(segment.public_id)],
                leave_out_hours="24",
                leave_out_bought="on",
                cap_campaigns="2",
                cap_days="7",
                pause_at_error_percent="25",
            ),
        )

        campaign = Campaign.objects.get()
        assert (answer.status_code, answer["Location"]) == (303, address(campaign))
        assert (campaign.status, campaign.price_cents, campaign.media_urls) == ("draft", 1250, [BEACH])
        assert campaign.audience == {"segment": str(segment.public_id)}
        assert campaign.exclusions == {
            "segments": [str(segment.public_id)],
            "messagedWithinHours": 24,
            "alreadyBought": True,
            "frequencyCap": {"campaigns": 2, "days": 7},
        }
        assert campaign.pause_at_error_percent == 25
        assert not Message.objects.exists()

    def test_what_was_written_is_in_the_form_again(self, web: Client, creator: Creator) -> None:
        segment = make_segment(creator)
        kept_back = {"leave_out": [str(segment.public_id)], "cap_campaigns": "2", "cap_days": "7"}
        quiet = {"quiet_from": "22:00", "quiet_until": "08:00"}
        web.post(NEW, typed(valueMin="12.50", neverBought="false", **kept_back, **quiet))
        campaign = Campaign.objects.get()
        before = (campaign.audience, campaign.exclusions, campaign.quiet_from, campaign.text)

        form = web.get(address(campaign, "edit_campaign")).context["form"]
        web.post(address(campaign, "edit_campaign"), form.as_sent().data)

        campaign = Campaign.objects.get()
        assert (campaign.audience, campaign.exclusions, campaign.quiet_from, campaign.text) == before
        assert campaign.audience == {"rule": {"valueMin": 1250, "neverBought": "false"}}

    def test_the_time_is_the_creators(self, web: Client, creator: Creator) -> None:
        in_paris = (database_now() + timedelta(days=3)).astimezone(ZoneInfo("Europe/Paris"))
        soon = in_paris.replace(second=0, microsecond=0)

        web.post(NEW, typed(scheduled_at=soon.strftime("%Y-%m-%dT%H:%M")))

        assert Campaign.objects.get().scheduled_at == soon

    def test_nobody_is_chosen_until_somebody_chooses(self, web: Client, creator: Creator) -> None:
        page = web.get(NEW)

        assert page.context["form"].fields["segment"].choices[0][0] == ""
        assert "save one first" in text_of(page)
        make_segment(creator)
        assert "save one first" not in text_of(web.get(NEW))

    def test_fans_are_named_by_hand(self, web: Client, creator: Creator) -> None:
        mia, leo = make_fan(creator, handle="mia"), make_fan(creator)

        web.post(NEW, typed(source="fans", fans=f"@mia, {leo.platform_id}"))

        assert Campaign.objects.get().audience == {"fans": [str(mia.public_id), str(leo.public_id)]}

    def test_a_ready_made_segment_is_its_rule(self, web: Client, creator: Creator) -> None:
        web.post(NEW, typed(source="segment", segment="ready:spent-100"))

        assert Campaign.objects.get().audience == {"rule": {"valueMin": 10_000}}

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"name": ""}, "name"),
            ({"text": ""}, "text"),
            ({"text": "Hi {nmae|you}"}, "text"),
            ({"price": "12"}, "price"),
            ({"price": "x"}, "price"),
            ({"media_urls": "ftp://x.test/a"}, "media_urls"),
            ({"source": "fans", "fans": "@nobody"}, "fans"),
            ({"source": "fans", "fans": ""}, "source"),
            ({"source": "segment", "segment": ""}, "segment"),
            ({"topPercent": "101"}, "topPercent"),
            ({"lastSeenAfter": "yesterday"}, "lastSeenAfter"),
            ({"cap_campaigns": "2"}, "cap_campaigns"),
            ({"quiet_from": "22:00"}, "quiet_from"),
            ({"scheduled_at": "2020-01-01T10:00"}, "scheduled_at"),
            ({"pause_at_error_percent": "0"}, "pause_at_error_percent"),
        ],
    )
    def test_what_is_wrong_is_said_at_its_field_and_nothing_is_lost(
        self, web: Client, wrong: dict[str, str], field: str
    ) -> None:
        answer = web.post(NEW, typed(**wrong))

        assert answer.status_code == 400
        assert set(answer.context["form"].errors) == {field}
        assert answer.context["form"]["pause_at_error_percent"].value()
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize("where", [NEW, "/messages/bulk"])
    def test_the_fans_page_hands_its_choice_on(self, web: Client, creator: Creator, where: str) -> None:
        fans = [make_fan(creator, value_cents=500), make_fan(creator)]
        segment = make_segment(creator)
        ids = ",".join(str(fan.public_id) for fan in fans)

        named = web.get(where, {"fans": ids}).context
        by_segment = web.get(where, {"segment": str(segment.public_id)}).context
        by_ready = web.get(where, {"segment": f"ready:{READY_MADE[0].key}"}).context
        by_filter = web.get(where, {"valueMin": "500"}).context

        assert [shown["form"]["source"].value() for shown in (named, by_segment, by_ready, by_filter)] == [
            "fans",
            "segment",
            "segment",
            "filter",
        ]
        assert [shown["seen"].reached for shown in (named, by_segment, by_ready, by_filter)] == [2, 2, 0, 1]
        assert by_filter["form"]["valueMin"].value() == "5.00"

    def test_a_tag_is_known_by_its_name_in_the_address(self, web: Client, creator: Creator) -> None:
        tag = creator.tags.create(name="Whale")
        make_fan(creator).tags.add(tag, through_defaults={})
        make_fan(creator)

        shown = web.get(NEW, {"tag": "whale"}).context

        assert (shown["form"]["tag"].value(), shown["seen"].reached) == (str(tag.public_id), 1)

    def test_what_has_begun_is_not_written_differently(self, web: Client, creator: Creator) -> None:
        campaign = launched(creator)

        answer = web.post(address(campaign, "edit_campaign"), typed(text="Bye"))

        assert answer.status_code == 302
        assert Campaign.objects.get().text == "Hi {name|you}"

    def test_a_rule_that_the_form_cannot_show_is_kept(self, web: Client, creator: Creator) -> None:
        rule = {"any": [{"valueMin": 100}, {"unread": True}]}
        campaign = make_campaign(creator, audience={"rule": rule})

        form = web.get(address(campaign, "edit_campaign")).context["form"]
        web.post(address(campaign, "edit_campaign"), form.as_sent().data)

        assert form["source"].value() == "kept"
        assert Campaign.objects.get().audience == {"rule": rule}


class TestPreview:
    def test_it_counts_with_reasons_and_reads_as_some_fans_would(self, web: Client, creator: Creator) -> None:
        make_fan(creator, name="Leo", value_cents=900)
        make_fan(creator, platform_id="")
        make_fan(creator, blocked_at=database_now())

        answer = web.post("/campaigns/preview", typed())

        shown = text_of(answer)
        assert (answer.context["seen"].total, answer.context["seen"].reached) == (3, 1)
        assert "Hi Leo" in shown
        assert "Hi you" in shown
        assert "No platform id yet" in shown
        assert "Blocked" in shown
        assert not Campaign.objects.exists()

    def test_without_javascript_the_button_counts_and_keeps_what_was_typed(self, web: Client, creator: Creator) -> None:
        make_fan(creator)

        answer = web.post(NEW, typed(name="", preview="1"))

        assert answer.status_code == 200
        assert answer.context["seen"].reached == 1
        assert answer.context["form"]["text"].value() == "Hi {name|you}"
        assert not Campaign.objects.exists()

    def test_what_cannot_be_counted_is_said(self, web: Client) -> None:
        answer = web.post("/campaigns/preview", typed(source="fans", fans="@nobody"))

        assert "No fans of this creator: @nobody" in text_of(answer)

    def test_a_sample_is_twenty_fans(self, web: Client, creator: Creator) -> None:
        for _number in range(21):
            make_fan(creator)

        assert len(web.post("/campaigns/preview", typed()).context["letters"]) == 20


class TestDeciding:
    def test_it_runs_through_its_life(self, web: Client, creator: Creator) -> None:
        campaign = make_campaign(creator, make_fan(creator), make_fan(creator))

        steps = {"launch": "running", "pause": "paused", "resume": "running", "cancel": "cancelled"}
        for name, status in steps.items():
            answer = act(web, campaign, name)

            assert (answer.status_code, answer["Location"]) == (303, address(campaign))
            assert Campaign.objects.get().status == status
        assert "2 fans will not get it" in text_of(web.get(address(campaign)))

    def test_with_a_later_time_it_is_scheduled_and_taken_back(self, web: Client, creator: Creator) -> None:
        campaign = make_campaign(creator, scheduled_at=database_now() + timedelta(hours=1))

        act(web, campaign, "launch")
        assert Campaign.objects.get().status == "scheduled"
        assert web.get(address(campaign, "campaign_progress"), {"status": "scheduled"}).status_code == 204
        act(web, campaign, "unschedule")

        assert (Campaign.objects.get().status, Campaign.objects.get().scheduled_at) == ("draft", None)

    def test_an_overdue_one_waits_for_a_person_with_two_buttons(self, web: Client, creator: Creator) -> None:
        campaign = make_campaign(creator, scheduled_at=database_now() + timedelta(hours=1))
        campaigning.launch(campaign)
        Campaign.objects.update(scheduled_at=database_now() - timedelta(minutes=16))
        campaigning.serve()

        shown = web.get(address(campaign)).content.decode()

        assert "Its time passed while nothing was sent" in shown
        assert shown.count('value="launch"') == 1
        assert shown.count('value="unschedule"') == 1
        act(web, campaign, "launch")
        assert Campaign.objects.get().status == "running"

    def test_a_draft_is_discarded_and_one_that_began_is_not(self, web: Client, creator: Creator) -> None:
        draft, running = make_campaign(creator), launched(creator)

        assert act(web, draft, "discard")["Location"] == LIST
        assert act(web, running, "discard").status_code == 409
        assert list(Campaign.objects.all()) == [running]

    def test_a_copy_is_a_draft_to_be_edited(self, web: Client, creator: Creator) -> None:
        campaign = launched(creator)

        answer = act(web, campaign, "copy")

        copied = Campaign.objects.exclude(pk=campaign.pk).get()
        assert (copied.status, answer["Location"]) == ("draft", address(copied, "edit_campaign"))

    def test_only_the_failed_ones_are_retried(self, web: Client, creator: Creator) -> None:
        campaign = launched(creator, make_fan(creator), make_fan(creator))
        fail(campaign.messages.first())

        assert "The platform said no." in text_of(web.get(address(campaign)))
        act(web, campaign, "retry")

        assert campaign.messages.waiting().count() == 2

    def test_a_test_goes_out_once_however_often_the_button_is_pressed(self, web: Client, creator: Creator) -> None:
        campaign, fan = make_campaign(creator), make_fan(creator, name="Ada")
        key = str(uuid4())

        for _press in range(2):
            assert act(web, campaign, "test", fans=f"@{fan.handle}", key=key).status_code == 303

        assert [message.text for message in Message.objects.all()] == ["TEST · Hi Ada"]

    def test_what_the_state_forbids_is_said(self, web: Client, creator: Creator) -> None:
        campaign = make_campaign(creator)

        assert act(web, campaign, "pause").status_code == 409
        assert act(web, campaign, "explode").status_code == 400
        assert "No fans of this creator: @nobody" in text_of(act(web, campaign, "test", fans="@nobody"))

    def test_nobody_to_reach_is_said_and_nothing_begins(self, web: Client, creator: Creator) -> None:
        campaign = make_campaign(creator, make_fan(creator, platform_id=""))

        answer = act(web, campaign, "launch")

        assert answer.status_code == 400
        assert "nobody would get it" in text_of(answer)
        assert Campaign.objects.get().status == "draft"

    @pytest.mark.parametrize("role", [Membership.Role.CHATTER, Membership.Role.VIEWER])
    def test_who_may_not_decide_looks_on(self, web: Client, creator: Creator, role: Membership.Role) -> None:
        campaign = make_campaign(creator)
        Membership.objects.update(role=role)

        assert web.get(LIST).status_code == web.get(address(campaign)).status_code == 200
        assert 'name="act"' not in web.get(address(campaign)).content.decode()
        assert act(web, campaign, "launch").status_code == 403
        assert web.get(NEW).status_code == web.post(NEW, typed()).status_code == 403
        assert web.get(address(campaign, "edit_campaign")).status_code == 403


class TestProgress:
    def test_it_says_how_far_it_is_and_when_it_is_done(
        self, web: Client, creator: Creator, gate_opens: Callable[[float | None], None]
    ) -> None:
        gate_opens(0.0)
        campaign = launched(creator, *(make_fan(creator) for _ in range(10)))
        fail(campaign.messages.first())

        shown = text_of(web.get(address(campaign)))

        assert "0 of 10 sent" in shown
        assert "Done about" in shown
        assert "one message every 6.03 s" in shown

    @pytest.mark.parametrize(
        ("stop", "words"),
        [
            (lambda: Dispatch.note(stopped_at=database_now(), stopped_reason="Storm."), "All sending is stopped."),
            (lambda: Dispatch.note(heartbeat_at=database_now() - timedelta(hours=1)), "nothing is being sent"),
            (lambda: Campaign.objects.update(held_until=database_now() + timedelta(hours=1)), "in its quiet hours"),
            (lambda: Line.objects.get().pause(reason="Sign in again.", now=database_now()), "Sign in again."),
        ],
        ids=["kill switch", "dispatch is silent", "quiet hours", "session lost"],
    )
    def test_why_it_waits_is_said(self, web: Client, creator: Creator, stop: Callable[[], object], words: str) -> None:
        campaign = launched(creator)
        stop()

        assert words in text_of(web.get(address(campaign)))

    def test_the_part_refreshes_itself_while_it_runs_and_only_then(self, web: Client, creator: Creator) -> None:
        campaign = launched(creator)
        part = address(campaign, "campaign_progress")

        assert 'hx-trigger="every' in web.get(part, {"status": "running"}).content.decode()
        act(web, campaign, "pause")

        assert web.get(part, {"status": "running"})["HX-Refresh"] == "true"
        assert 'hx-trigger="every' not in web.get(address(campaign)).content.decode()

    def test_a_scheduled_one_shows_itself_when_it_begins(self, web: Client, creator: Creator) -> None:
        campaign = make_campaign(creator, scheduled_at=database_now() + timedelta(hours=1))
        campaigning.launch(campaign)
        part = f"{address(campaign, 'campaign_progress')}?status=scheduled"
        assert f'hx-get="{part}" hx-trigger="every' in web.get(address(campaign)).text

        Campaign.objects.update(scheduled_at=database_now())
        campaigning.serve()

        assert web.get(part)["HX-Refresh"] == "true"

    def test_it_says_whom_it_leaves_out(self, web: Client, creator: Creator) -> None:
        regulars = make_segment(creator, name="Regulars")
        campaign = make_campaign(
            creator,
            exclusions={
                "segments": [str(regulars.public_id)],
                "messagedWithinHours": 24,
                "alreadyBought": True,
                "frequencyCap": {"campaigns": 2, "days": 7},
            },
        )

        page = text_of(web.get(address(campaign)))

        for words in ("in “Regulars”", "written to in the last 24 hours", "bought this media", "2 campaigns in 7 days"):
            assert words in page

    def test_it_says_what_it_earned_by_currency(self, web: Client, creator: Creator) -> None:
        campaign = launched(creator, price_cents=500, media_urls=[BEACH])
        for currency, cents in (("USD", 500), ("USD", 700), ("EUR", 300)):
            Transaction.objects.create(
                creator=creator,
                campaign=campaign,
                kind="message",
                amount_cents=cents,
                currency=currency,
                occurred_at=database_now(),
                source="event",
            )

        for where in (address(campaign), LIST):
            shown = text_of(web.get(where))
            assert "$12" in shown
            assert "€3" in shown


class TestList:
    def test_campaigns_are_listed_newest_first_and_by_state(self, web: Client, creator: Creator) -> None:
        draft, running = make_campaign(creator), launched(creator)
        make_campaign(make_creator())

        rows = web.get(LIST).context["rows"]
        only = web.get(LIST, {"status": "draft"}).context["rows"]

        assert [row.campaign for row in rows] == [running, draft]
        assert [row.campaign for row in only] == [draft]
        assert (rows[0].progress.reached, rows[0].progress.percent) == (1, 0)

    def test_it_goes_on_page_by_page(self, web: Client, creator: Creator) -> None:
        made = [make_campaign(creator) for _ in range(51)]

        first = web.get(LIST)
        second = web.get(LIST + first.context["older"])

        assert [row.campaign for row in second.context["rows"]] == made[:1]

    def test_without_one_there_is_what_to_do(self, web: Client) -> None:
        assert "No campaign yet" in text_of(web.get(LIST))


class TestRecipients:
    @pytest.fixture
    def campaign(self, creator: Creator) -> Campaign:
        campaign = launched(
            creator, make_fan(creator, name="=Mia"), make_fan(creator, platform_id=""), make_fan(creator, name="Leo")
        )
        fail(campaign.messages.order_by("pk").last())
        return campaign

    def test_everybody_is_there_and_can_be_asked_for(self, web: Client, campaign: Campaign) -> None:
        where = address(campaign, "recipients")

        assert len(web.get(where).context["rows"]) == 3
        [failed] = web.get(where, {"state": "failed"}).context["rows"]
        [left_out] = web.get(where, {"reason": "no_platform_id"}).context["rows"]
        assert web.get(where, {"reason": "no_platform_id", "state": "failed"}).context["rows"] == []
        assert [row.fan.name for row in web.get(where, {"state": "queued"}).context["rows"]] == ["=Mia"]
        assert (failed.fan.name, left_out.excluded) == ("Leo", "no_platform_id")
        assert "The platform said no." in text_of(web.get(where, {"state": "failed"}))

    def test_the_file_has_all_of_them_and_no_formula(self, web: Client, campaign: Campaign) -> None:
        answer = web.get(address(campaign, "recipients_file"))

        lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
        assert lines[0].startswith("Platform ID,Username,Display Name,State,Left Out Because")
        assert len(lines) == 4
        assert "'=Mia" in lines[1]
        assert "excluded,no_platform_id" in lines[2]
        assert "failed" in lines[3]

    def test_the_file_is_as_narrow_as_the_list(self, web: Client, campaign: Campaign) -> None:
        answer = web.get(address(campaign, "recipients_file"), {"state": "failed"})

        assert len(b"".join(answer.streaming_content).splitlines()) == 2  # type: ignore[attr-defined]


class TestScale:
    """A page of a large campaign asks as much as one of a small campaign."""

    @pytest.mark.usefixtures("redis_server")
    @pytest.mark.parametrize("name", ["campaigns", "campaign", "recipients", "campaign_progress"])
    def test_pages_ask_at_most_twelve_times(
        self, web: Client, creator: Creator, name: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        campaign = launched(creator, *(make_fan(creator) for _ in range(30)), media_urls=[BEACH], price_cents=500)
        campaign.attachments.update(provider_media_id="vault-1")
        campaigning.serve()
        launched(creator)
        fail(campaign.messages.first())
        where = LIST if name == "campaigns" else address(campaign, name)
        # As it is once a message has gone out: the bucket is known.
        Line.objects.update(bucket_law=creator.law)

        with django_assert_max_num_queries(12):
            assert web.get(where, {"status": "running"} if name == "campaign_progress" else {}).status_code == 200

    @pytest.mark.parametrize("state", ["queued", "failed", "waiting", "excluded", "cancelled"])
    def test_recipients_in_one_state_are_asked_for_at_once(
        self, web: Client, creator: Creator, state: str, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        fans = [make_fan(creator, platform_id=f"{number}" if number < 30 else "") for number in range(45)]
        campaign = launched(creator, *fans)
        campaign.messages.filter(pk__in=campaign.messages.values("pk")[:15]).update(status=Status.FAILED)
        if state == "cancelled":
            campaigning.cancel(campaign)

        with django_assert_max_num_queries(12):
            assert web.get(address(campaign, "recipients"), {"state": state}).status_code == 200

    # PostgreSQL joins small tables as their statistics happen to be; bench/pages.py measures large ones there.
    @pytest.mark.sqlite_only
    @pytest.mark.parametrize(
        ("asked", "index"),
        [
            ({}, "recipient_in_order"),
            ({"state": "waiting"}, WITHOUT_MESSAGE),
            ({"state": "excluded"}, "recipient_left_out"),
            ({"reason": "no_platform_id"}, "recipient_left_out_because"),
            ({"state": "failed"}, "message_of_campaign"),
        ],
    )
    def test_a_page_of_recipients_reads_no_more_than_it_shows(
        self, web: Client, creator: Creator, asked: dict[str, str], index: str
    ) -> None:
        for _campaign in range(2):
            campaign = launched(creator, *(make_fan(creator) for _ in range(20)))

        with CaptureQueriesContext(connection) as queries:
            web.get(address(campaign, "recipients"), asked)

        [page] = [each["sql"] for each in queries.captured_queries if "LIMIT 51" in each["sql"]]
        plan = plan_of_statement(page)
        assert re.search(rf"\b({index})\b", plan), plan
        assert not re.search(r"\bSort\b|TEMP B-TREE", plan), plan

    @pytest.mark.sqlite_only
    def test_who_was_cancelled_with_and_without_a_message_is_found_by_two_indexes(
        self, web: Client, creator: Creator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(campaigning, "ENLIST_AT_ONCE", 5)
        for _campaign in range(2):
            campaign = launched(creator, *(make_fan(creator) for _ in range(20)))
            campaigning.cancel(campaign)

        with CaptureQueriesContext(connection) as queries:
            page = web.get(address(campaign, "recipients"), {"state": "cancelled"})

        [_before, rows] = page.text.split("<tbody>")
        assert rows.count(">Cancelled<") == 20
        asked = [each["sql"] for each in queries.captured_queries if re.search(r"crm_recipient.*LIMIT", each["sql"])]
        for sql, index in zip(asked, ("message_of_campaign", WITHOUT_MESSAGE), strict=True):
            plan = plan_of_statement(sql)
            assert re.search(rf"\b({index})\b", plan), plan
            assert not re.search(r"\bSort\b|TEMP B-TREE", plan), plan

    def test_a_launch_asks_as_much_for_many_as_for_few(self, web: Client, creator: Creator) -> None:
        asked = []
        for _again in range(2):
            first = Fan.objects.count()
            numbers = range(first, first + 1100)
            Fan.objects.bulk_create(Fan(creator=creator, platform_id=f"f{n}", handle=f"f{n}") for n in numbers)
            campaign = make_campaign(creator, audience={"rule": {}})
            with CaptureQueriesContext(connection) as queries:
                act(web, campaign, "launch")
            asked.append(len(queries))

        assert Tally.objects.of(campaign.pk) == {"waiting": 2102, "queued": 100}
        # Dispatch makes the others. The conversations of those who were written to before are there already.
        assert asked[1] <= asked[0]
