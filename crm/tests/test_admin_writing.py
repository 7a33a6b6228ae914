"""Writing from the staff's tool: the same verbs, rules and words as everywhere else."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from crm import campaigning
from crm.models import Campaign, Conversation, Creator, Fan, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_fan
from crm.tests.test_admin import page_of, run, staff

pytestmark = pytest.mark.django_db

__all__ = ["staff"]

MANY = "message_selected"


@pytest.fixture
def writer(staff: Callable[..., Client]) -> Client:
    return staff("view_fan", "view_conversation", "view_message", "add_message", "add_campaign", "view_campaign")


def write(client: Client, fan: Fan, **typed: Any) -> Any:
    return client.post(reverse("admin:crm_fan_write", args=[fan.pk]), {"text": "Hello!"} | typed)


def write_to(client: Client, *fans: Fan, **typed: Any) -> Any:
    data = {"action": MANY, "_selected_action": [fan.pk for fan in fans], "written": "1"}
    return client.post(page_of(Fan, "changelist"), data | {"way": "now", "name": "News", "text": "Hello!"} | typed)


class TestToOne:
    def test_a_message_waits_in_the_line_and_its_page_is_next(self, writer: Client) -> None:
        fan = make_fan()

        answer = write(writer, fan)

        message = Message.objects.get()
        assert answer.headers["Location"] == page_of(Message, "change", message.pk)
        assert (message.status, message.text, message.conversation.fan) == (Status.QUEUED, "Hello!", fan)
        assert message.author == LogEntry.objects.get().user
        assert "Hello" not in LogEntry.objects.get().change_message

    def test_from_a_conversation_it_goes_to_its_fan(self, writer: Client) -> None:
        conversation = make_conversation()

        page = writer.get(page_of(Conversation, "change", conversation.pk)).text
        address = reverse("admin:crm_conversation_write", args=[conversation.pk])
        assert address in page
        writer.post(address, {"text": "Hello!"})

        assert Message.objects.get().conversation == conversation

    def test_a_form_posted_twice_is_one_message(self, writer: Client) -> None:
        fan = make_fan()
        key = "3f0d3c1e-0000-4000-8000-000000000001"

        write(writer, fan, client_key=key)
        write(writer, fan, client_key=key)

        assert Message.objects.count() == 1

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ({"text": ""}, "the message is empty"),
            ({"text": "x" * 5001}, "at most 5000 characters"),
            ({"price": "2"}, "from $3 to $200"),
            ({"price": "5"}, "media"),
            ({"send_at": "2000-01-01T10:00"}, "This time has passed"),
        ],
    )
    def test_what_is_refused_names_the_limit_and_begins_nothing(
        self, typed: dict[str, str], words: str, writer: Client
    ) -> None:
        answer = write(writer, make_fan(), **typed)

        assert answer.status_code == 200
        assert words in answer.text
        assert not Message.objects.exists()
        assert not Conversation.objects.exists()

    def test_a_fan_whom_the_platform_does_not_know_cannot_be_written_to(self, writer: Client) -> None:
        fan = make_fan(platform_id="")

        answer = write(writer, fan)

        assert answer.text.count("no platform id yet") == 1
        assert not Message.objects.exists()

    def test_whoever_may_not_add_messages_may_not_write(self, staff: Callable[..., Client]) -> None:
        client, fan = staff("view_fan"), make_fan()

        assert write(client, fan).status_code == 403
        assert "Write message" not in client.get(page_of(Fan, "change", fan.pk)).text
        assert not Message.objects.exists()

    def test_nobody_writes_to_a_fan_who_does_not_exist(self, writer: Client) -> None:
        assert writer.get(reverse("admin:crm_fan_write", args=[404])).status_code == 404


class TestToMany:
    def test_chosen_fans_get_one_message_each_by_a_campaign_that_runs(self, writer: Client) -> None:
        creator = make_creator()
        fans = [make_fan(creator), make_fan(creator)]

        form = run(writer, MANY, *fans)
        assert "Message 2 fans" in form.text
        answer = write_to(writer, *fans)

        campaign = Campaign.objects.get()
        assert answer.headers["Location"] == page_of(Campaign, "change", campaign.pk)
        assert campaign.status == Campaign.Status.RUNNING
        assert campaign.messages.count() == 2

    def test_a_campaign_as_a_draft_sends_nothing_until_it_is_launched(
        self, writer: Client, staff: Callable[..., Client]
    ) -> None:
        write_to(writer, make_fan(), way="draft")

        campaign = Campaign.objects.get()
        assert campaign.status == Campaign.Status.DRAFT
        assert not Message.objects.exists()

        run(staff("view_campaign", "change_campaign"), "launch", campaign)
        assert Message.objects.count() == 1

    def test_more_than_a_hundred_are_told_so_and_go_as_a_campaign(
        self, writer: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(campaigning, "BULK_MAX", 1)
        creator = make_creator()
        fans = [make_fan(creator), make_fan(creator)]

        answer = write_to(writer, *fans)

        assert "At most 1 fans at once, and these are 2" in answer.text
        assert not Campaign.objects.exists()
        write_to(writer, *fans, way="draft")
        assert len(Campaign.objects.get().audience["fans"]) == 2

    def test_all_that_match_are_meant_when_all_were_chosen(self, writer: Client) -> None:
        creator = make_creator()
        first, _second = make_fan(creator), make_fan(creator)

        write_to(writer, first, select_across="1")

        assert Message.objects.count() == 2

    def test_how_many_are_chosen_is_said(self, writer: Client) -> None:
        fans = [make_fan(make_creator(name="Mia"))]

        one = write_to(writer, *fans, text="").context["title"]
        two = write_to(writer, *fans, make_fan(fans[0].creator), text="").context["title"]

        assert [one, two] == ["Message 1 fan of Mia", "Message 2 fans of Mia"]

    def test_fans_of_several_creators_are_refused(self, writer: Client) -> None:
        answer = run(writer, MANY, make_fan(), make_fan())

        assert "several creators" in answer.text
        assert not Campaign.objects.exists()

    def test_one_who_cannot_be_written_to_is_named_and_nobody_gets_it(self, writer: Client) -> None:
        creator = make_creator()
        blocked = make_fan(creator, name="Theo", blocked_at=creator.created_at)

        answer = write_to(writer, make_fan(creator), blocked)

        assert "without a platform id yet: Theo. A campaign leaves them out." in answer.text
        assert not Message.objects.exists()
        assert not Campaign.objects.exists()

    @pytest.mark.parametrize(
        ("typed", "words"),
        [
            ({"text": "Hello {nam}!"}, "Not a variable: nam"),
            ({"price": "2"}, "from $3 to $200"),
            ({"name": ""}, "required"),
        ],
    )
    def test_what_is_refused_is_said_at_its_field(self, typed: dict[str, str], words: str, writer: Client) -> None:
        answer = write_to(writer, make_fan(), **typed)

        assert words in answer.text
        assert not Campaign.objects.exists()

    def test_whoever_may_not_add_campaigns_is_not_offered_it(self, staff: Callable[..., Client]) -> None:
        client = staff("view_fan", "change_fan", "add_message")

        write_to(client, make_fan())

        assert MANY not in client.get(page_of(Fan, "changelist")).text
        assert not Campaign.objects.exists()
        assert Creator.objects.count() == 1
