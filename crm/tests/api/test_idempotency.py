"""A POST with an Idempotency-Key is done once, whatever its twins do."""

import threading
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from crm.api.idempotency import idempotent
from crm.models import Conversation, KeptReply, Membership, Message, User
from crm.tests.factories import make_conversation, make_creator, make_membership, make_user
from crm.tests.parallel import at_once

KEY = "0b3e9c1e-order-17"


@pytest.fixture
def user() -> User:
    return make_user()


@pytest.fixture
def conversation(user: User) -> Conversation:
    return make_conversation(make_creator(user))


def write(user: User, conversation: Conversation, text: str = "once", *, key: str = KEY, slash: str = "") -> Any:
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client.post(
        f"/api/crm/conversations/{conversation.public_id}/messages{slash}",
        {"text": text},
        content_type="application/json",
        headers={"Idempotency-Key": key},
    )


@pytest.mark.django_db
class TestOneAfterTheOther:
    def test_the_second_is_given_the_first_one_s_reply(self, user: User, conversation: Conversation) -> None:
        first, second = write(user, conversation), write(user, conversation, slash="/")

        assert (first.status_code, first.json()) == (second.status_code, second.json())
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Message.objects.count() == 1

    def test_another_body_under_the_same_key_is_refused(self, user: User, conversation: Conversation) -> None:
        write(user, conversation)

        refused = write(user, conversation, "twice")

        assert refused.status_code == 422
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert Message.objects.get().text == "once"

    def test_another_address_has_keys_of_its_own(self, user: User, conversation: Conversation) -> None:
        write(user, conversation)

        assert write(user, make_conversation(conversation.creator)).status_code == 202
        assert Message.objects.count() == 2

    def test_somebody_else_s_key_is_another_key(self, user: User, conversation: Conversation) -> None:
        colleague = make_user()
        make_membership(colleague, conversation.creator)

        first, other = write(user, conversation), write(colleague, conversation)

        assert first.json()["id"] != other.json()["id"]

    def test_who_was_sent_away_or_only_looks_on_since_is_not_answered_again(
        self, user: User, conversation: Conversation
    ) -> None:
        write(user, conversation)

        Membership.objects.filter(user=user).update(role=Membership.Role.VIEWER)
        looking_on = write(user, conversation)
        Membership.objects.filter(user=user).delete()
        sent_away = write(user, conversation)

        assert (looking_on.status_code, sent_away.status_code) == (403, 404)

    def test_what_only_managers_may_do_is_answered_again_to_managers(
        self, user: User, conversation: Conversation
    ) -> None:
        def draft() -> Any:
            client = Client()
            client.force_login(user)
            body = {"name": "News", "text": "Hello!"}
            return client.post(
                "/api/crm/campaigns", body, content_type="application/json", headers={"Idempotency-Key": KEY}
            )

        assert draft().status_code == draft().status_code == 201
        Membership.objects.filter(user=user).update(role=Membership.Role.CHATTER)

        assert draft().status_code == 403

    def test_a_refusal_is_not_kept(self, user: User, conversation: Conversation) -> None:
        assert write(user, conversation, " ").status_code == 400

        assert write(user, conversation, "once").status_code == 202

    def test_a_bug_leaves_nothing_behind(self, user: User, conversation: Conversation) -> None:
        with mock.patch("crm.api.conversations.messages_shown", side_effect=RuntimeError):
            assert write(user, conversation).status_code == 500
        assert not Message.objects.exists()

        assert write(user, conversation).status_code == 202

    @pytest.mark.parametrize("key", ["", "k" * 256, "ключ", "a\tb"], ids=["empty", "long", "cyrillic", "control"])
    def test_a_malformed_key_is_refused_and_the_limit_named(
        self, user: User, conversation: Conversation, key: str
    ) -> None:
        refused = write(user, conversation, key=key)

        assert refused.status_code == 400
        assert "255" in refused.json()["detail"]
        assert not Message.objects.exists()

    def test_without_a_key_two_are_two(self, user: User, conversation: Conversation) -> None:
        address, client = f"/api/crm/conversations/{conversation.public_id}/messages", Client()
        client.force_login(user)

        for _copy in range(2):
            client.post(address, {"text": "again"}, content_type="application/json")

        assert Message.objects.count() == 2


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_of_many_twins_one_writes_and_all_are_answered_alike(self, user: User, conversation: Conversation) -> None:
        answers = at_once(lambda: write(user, conversation), times=12)

        done = [answer for answer in answers if answer.status_code == 202]
        assert {answer.status_code for answer in answers} <= {202, 409}
        assert len({answer.content for answer in done}) == 1
        assert Message.objects.count() == 1

    def test_the_twin_of_one_that_takes_long_is_asked_to_come_again(
        self, user: User, conversation: Conversation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("crm.models.replies.TWIN_SECONDS", 1)
        claimed, go_home = threading.Event(), threading.Event()

        def long_one() -> None:
            with KeptReply.claimed(user=user, route=route, key=KEY, fingerprint=""):
                claimed.set()
                go_home.wait(30)
            connection.close()

        route = f"/api/crm/conversations/{conversation.public_id}/messages"
        thread = threading.Thread(target=long_one)
        client = Client()
        client.force_login(user)
        thread.start()
        assert claimed.wait(10)
        waiting = client.post(
            route, {"text": "once"}, content_type="application/json", headers={"Idempotency-Key": KEY}
        )
        go_home.set()
        thread.join()

        assert waiting.status_code == 409
        assert waiting.headers["Retry-After"] == "1"
        assert not Message.objects.exists()


class Upload(APIView):
    """Counts how often it was called."""

    parser_classes = (MultiPartParser,)
    authentication_classes = ()
    permission_classes = ()
    calls = 0

    @idempotent
    def post(self, request: Request) -> Response:
        type(self).calls += 1
        return Response({"read": request.FILES["file"].read().decode()}, status=201, headers={"Location": "/made/1"})


@pytest.mark.django_db
def test_a_file_is_compared_by_its_content(user: User) -> None:
    def upload(content: str) -> Any:
        file = SimpleUploadedFile("fans.csv", content.encode())
        request = APIRequestFactory().post("/up", {"file": file}, HTTP_IDEMPOTENCY_KEY=KEY)
        force_authenticate(request, user)
        return Upload.as_view()(request)

    first, again, other = upload("a,b"), upload("a,b"), upload("a,c")

    assert [first.data, again.data] == [{"read": "a,b"}] * 2
    assert again.headers["Location"] == "/made/1"
    assert other.status_code == 422
    assert Upload.calls == 1
