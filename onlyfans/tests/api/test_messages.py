import uuid
from typing import Any

import pytest
from django.test import Client

from crm.models import Conversation, Creator, Fan, Membership, Message, User
from crm.tests.factories import PASSWORD, make_creator, make_fan, make_user

pytestmark = pytest.mark.django_db

SEND = "/api/onlyfans/messages/send"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user)


@pytest.fixture
def fan(creator: Creator) -> Fan:
    return make_fan(creator, platform_id="fan_123")


@pytest.fixture
def api(client: Client, user: User) -> "Api":
    return Api(client, user)


class Api:
    """A client that has signed in the way a program does."""

    def __init__(self, client: Client, user: User) -> None:
        reply = client.post(
            "/api/auth/token", {"username": user.username, "password": PASSWORD}, content_type="application/json"
        )
        assert reply.status_code == 200, reply.content
        self.client, self.headers = client, {"Authorization": f"Bearer {reply.json()['access']}"}

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)

    def post(self, path: str, body: object, **headers: str) -> Any:
        return self.client.post(path, body, content_type="application/json", headers=self.headers | headers)


def fields_in_error(reply: Any) -> set[str]:
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem["status"] == reply.status_code
    assert problem["detail"]
    return {error["field"] for error in problem.get("errors", [])}


class TestSend:
    def test_accepts_the_message_and_tells_when_it_will_go(self, api: Api, fan: Fan) -> None:
        reply = api.post(SEND, {"recipientId": "fan_123", "content": "Hello!", "priority": 5})

        assert reply.status_code == 202
        body = reply.json()
        message = Message.objects.get(public_id=body["messageId"])
        assert body["status"] == message.status == "queued"
        assert body["queuedAt"].endswith("Z")
        assert set(body) == {"messageId", "status", "queuedAt", "estimatedSendTime"}
        assert (message.text, message.priority, message.conversation.fan) == ("Hello!", 5, fan)

    def test_works_with_a_trailing_slash_and_with_our_own_id_of_the_fan(self, api: Api, fan: Fan) -> None:
        assert api.post(f"{SEND}/", {"recipientId": str(fan.public_id), "content": "Hello!"}).status_code == 202

    def test_writes_price_media_and_schedule(self, api: Api, fan: Fan) -> None:
        media = ["https://media.example/1.jpg"]
        wanted = {"recipientId": "fan_123", "content": "Look", "priceCents": 500, "mediaUrls": media}

        reply = api.post(SEND, wanted | {"scheduledAt": "2027-01-01T09:00:00+01:00"})

        assert reply.status_code == 202, reply.content
        message = Message.objects.get()
        assert message.price_cents == 500
        assert [attachment.url for attachment in message.attachments.all()] == media
        assert message.due_at.isoformat() == "2027-01-01T08:00:00+00:00"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"content": "x"}, "recipientId"),
            ({"recipientId": "", "content": "x"}, "recipientId"),
            ({"recipientId": None, "content": "x"}, "recipientId"),
            ({"recipientId": "fan_123"}, "content"),
            ({"recipientId": "fan_123", "content": ""}, "content"),
            ({"recipientId": "fan_123", "content": "   "}, "content"),
            ({"recipientId": "fan_123", "content": "x" * 5001}, "content"),
            ({"recipientId": "fan_123", "content": "a\u0000b"}, "content"),
            ({"recipientId": "fan_123", "content": {"text": "x"}}, "content"),
            ({"recipientId": "fan_123", "content": "x", "priority": 0}, "priority"),
            ({"recipientId": "fan_123", "content": "x", "priority": 11}, "priority"),
            ({"recipientId": "fan_123", "content": "x", "priority": "soon"}, "priority"),
            ({"recipientId": "fan_123", "content": "x", "priceCents": -1}, "priceCents"),
            ({"recipientId": "fan_123", "content": "x", "priceCents": 100}, "priceCents"),
            ({"recipientId": "fan_123", "content": "x", "priceCents": 500}, "priceCents"),
            ({"recipientId": "fan_123", "content": "x", "priceCents": 20_001}, "priceCents"),
            ({"recipientId": "fan_123", "content": "x", "mediaUrls": ["file:///etc/passwd"]}, "mediaUrls"),
            ({"recipientId": "fan_123", "content": "x", "scheduledAt": "tomorrow"}, "scheduledAt"),
            ({"recipientId": "fan_123", "content": "x", "scheduledAt": "2099-01-01T00:00:00Z"}, "scheduledAt"),
            ({"recipientId": "fan_123", "content": "x", "creatorId": "not-a-uuid"}, "creatorId"),
        ],
    )
    def test_names_the_field_of_a_bad_value_and_writes_nothing(
        self, api: Api, fan: Fan, body: dict[str, Any], field: str
    ) -> None:
        reply = api.post(SEND, body)

        assert reply.status_code == 400
        assert fields_in_error(reply) == {field}
        assert not Message.objects.exists()
        assert not Conversation.objects.exists()

    @pytest.mark.parametrize("recipient", ["fan_999", str(uuid.uuid4())])
    def test_an_unknown_fan_is_not_found(self, api: Api, fan: Fan, recipient: str) -> None:
        reply = api.post(SEND, {"recipientId": recipient, "content": "x"})

        assert reply.status_code == 404
        assert fields_in_error(reply) == {"recipientId"}

    def test_somebody_elses_fan_is_not_found_either(self, api: Api) -> None:
        foreign = make_fan(make_creator(make_user()))

        for recipient in (foreign.platform_id, str(foreign.public_id)):
            reply = api.post(SEND, {"recipientId": recipient, "content": "x"})
            assert reply.status_code == 404
            assert fields_in_error(reply) == {"recipientId"}
        assert not Message.objects.exists()

    def test_the_same_platform_id_under_two_creators_asks_which_one(self, api: Api, fan: Fan, user: User) -> None:
        other = make_creator(user)
        make_fan(other, platform_id="fan_123")

        reply = api.post(SEND, {"recipientId": "fan_123", "content": "x"})
        assert (reply.status_code, fields_in_error(reply)) == (400, {"creatorId"})

        chosen = api.post(SEND, {"recipientId": "fan_123", "content": "x", "creatorId": str(other.public_id)})
        assert chosen.status_code == 202
        assert Message.objects.get().creator == other

    def test_a_fan_known_by_handle_only_cannot_be_written_to(self, api: Api, creator: Creator) -> None:
        fan = make_fan(creator, platform_id="", handle="someone")

        reply = api.post(SEND, {"recipientId": str(fan.public_id), "content": "x"})

        assert (reply.status_code, fields_in_error(reply)) == (400, {"recipientId"})

    def test_a_viewer_may_not_write(self, client: Client) -> None:
        viewer = make_user()
        make_fan(make_creator(viewer, role=Membership.Role.VIEWER), platform_id="fan_123")

        reply = Api(client, viewer).post(SEND, {"recipientId": "fan_123", "content": "x"})

        assert reply.status_code == 403
        assert fields_in_error(reply) == set()

    @pytest.mark.parametrize("body", ["{", "", "[]", '"text"', "null", "\ud800".encode("utf-8", "surrogatepass")])
    def test_a_body_that_is_no_json_object_is_a_bad_request(self, api: Api, fan: Fan, body: str | bytes) -> None:
        reply = api.client.post(SEND, body, content_type="application/json", headers=api.headers)

        assert reply.status_code == 400
        fields_in_error(reply)

    def test_a_body_too_deep_to_read_is_a_bad_request(self, api: Api, fan: Fan) -> None:
        reply = api.client.post(SEND, "[" * 100_000, content_type="application/json", headers=api.headers)

        assert reply.status_code == 400

    def test_a_form_is_not_json(self, api: Api, fan: Fan) -> None:
        reply = api.client.post(SEND, {"recipientId": "fan_123"}, headers=api.headers)

        assert reply.status_code == 415
        fields_in_error(reply)

    @pytest.mark.parametrize("token", ["", "Bearer nonsense", "Bearer a.b.c", "Basic ZGVtbzpkZW1v"])
    def test_a_wrong_token_is_refused_and_told_how_to_sign_in(self, client: Client, fan: Fan, token: str) -> None:
        reply = client.post(
            SEND,
            {"recipientId": "fan_123", "content": "x"},
            content_type="application/json",
            headers={"Authorization": token},
        )

        assert reply.status_code == 401
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        fields_in_error(reply)
        assert not Message.objects.exists()


