import uuid
from collections.abc import Callable
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from crm import campaigning
from crm.clock import database_now
from crm.erasing import erase_fan
from crm.models import Campaign, Creator, Dispatch, Fan, Membership, Message, Transaction, User
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan, make_message, make_segment, make_user
from crm.tests.management.operator import run

pytestmark = pytest.mark.django_db

LIST = "/api/crm/campaigns"
BULK = "/api/messages/bulk"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user, role=Membership.Role.MANAGER)


@pytest.fixture
def api(client: Client, user: User) -> Client:
    client.force_login(user)
    return client


@pytest.fixture
def write(api: Client, creator: Creator) -> Callable[..., Any]:
    """A campaign to ``recipients`` fans, written over the API; returns the document."""

    def written(*, recipients: int = 2, **values: Any) -> Any:
        fans = [str(make_fan(creator).public_id) for _ in range(recipients)]
        answer = post(api, LIST, {"name": "News", "text": "Hi {name|you}", "audience": {"fans": fans}} | values)
        assert answer.status_code == 201, answer.content
        return answer.json()

    return written


def post(api: Client, address: str, body: Any = None) -> Any:
    return api.post(address, body or {}, content_type="application/json")


def act(api: Client, campaign: Any, name: str) -> Any:
    return post(api, f"{LIST}/{campaign['id']}/{name}")


