import json
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import serializers
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import erasing
from crm.models import (
    Campaign,
    Conversation,
    Creator,
    Fan,
    KeptReply,
    Line,
    Message,
    Note,
    Recipient,
    SubscriptionEvent,
    Transaction,
)
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan, make_message, make_user

pytestmark = pytest.mark.django_db

SECRET = "Xanthippe"


@pytest.fixture
def fan() -> Fan:
    """Somebody whose name stands wherever a name can stand."""
    fan = make_fan(name=SECRET, handle=SECRET, platform_id=SECRET, email=f"{SECRET}@example.com")
    now, creator = timezone.now(), fan.creator
    talk = make_conversation(fan=fan, last_text=SECRET)
    message = make_message(talk, status=Status.SENT, text=f"Hello {SECRET}")
    make_message(talk, text=f"Soon, {SECRET}")
    make_message(talk, status=Status.HANDED_OVER, text=f"Now, {SECRET}")
    campaign = Campaign.objects.create(creator=creator, name="All", text="Hello")
    Recipient.objects.create(campaign=campaign, fan=fan, message=message)
    Note.objects.create(fan=fan, text=SECRET)
    SubscriptionEvent.objects.create(creator=creator, fan=fan, kind="started", occurred_at=now)
    Transaction.objects.create(
        creator=creator,
        fan=fan,
        message=message,
        kind="tip",
        amount_cents=700,
        occurred_at=now,
        source="event",
        description=f"Tip from {SECRET}",
    )
    KeptReply.objects.create(
        user=make_user(), route=f"/conversations/{talk.public_id}/messages", key="k", status=202, body=SECRET
    )
    LogEntry.objects.create(
        user=make_user(),
        content_type=ContentType.objects.get_for_model(Fan),
        object_id=str(fan.pk),
        object_repr=SECRET,
        action_flag=CHANGE,
    )
    return fan


def everything_in_the_database() -> str:
    rows = [row for model in apps.get_models() for row in model._base_manager.all()]
    return json.dumps(serializers.serialize("json", rows))


def test_nothing_of_the_person_is_left(fan: Fan) -> None:
    assert SECRET in everything_in_the_database()

    erasing.erase_fan(fan)

    assert SECRET not in everything_in_the_database()
    assert not Message.objects.exists()
    assert not Conversation.objects.exists()


def test_money_places_and_comings_stay_counted_without_the_person(fan: Fan) -> None:
    erasing.erase_fan(fan)

    payment = Transaction.objects.get()
    assert (payment.amount_cents, payment.fan, payment.message) == (700, None, None)
    assert SubscriptionEvent.objects.get().fan is None
    recipient = Recipient.objects.get()
    assert (recipient.fan, recipient.message, recipient.excluded) == (None, None, Recipient.Exclusion.ERASED)


def test_a_call_under_way_is_waited_for_and_nothing_is_changed(fan: Fan) -> None:
    make_message(fan.conversation, status=Status.SENDING)

    with pytest.raises(erasing.OnItsWay):
        erasing.erase_fan(fan)

    assert Message.objects.filter(status=Status.HANDED_OVER).exists()
    assert Note.objects.exists()


class TestCreator:
    def test_everything_that_belongs_to_them_goes_and_nothing_else(self, fan: Fan) -> None:
        kept = make_message(status=Status.SENT)
        creator = fan.creator
        Message.objects.filter(conversation__fan=fan, status=Status.HANDED_OVER).delete()

        erasing.erase_creator(creator)

        assert [row.pk for row in Message.objects.all()] == [kept.pk]
        assert [row.pk for row in Creator.objects.all()] == [kept.creator_id]
        assert not Transaction.objects.exists()
        assert SECRET not in everything_in_the_database().replace(LogEntry.objects.get().object_repr, "")

    def test_a_call_under_way_is_waited_for_and_nothing_begins_meanwhile(self, fan: Fan) -> None:
        make_message(fan.conversation, status=Status.SENDING)

        with pytest.raises(erasing.OnItsWay):
            erasing.erase_creator(fan.creator)

        assert Line.objects.get(creator=fan.creator).paused_reason
        assert Fan.objects.filter(pk=fan.pk).exists()

    def test_the_command_says_what_there_is_before_it_erases(self, fan: Fan) -> None:
        said = StringIO()
        Message.objects.filter(status=Status.HANDED_OVER).delete()

        call_command("erase_creator", str(fan.creator.public_id), stdout=said)
        assert "1 fans, 2 messages. Nothing was erased" in said.getvalue()
        call_command("erase_creator", str(fan.creator.public_id), "--yes", stdout=said)

        assert not Creator.objects.exists()
        with pytest.raises(CommandError):
            call_command("erase_creator", "nobody")


class TestInTheAdmin:
    def test_deleting_is_erasing(self, admin_client: Client, fan: Fan) -> None:
        Message.objects.filter(status=Status.HANDED_OVER).delete()
        address = reverse("admin:crm_fan_delete", args=[fan.pk])

        assert admin_client.get(address).status_code == 200
        admin_client.post(address, {"post": "yes"})

        assert not Fan.objects.exists()
        assert Transaction.objects.exists()
        assert SECRET not in everything_in_the_database()

    def test_what_is_under_way_is_said(self, admin_client: Client, fan: Fan) -> None:
        make_message(fan.conversation, status=Status.SENDING)

        reply = admin_client.post(
            reverse("admin:crm_creator_delete", args=[fan.creator_id]), {"post": "yes"}, follow=True
        )

        assert "just being sent" in reply.content.decode()
        assert Creator.objects.exists()

    @pytest.mark.parametrize("name", ["tag", "note", "segment", "snippet", "transaction", "subscriptionevent"])
    def test_every_list_opens(self, admin_client: Client, fan: Fan, name: str) -> None:
        assert admin_client.get(reverse(f"admin:crm_{name}_changelist") + "?q=x").status_code == 200

    def test_a_segments_rule_is_checked(self, admin_client: Client, fan: Fan) -> None:
        body = {"creator": fan.creator_id, "name": "x", "rule": '{"valueMin": -1}'}

        reply = admin_client.post(reverse("admin:crm_segment_add"), body)

        assert "rule.valueMin" in reply.content.decode()
