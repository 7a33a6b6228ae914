"""What did not go by itself, for API clients."""

import uuid
from typing import Any

import pytest
from django.test import Client

from crm.models import Creator, Line, Membership, Message
from crm.models.messages import Status
from crm.tests.factories import make_conversation, make_creator, make_membership, make_message, make_user
from onlyfans.tests.api.test_messages import Api, fields_in_error

pytestmark = pytest.mark.django_db

FAILED = "/api/onlyfans/messages/failed"


@pytest.fixture
def creator() -> Creator:
    return make_creator()


def signed_in_as(client: Client, creator: Creator, role: str) -> Api:
    user = make_user()
    make_membership(user, creator, role=Membership.Role(role))
    return Api(client, user)


@pytest.fixture
def chatter(client: Client, creator: Creator) -> Api:
    return signed_in_as(client, creator, "chatter")


@pytest.fixture
def manager(client: Client, creator: Creator) -> Api:
    return signed_in_as(client, creator, "manager")


def make(creator: Creator, status: Status, **values: Any) -> Message:
    return make_message(make_conversation(creator), status=status, **values)


def at(message: Message, act: str) -> str:
    return f"/api/onlyfans/messages/{message.public_id}/{act}"


def status_of(message: Message) -> str:
    return Message.objects.get(pk=message.pk).status


class TestFailed:
    def test_shows_what_needs_somebody_latest_first_with_its_cause(self, chatter: Api, creator: Creator) -> None:
        failed = make(creator, Status.FAILED, cause_code="http_422", cause="Too long.")
        unknown, needs_person = make(creator, Status.UNKNOWN), make(creator, Status.NEEDS_PERSON)
        make(creator, Status.QUEUED)
        make(make_creator(), Status.FAILED)

        body = chatter.get(FAILED).json()

        ids = [entry["messageId"] for entry in body["results"]]
        assert ids == [str(message.public_id) for message in (needs_person, unknown, failed)]
        assert (body["results"][-1]["causeCode"], body["results"][-1]["cause"]) == ("http_422", "Too long.")

    def test_is_paged_and_filtered(self, chatter: Api, creator: Creator) -> None:
        failed = make(creator, Status.FAILED)
        make(creator, Status.UNKNOWN)

        page = chatter.get(f"{FAILED}?limit=1").json()
        rest = chatter.get(page["next"]).json()

        assert [entry["messageId"] for entry in rest["results"]] == [str(failed.public_id)]
        assert len(chatter.get(f"{FAILED}?status=failed&creatorId={creator.public_id}").json()["results"]) == 1
        assert chatter.get(f"{FAILED}?creatorId={uuid.uuid4()}").json()["results"] == []
        assert fields_in_error(chatter.get(f"{FAILED}?status=sent")) == {"status"}


class TestRetry:
    def test_a_chatter_sends_again_what_failed(self, chatter: Api, creator: Creator) -> None:
        message = make(creator, Status.FAILED)

        reply = chatter.post(at(message, "retry"), {})

        assert reply.status_code == 202
        assert reply.json()["status"] == status_of(message) == "queued"

    @pytest.mark.parametrize("status", [Status.UNKNOWN, Status.NEEDS_PERSON])
    def test_an_open_outcome_is_sent_again_only_when_a_manager_says_that_it_was_not_sent(
        self, status: Status, manager: Api, creator: Creator
    ) -> None:
        message = make(creator, status)

        assert manager.post(at(message, "retry"), {}).status_code == 409
        assert status_of(message) == status
        assert manager.post(at(message, "retry"), {"confirmNotSent": True}).status_code == 202
        assert status_of(message) == Status.QUEUED

    def test_a_chatter_may_not_say_so(self, chatter: Api, creator: Creator) -> None:
        message = make(creator, Status.NEEDS_PERSON)

        assert chatter.post(at(message, "retry"), {"confirmNotSent": True}).status_code == 403
        assert status_of(message) == Status.NEEDS_PERSON

    @pytest.mark.parametrize("status", [Status.QUEUED, Status.SENDING, Status.SENT, Status.CANCELLED])
    def test_what_did_not_fail_is_a_conflict(self, status: Status, manager: Api, creator: Creator) -> None:
        reply = manager.post(at(make(creator, status), "retry"), {"confirmNotSent": True})

        assert reply.status_code == 409
        assert reply.headers["Content-Type"] == "application/problem+json"

    def test_what_cannot_be_read_is_the_senders_mistake(self, manager: Api, creator: Creator) -> None:
        reply = manager.post(at(make(creator, Status.UNKNOWN), "retry"), {"confirmNotSent": "perhaps"})

        assert fields_in_error(reply) == {"confirmNotSent"}


class TestCancel:
    def test_takes_back_what_waits(self, chatter: Api, creator: Creator) -> None:
        message = make(creator, Status.QUEUED)

        reply = chatter.post(at(message, "cancel"), {})

        assert reply.status_code == 200
        assert reply.json()["status"] == status_of(message) == "cancelled"

    def test_what_is_being_sent_cannot_be_taken_back(self, chatter: Api, creator: Creator) -> None:
        message = make(creator, Status.SENDING)

        assert chatter.post(at(message, "cancel"), {}).status_code == 409
        assert status_of(message) == Status.SENDING


@pytest.mark.parametrize("act", ["retry", "cancel"])
class TestWhoMay:
    def test_a_foreign_message_looks_like_one_that_is_missing(self, act: str, manager: Api) -> None:
        foreign = make(make_creator(), Status.FAILED)

        assert manager.post(at(foreign, act), {}).status_code == 404
        assert manager.post(f"/api/onlyfans/messages/{uuid.uuid4()}/{act}", {}).status_code == 404

    def test_a_viewer_may_not(self, act: str, client: Client, creator: Creator) -> None:
        seq = Line.objects.get(creator=creator).seq
        message = make(creator, Status.FAILED)

        assert signed_in_as(client, creator, "viewer").post(at(message, act), {}).status_code == 403
        assert Line.objects.get(creator=creator).seq == seq + 1
