import json
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm import campaigning, erasing
from crm.models import (
    Attachment,
    Campaign,
    Conversation,
    Creator,
    Draft,
    Fan,
    ImportChunk,
    KeptReply,
    Line,
    Message,
    Note,
    Recipient,
    SubscriptionEvent,
    Transaction,
)
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_fan, make_import, make_message, make_user

pytestmark = pytest.mark.django_db

SECRET = "Xanthippe"


@pytest.fixture
def fan() -> Fan:
    """Somebody whose name stands wherever a name can stand."""
    fan = make_fan(name=f"{SECRET} before", handle=SECRET, platform_id=SECRET, email=f"{SECRET}@example.com")
    now, creator, user = timezone.now(), fan.creator, make_user()
    fan.name = SECRET
    fan.save()
    talk = make_conversation(fan=fan, last_text=SECRET)
    message = make_message(talk, status=Status.SENT, text=f"Hello {SECRET}")
    make_message(talk, text=f"Soon, {SECRET}")
    make_message(talk, status=Status.HANDED_OVER, text=f"Now, {SECRET}")
    Attachment.objects.create(creator=creator, message=message, position=0, url=f"https://example.com/{SECRET}.jpg")
    Draft.objects.create(conversation=talk, user=user, text=f"Dear {SECRET}")
    campaign = Campaign.objects.create(creator=creator, name="All", text="Hello")
    campaign.audience = {"fans": [str(fan.public_id), fan.public_id.hex.upper()]}
    campaign.save()
    Recipient.objects.create(campaign=campaign, fan=fan, message=message)
    note = Note.objects.create(fan=fan, text=SECRET)
    gone = Note.objects.create(fan=fan, text=SECRET)
    event = SubscriptionEvent.objects.create(creator=creator, fan=fan, kind="started", occurred_at=now)
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
    route = f"/conversations/{talk.public_id}/messages"
    KeptReply.objects.create(user=user, route=route, key="k", status=202, body=SECRET, creator=creator)
    for row in (fan, talk, note, gone, event):
        kind = ContentType.objects.get_for_model(row)
        said = {"user": user, "content_type": kind, "object_id": str(row.pk), "object_repr": str(row)}
        LogEntry.objects.create(**said, action_flag=CHANGE, change_message=f"Wrote to {SECRET}")
    gone.delete()
    # One under the name of today, one under a name that nobody would look for.
    for handle in (SECRET, "another"):
        job = make_import(creator, f'Username,Display Name\n{handle},Dear {SECRET}\nbo,"{SECRET}\n')
        ImportChunk.objects.create(
            of=job,
            first_row=1,
            errors=[[3, 3, "", "unclosed_quote", SECRET, {}]],
            journal={"changed": [[fan.public_id.hex, {"name": [SECRET, f"Dear {SECRET}"]}]]},
        )
        body = json.dumps({"id": str(job.public_id), "questions": [{"examples": [SECRET]}]})
        KeptReply.objects.create(
            user=user, route="/api/crm/imports", key=handle, status=201, body=body, creator=creator
        )
    return fan


def everything_in_the_database() -> str:
    """Every cell of every table, those of the search index too, in small letters."""
    said = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            said += [_as_text(cell) for row in cursor.fetchall() for cell in row]
    return "\0".join(said).casefold()


def _as_text(cell: object) -> str:
    return bytes(cell).decode("latin-1") if isinstance(cell, bytes | memoryview) else str(cell)


def left_of(fan: Fan) -> list[str]:
    """What of the person can be found. A word of the index stands there without its beginning."""
    everything = everything_in_the_database()
    known_by = (SECRET[1:], str(fan.public_id), fan.public_id.hex)
    return [word for word in known_by if word.casefold() in everything]


def test_nothing_of_the_person_is_left(fan: Fan) -> None:
    assert len(left_of(fan)) == 3

    erasing.erase_fan(fan)

    assert left_of(fan) == []
    assert not Message.objects.exists()
    assert not Conversation.objects.exists()


def test_money_places_and_comings_stay_counted_without_the_person(fan: Fan) -> None:
    erasing.erase_fan(fan)

    payment = Transaction.objects.get()
    assert (payment.amount_cents, payment.fan, payment.message) == (700, None, None)
    assert SubscriptionEvent.objects.get().fan is None
    recipient = Recipient.objects.get()
    assert (recipient.fan, recipient.message, recipient.excluded) == (None, None, Recipient.Exclusion.ERASED)


@pytest.mark.parametrize("later", [0, 3_600], ids=["running", "scheduled"])
def test_a_campaign_whose_list_names_them_goes_on_to_the_others(later: int) -> None:
    fan = make_fan()
    other = make_fan(fan.creator)
    listed = {"fans": [str(fan.public_id), str(other.public_id)]}
    campaign = campaigning.draft(fan.creator, author=None, name="All", text="Hello", audience=listed)
    if later:
        campaigning.change(campaign, scheduled_at=timezone.now() + timedelta(seconds=later))
    campaigning.launch(campaign)

    erasing.erase_fan(fan)
    Campaign.objects.filter(status=Campaign.Status.SCHEDULED).update(scheduled_at=timezone.now())
    campaigning.serve()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.reason) == (Campaign.Status.RUNNING, "")
    assert [message.conversation.fan for message in campaign.messages.all()] == [other]


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
        LogEntry.objects.all().delete()
        assert left_of(fan) == []

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
        assert left_of(fan) == []

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