class TestCampaigns:
    def test_one_is_written_read_and_listed(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(quietFrom="22:00", quietUntil="08:00", exclusions={"messagedWithinHours": 24})

        assert campaign["status"] == "draft"
        assert (campaign["quietFrom"], campaign["exclusions"]) == ("22:00:00", {"messagedWithinHours": 24})
        assert api.get(f"{LIST}/{campaign['id']}").json() == campaign
        assert [row["id"] for row in api.get(LIST).json()["results"]] == [campaign["id"]]
        assert api.get(LIST, {"status": "running"}).json()["results"] == []

    def test_what_is_wrong_is_said_by_the_clients_names(self, api: Client, creator: Creator) -> None:
        answer = post(api, LIST, {"name": "News", "text": "Hi {nmae|you}", "priceCents": 100, "audience": {"fans": []}})

        assert answer.status_code == 400
        assert {error["field"] for error in answer.json()["errors"]} == {"text", "priceCents", "audience"}
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize("audience", [{}, {"rule": {"valueMin": 1}}], ids=["no audience yet", "an audience"])
    def test_an_exclusion_that_there_is_not_is_refused_at_once(
        self, api: Client, creator: Creator, audience: dict[str, Any]
    ) -> None:
        draft = {"name": "News", "text": "Hi", "audience": audience, "exclusions": {"\0everybody": True}}

        answer = post(api, LIST, draft)

        assert [error["field"] for error in answer.json()["errors"]] == ["exclusions"]
        assert not Campaign.objects.exists()

    def test_a_rule_is_refused_by_its_path(self, api: Client, creator: Creator) -> None:
        answer = post(api, LIST, {"name": "News", "text": "Hi", "audience": {"rule": {"all": [{"colour": "red"}]}}})

        assert answer.status_code == 400
        assert "audience.rule.all.0.colour" in {error["field"] for error in answer.json()["errors"]}

    def test_it_runs_through_its_life(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(recipients=3)

        launched = act(api, campaign, "launch").json()
        assert (launched["status"], launched["counts"], launched["totalRecipients"]) == ("running", {"queued": 3}, 3)
        assert launched["estimatedCompletionTime"] is None
        assert launched["waiting"]["code"] == "dispatch_silent"
        assert act(api, campaign, "pause").json()["status"] == "paused"
        assert act(api, campaign, "resume").json()["status"] == "running"
        cancelled = act(api, campaign, "cancel").json()
        assert (cancelled["status"], cancelled["counts"]) == ("cancelled", {"cancelled": 3})
        assert act(api, campaign, "resume").status_code == 409

    def test_a_draft_is_changed_and_thrown_away_and_a_running_one_is_not(
        self, api: Client, write: Callable[..., Any]
    ) -> None:
        draft, running = write(), write()
        act(api, running, "launch")

        changed = api.patch(f"{LIST}/{draft['id']}", {"text": "Bye"}, content_type="application/json")

        assert changed.json()["text"] == "Bye"
        refused = api.patch(f"{LIST}/{running['id']}", {"text": "Bye"}, content_type="application/json")
        assert refused.status_code == 409
        assert api.delete(f"{LIST}/{draft['id']}").status_code == 204
        assert api.delete(f"{LIST}/{running['id']}").status_code == 409

    def test_with_a_later_time_it_is_scheduled(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(scheduledAt=(database_now() + timedelta(hours=1)).isoformat())

        assert act(api, campaign, "launch").json()["status"] == "scheduled"
        assert not Message.objects.exists()

    def test_a_preview_counts_with_reasons_and_reads_as_some_fans_would(self, api: Client, creator: Creator) -> None:
        fine = make_fan(creator, name="Leo", value_cents=500)
        make_fan(creator, platform_id="", value_cents=500)
        segment = make_segment(creator, rule={"valueMin": 100})
        make_fan(creator)

        seen = post(
            api,
            f"{LIST}/preview",
            {"audience": {"segment": str(segment.public_id)}, "text": "Hi {name|you}"},
        ).json()

        assert (seen["total"], seen["reached"], seen["excluded"]) == (2, 1, {"no_platform_id": 1})
        assert seen["sample"] == [{"fanId": str(fine.public_id), "name": "Leo", "text": "Hi Leo"}]
        assert not Campaign.objects.exists()

    def test_every_recipient_can_be_asked_for_by_state(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(recipients=3)
        act(api, campaign, "launch")
        row = Campaign.objects.get()
        failed = row.messages.first()
        assert failed
        failed.hand_over(until=database_now())
        failed.settle(Status.FAILED, cause_code="no", cause="The platform said no.")

        [shown] = api.get(f"{LIST}/{campaign['id']}/recipients", {"state": "failed"}).json()["results"]

        assert (shown["messageId"], shown["state"]) == (str(failed.public_id), "failed")
        assert shown["cause"] == "The platform said no."
        everybody = api.get(f"{LIST}/{campaign['id']}/recipients", {"total": "true"}).json()
        assert everybody["total"] == 3
        act(api, campaign, "retry")
        assert Campaign.objects.get().messages.waiting().count() == 3

    @pytest.mark.parametrize("sort", ["id", "-id"])
    def test_the_cancelled_are_one_list_with_and_without_a_message(
        self, api: Client, write: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, sort: str
    ) -> None:
        monkeypatch.setattr(campaigning, "ENLIST_AT_ONCE", 2)
        campaign = write(recipients=5)
        act(api, campaign, "launch")
        act(api, campaign, "cancel")
        asked: dict[str, Any] = {"state": "cancelled", "sort": sort, "limit": 3, "total": "true"}

        first = api.get(f"{LIST}/{campaign['id']}/recipients", asked).json()
        rest = api.get(first["next"]).json()

        shown = [row["messageId"] is not None for row in (*first["results"], *rest["results"])]
        assert shown == sorted([True, True, False, False, False], reverse=sort == "id")
        assert first["total"] == 5
        assert rest["next"] is None
        assert api.get(rest["previous"]).json()["results"] == first["results"]
        assert api.get(f"{LIST}/{campaign['id']}/recipients", {"state": "waiting"}).json()["results"] == []

    def test_an_erased_recipient_keeps_the_place_without_a_name(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(recipients=2)
        act(api, campaign, "launch")
        erase_fan(Fan.objects.filter(campaign_recipients__campaign__public_id=campaign["id"])[0])

        shown = api.get(f"{LIST}/{campaign['id']}/recipients").json()["results"]

        assert len(shown) == 2
        [erased] = [row for row in shown if row["excluded"] == "erased"]
        assert (erased["fanId"], erased["name"], erased["handle"]) == (None, "", "")

    def test_it_says_what_it_earned(self, api: Client, write: Callable[..., Any], creator: Creator) -> None:
        campaign = write()
        row = Campaign.objects.get()
        for currency, cents in (("USD", 500), ("USD", 700), ("EUR", 300)):
            Transaction.objects.create(
                creator=creator,
                campaign=row,
                kind="message",
                amount_cents=cents,
                currency=currency,
                occurred_at=database_now(),
                source="event",
            )

        shown = api.get(f"{LIST}/{campaign['id']}").json()

        assert shown["earnings"] == [{"currency": "EUR", "amountCents": 300}, {"currency": "USD", "amountCents": 1200}]

    def test_it_pauses_at_the_share_of_errors_that_was_written(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(pauseAtErrorPercent=25)

        assert campaign["pauseAtErrorPercent"] == 25
        assert Campaign.objects.get().pause_at_error_percent == 25

    def test_a_schedule_is_taken_back(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(scheduledAt=(database_now() + timedelta(hours=1)).isoformat())
        act(api, campaign, "launch")

        draft = act(api, campaign, "unschedule").json()

        assert (draft["status"], draft["scheduledAt"]) == ("draft", None)

    def test_a_copy_says_the_same_and_is_a_draft_of_its_own(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write(quietFrom="22:00", quietUntil="08:00", mediaUrls=["https://a.example/1.jpg"], priceCents=500)
        act(api, campaign, "launch")

        answer = act(api, campaign, "copy")

        assert answer.status_code == 201
        copied = answer.json()
        assert (copied["status"], copied["name"], copied["counts"]) == ("draft", "Copy of News", {})
        same = ("text", "mediaUrls", "priceCents", "audience", "exclusions", "quietFrom", "quietUntil")
        assert [copied[name] for name in same] == [campaign[name] for name in same]

    def test_a_test_goes_to_a_few_and_is_in_no_count(
        self, api: Client, write: Callable[..., Any], creator: Creator
    ) -> None:
        campaign, fan = write(), make_fan(creator, name="Ada")

        answer = post(api, f"{LIST}/{campaign['id']}/test", {"recipientIds": [f"@{fan.handle}"]})

        assert answer.status_code == 202
        [sent] = Message.objects.all()
        assert answer.json() == {"messageIds": [str(sent.public_id)]}
        assert (sent.text, sent.campaign) == ("TEST · Hi Ada", None)

    def test_a_chatter_looks_on(self, api: Client, write: Callable[..., Any]) -> None:
        campaign = write()
        Membership.objects.update(role=Membership.Role.CHATTER)

        assert api.get(LIST).status_code == 200
        assert act(api, campaign, "launch").status_code == 403
        assert Campaign.objects.get().status == "draft"

    def test_the_list_asks_the_same_number_of_queries_however_long(
        self, api: Client, write: Callable[..., Any], django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        for _ in range(5):
            act(api, write(recipients=1, mediaUrls=["https://a.example/1.jpg"]), "launch")

        with django_assert_max_num_queries(8):
            assert len(api.get(LIST).json()["results"]) == 5


class TestBulk:
    def test_everybody_gets_it_or_waits_for_their_turn(self, api: Client, creator: Creator) -> None:
        fans = [make_fan(creator) for _ in range(3)]
        wanted = [fans[0].platform_id, str(fans[1].public_id), fans[2].platform_id, fans[2].platform_id]

        answer = post(api, BULK, {"recipientIds": wanted, "content": "Hello", "campaignName": "Three"})

        assert answer.status_code == 202
        body = answer.json()
        assert (body["totalRecipients"], body["queued"], body["status"]) == (3, 3, "running")
        campaign = Campaign.objects.get(public_id=body["campaignId"])
        assert (campaign.name, campaign.messages.count()) == ("Three", 3)

    def test_nothing_is_written_unless_everybody_is_ours_and_the_others_are_named(
        self, api: Client, creator: Creator
    ) -> None:
        stranger, missing = make_fan(), str(uuid.uuid4())

        answer = post(
            api, BULK, {"recipientIds": [make_fan(creator).platform_id, stranger.platform_id, missing], "content": "x"}
        )

        assert answer.status_code == 400
        [error] = answer.json()["errors"]
        assert error["field"] == "recipientIds"
        assert stranger.platform_id in error["message"]
        assert missing in error["message"]
        assert not Campaign.objects.exists()

    def test_who_cannot_be_written_to_is_named(self, api: Client, creator: Creator) -> None:
        fan = make_fan(creator, platform_id="")

        answer = post(api, BULK, {"recipientIds": [str(fan.public_id)], "content": "x"})

        assert answer.status_code == 400
        assert str(fan.public_id) in answer.json()["errors"][0]["message"]
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize(("how_many", "status"), [(1, 202), (100, 202), (0, 400), (101, 400)])
    def test_takes_1_to_100_recipients(self, api: Client, creator: Creator, how_many: int, status: int) -> None:
        fans = [make_fan(creator).platform_id for _ in range(how_many)]

        assert post(api, BULK, {"recipientIds": fans, "content": "Hello"}).status_code == status

    @pytest.mark.parametrize(("opens_in", "seconds"), [(0.0, 60.3), (100.0, 160.3), (None, None)])
    def test_the_end_is_estimated_from_the_bucket_and_the_line_in_front_wherever_one_looks(
        self,
        api: Client,
        creator: Creator,
        gate_opens: Callable[[float | None], None],
        opens_in: float | None,
        seconds: float | None,
    ) -> None:
        gate_opens(opens_in)
        Dispatch.note(heartbeat_at=database_now())
        make_message(make_conversation(creator))
        wanted = [make_fan(creator).platform_id for _ in range(10)]

        sent = post(api, BULK, {"recipientIds": wanted, "content": "Hello"}).json()
        read = api.get(f"{LIST}/{sent['campaignId']}").json()
        page = api.get(f"/campaigns/{sent['campaignId']}").context["expected"]
        [told] = run("campaign_status", "--json").json["campaigns"]

        ends = [*(each["estimatedCompletionTime"] for each in (sent, read, told)), page.at and page.at.isoformat()]
        if seconds is None:
            assert (ends, page.reason, read["waiting"]["code"]) == ([None] * 4, "gate_down", "gate_down")
        else:
            waits = [(datetime.fromisoformat(end) - database_now()).total_seconds() for end in ends]
            assert waits == pytest.approx([seconds] * 4, abs=10)


def test_quiet_hours_that_are_not_said_are_the_creators(write: Callable[..., Any], creator: Creator) -> None:
    creator.change(quiet_from=time(22), quiet_until=time(8))

    assert write()["quietFrom"] == "22:00:00"
    assert write(quietFrom=None, quietUntil=None)["quietFrom"] is None
    assert write(quietFrom="23:00", quietUntil="07:00")["quietUntil"] == "07:00:00"