class TestIdempotencyKey:
    def test_the_same_request_twice_is_one_message(self, api: Api, fan: Fan) -> None:
        body = {"recipientId": "fan_123", "content": "once"}

        replies = [api.post(SEND, body, **{"Idempotency-Key": "k1"}) for _ in range(2)]

        assert [reply.status_code for reply in replies] == [202, 202]
        assert replies[0].json()["messageId"] == replies[1].json()["messageId"]
        assert Message.objects.count() == 1

    def test_the_same_key_for_another_fan_is_refused(self, api: Api, fan: Fan, creator: Creator) -> None:
        make_fan(creator, platform_id="fan_456")
        api.post(SEND, {"recipientId": "fan_123", "content": "once"}, **{"Idempotency-Key": "k1"})

        reply = api.post(SEND, {"recipientId": "fan_456", "content": "once"}, **{"Idempotency-Key": "k1"})

        assert reply.status_code == 422
        assert Message.objects.count() == 1

    def test_the_same_key_for_another_text_is_refused(self, api: Api, fan: Fan) -> None:
        api.post(SEND, {"recipientId": "fan_123", "content": "once"}, **{"Idempotency-Key": "k1"})

        reply = api.post(SEND, {"recipientId": "fan_123", "content": "twice"}, **{"Idempotency-Key": "k1"})

        assert reply.status_code == 422
        assert Message.objects.get().text == "once"


class TestDetail:
    def test_tells_the_state_and_why_it_waits(self, api: Api, fan: Fan) -> None:
        message_id = api.post(SEND, {"recipientId": "fan_123", "content": "x"}).json()["messageId"]

        body = api.get(f"/api/onlyfans/messages/{message_id}").json()

        assert body["status"] == "queued"
        assert body["waiting"]["code"] == "dispatch_silent"
        assert body["estimatedSendTime"] is None

    def test_somebody_elses_message_is_not_found(self, api: Api, client: Client, fan: Fan) -> None:
        message_id = api.post(SEND, {"recipientId": "fan_123", "content": "x"}).json()["messageId"]
        stranger = Api(client, make_user())

        assert stranger.get(f"/api/onlyfans/messages/{message_id}").status_code == 404
        assert stranger.get(f"/api/onlyfans/messages/{uuid.uuid4()}").status_code == 404


def test_an_address_that_does_not_exist_is_a_problem_document(client: Client) -> None:
    reply = client.get("/api/nothing/here")

    assert reply.status_code == 404
    assert reply.headers["Content-Type"] == "application/problem+json"
