"""The staff's tool: every page opens, none asks once a row, and nobody edits the ledger by hand."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from crm.clock import database_now
from crm.models import (
    ApiKey,
    Attachment,
    Conversation,
    Creator,
    Dispatch,
    Fan,
    Line,
    Membership,
    Message,
    TokenFamily,
    User,
)
from crm.models.messages import Status
from crm.tests.factories import PASSWORD, make_conversation, make_creator, make_fan, make_message, make_user

pytestmark = pytest.mark.django_db

EDITABLE: list[type[Model]] = [User, Creator, Membership, Fan]
READ_ONLY: list[type[Model]] = [Conversation, Message, Attachment, Line, Dispatch, ApiKey, TokenFamily]


def fill(rows: int) -> None:
    """So many more rows of every model."""
    for _number in range(rows):
        creator = make_creator(make_user())
        message = make_message(make_conversation(creator), author=make_user())
        Attachment.objects.create(creator=message.creator, message=message, position=0, url="https://a.example/1.jpg")
        make_message(message.conversation, status=Status.RECEIVED)
        ApiKey.issue(make_user(), name="Reports", scopes=["read"], creator=creator)
        TokenFamily.begin(make_user(), token_id="1", expires_at=database_now())


def page_of(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def run(client: Client, action: str, *rows: Model) -> Any:
    """What the drop-down above a list does; the answer is the list again."""
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page_of(type(rows[0]), "changelist"), data, follow=True)


@pytest.fixture
def staff() -> Callable[..., Client]:
    """Signs in somebody of the staff who may do exactly what is named."""

    def sign_in(*codenames: str) -> Client:
        user = make_user(is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client = Client()
        client.force_login(user)
        return client

    return sign_in


class TestPages:
    def test_every_model_of_the_ledger_is_registered(self) -> None:
        registered = {model for model in admin.site._registry if model._meta.app_label == "crm"}

        assert registered >= {*EDITABLE, *READ_ONLY}

    @pytest.mark.parametrize("model", EDITABLE + READ_ONLY)
    def test_the_list_opens_and_searches(self, model: type[Model], admin_client: Client) -> None:
        fill(2)

        for words in ("", "fan", "00000000-0000-4000-8000-000000000000", "3", "'quoted words'", "\x00"):
            assert admin_client.get(page_of(model, "changelist"), {"q": words}).status_code == 200

    @pytest.mark.parametrize("model", EDITABLE + READ_ONLY)
    def test_the_list_asks_as_much_for_twenty_rows_as_for_two(self, model: type[Model], admin_client: Client) -> None:
        fill(2)
        admin_client.get(page_of(model, "changelist"))

        with CaptureQueriesContext(connection) as for_two:
            admin_client.get(page_of(model, "changelist"))
        fill(18)
        with CaptureQueriesContext(connection) as for_twenty:
            admin_client.get(page_of(model, "changelist"))

        assert len(for_twenty) == len(for_two)

    @pytest.mark.parametrize("model", EDITABLE + READ_ONLY)
    def test_the_page_of_one_row_opens(self, model: type[Model], admin_client: Client) -> None:
        fill(2)
        Dispatch.current()

        for row in model._default_manager.all()[:5]:
            assert admin_client.get(page_of(model, "change", row.pk)).status_code == 200

    @pytest.mark.parametrize("model", EDITABLE)
    def test_the_page_for_a_new_row_opens(self, model: type[Model], admin_client: Client) -> None:
        assert admin_client.get(page_of(model, "add")).status_code == 200

    def test_a_search_finds_a_message_by_its_public_id_and_by_its_fan(self, admin_client: Client) -> None:
        message = make_message(make_conversation(fan=make_fan(name="Daniel")))
        make_message()

        for words in (str(message.public_id), "daniel"):
            answer = admin_client.get(page_of(Message, "changelist"), {"q": words})
            assert list(answer.context["cl"].queryset) == [message]

    def test_a_message_says_when_it_goes_and_why_it_waits(self, admin_client: Client) -> None:
        Dispatch.note(heartbeat_at=database_now())
        message = make_message()

        answer = admin_client.get(page_of(Message, "change", message.pk))

        assert "It goes next." in answer.text

    def test_a_line_counts_what_waits_and_nothing_else(self, admin_client: Client) -> None:
        conversation = make_conversation()
        for status in (Status.QUEUED, Status.QUEUED, Status.SENT):
            make_message(conversation, status=status)
        make_creator()

        answer = admin_client.get(page_of(Line, "changelist"))

        assert sorted(line.waiting for line in answer.context["cl"].queryset) == [0, 2]


class TestEditing:
    def test_a_new_creator_is_made_with_a_pace_and_its_members(self, admin_client: Client) -> None:
        user = make_user()

        answer = admin_client.post(
            page_of(Creator, "add"),
            {
                "name": "Mia",
                "platform": "onlyfans",
                "timezone": "UTC",
                "currency": "USD",
                "pace": "10/60, 250/86400",
                "memberships-TOTAL_FORMS": 1,
                "memberships-INITIAL_FORMS": 0,
                "memberships-0-user": user.pk,
                "memberships-0-role": "manager",
            },
        )

        assert answer.status_code == 302
        creator = Creator.objects.get()
        assert creator.memberships.get().role == Membership.Role.MANAGER
        assert len(creator.allowances) == 2

    def test_a_pace_that_cannot_be_read_is_refused_at_its_field(self, admin_client: Client) -> None:
        creator = make_creator()

        answer = admin_client.post(
            page_of(Creator, "change", creator.pk),
            {
                "name": "Mia",
                "platform": "onlyfans",
                "timezone": "UTC",
                "currency": "USD",
                "pace": "often",
                "memberships-TOTAL_FORMS": 0,
                "memberships-INITIAL_FORMS": 0,
            },
        )

        assert answer.status_code == 200
        assert "“often” is not a pace" in answer.context["adminform"].form.errors["pace"][0]
        creator.refresh_from_db()
        assert creator.pace == ""

    def test_a_pace_stored_past_the_form_does_not_close_the_list(self, admin_client: Client) -> None:
        Creator.objects.filter(pk=make_creator().pk).update(pace="often")

        answer = admin_client.get(page_of(Creator, "changelist"))

        assert "“often” is not a pace" in answer.text

    def test_a_new_user_signs_in_with_the_password_they_were_given(self, admin_client: Client) -> None:
        answer = admin_client.post(
            page_of(User, "add"),
            {"username": "mia", "usable_password": "true", "password1": PASSWORD, "password2": PASSWORD},
        )

        assert answer.status_code == 302
        assert Client().login(username="mia", password=PASSWORD)

    def test_a_fan_never_moves_to_another_creator(self, admin_client: Client) -> None:
        fan, other = make_fan(), make_creator()

        answer = admin_client.post(
            page_of(Fan, "change", fan.pk),
            {"creator": other.pk, "platform": "onlyfans", "handle": fan.handle, "name": "Dan", "value_cents": 1},
        )

        assert answer.status_code == 302
        stored = Fan.objects.get()
        assert (stored.creator, stored.name) == (fan.creator, "Dan")

    @pytest.mark.parametrize("model", READ_ONLY)
    def test_nobody_writes_the_ledger_by_hand(self, model: type[Model], admin_client: Client) -> None:
        fill(1)
        Dispatch.current()
        row = model._default_manager.all()[0]

        for name, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
            answer = admin_client.post(page_of(model, name, *args), {"post": "yes"})
            assert answer.status_code == 403

        assert model._default_manager.filter(pk=row.pk).exists()


class TestPause:
    def test_a_creator_is_paused_and_resumed(self, admin_client: Client) -> None:
        creator, other = make_creator(), make_creator()

        answer = run(admin_client, "pause_sending", creator)

        assert answer.status_code == 200
        line = Line.objects.get(creator=creator)
        assert line.paused_at is not None
        assert line.paused_by is not None
        assert line.paused_reason in answer.text
        assert f"Paused: {creator.name}" in answer.text
        assert Line.objects.get(creator=other).paused_at is None

        run(admin_client, "resume_sending", creator)
        resumed = Line.objects.get(creator=creator)
        assert (resumed.paused_at, resumed.paused_reason) == (None, "")
        assert resumed.wake_at is not None

    def test_a_creator_that_never_wrote_can_be_paused(self, admin_client: Client) -> None:
        creator = Creator.objects.create(name="New")

        run(admin_client, "pause_sending", creator)

        assert Line.objects.get(creator=creator).paused_at is not None

    def test_whoever_may_change_creators_may_pause_them(self, staff: Callable[..., Client]) -> None:
        creator = make_creator()

        run(staff("view_creator", "change_creator"), "pause_sending", creator)

        assert Line.objects.get(creator=creator).paused_at is not None

    def test_whoever_may_only_look_may_not_pause(self, staff: Callable[..., Client]) -> None:
        creator = make_creator()

        answer = run(staff("view_creator"), "pause_sending", creator)

        assert answer.status_code == 200
        assert Line.objects.get(creator=creator).paused_at is None


class TestSettle:
    @pytest.mark.parametrize(
        ("action", "status", "now"),
        [
            ("send_again", Status.FAILED, Status.QUEUED),
            ("cancel", Status.QUEUED, Status.CANCELLED),
            ("it_was_sent", Status.NEEDS_PERSON, Status.SENT),
            ("it_was_not_sent", Status.NEEDS_PERSON, Status.QUEUED),
        ],
    )
    def test_staff_settle_messages_and_it_stays_in_their_history(
        self, action: str, status: Status, now: Status, staff: Callable[..., Client]
    ) -> None:
        message, other = make_message(status=status), make_message(status=Status.SENDING)

        answer = run(staff("view_message", "change_message"), action, message, other)

        message.refresh_from_db()
        other.refresh_from_db()
        assert (message.status, other.status) == (now, Status.SENDING)
        assert "1 done." in answer.text
        assert "1 × The message" in answer.text
        assert LogEntry.objects.get().object_id == str(message.pk)

    def test_whoever_may_only_look_settles_nothing(self, staff: Callable[..., Client]) -> None:
        message = make_message(status=Status.FAILED)

        run(staff("view_message"), "send_again", message)

        message.refresh_from_db()
        assert message.status == Status.FAILED


class TestAccess:
    def test_a_key_is_revoked_and_a_sign_in_ended(self, staff: Callable[..., Client]) -> None:
        key, _secret = ApiKey.issue(make_user(), name="Reports", scopes=["read"])
        family = TokenFamily.begin(make_user(), token_id="1", expires_at=database_now())
        client = staff("view_apikey", "change_apikey", "view_tokenfamily", "change_tokenfamily")

        run(client, "revoke", key)
        run(client, "sign_out", family)

        key.refresh_from_db()
        family.refresh_from_db()
        assert key.revoked_at
        assert not family.is_alive

    def test_whoever_may_only_look_revokes_nothing(self, staff: Callable[..., Client]) -> None:
        key, _secret = ApiKey.issue(make_user(), name="Reports", scopes=["read"])

        run(staff("view_apikey"), "revoke", key)

        key.refresh_from_db()
        assert key.revoked_at is None

    def test_no_page_shows_a_hash(self, admin_client: Client) -> None:
        key, _secret = ApiKey.issue(make_user(), name="Reports", scopes=["read"])

        assert key.secret_hash not in admin_client.get(page_of(ApiKey, "change", key.pk)).text


class TestStop:
    def test_all_sending_is_stopped_and_resumed(self, admin_client: Client) -> None:
        dispatch = Dispatch.current()

        answer = run(admin_client, "stop_all_sending", dispatch)

        assert "All sending is stopped." in answer.text
        assert Dispatch.is_stopped()
        assert "admin" in Dispatch.current().stopped_reason

        run(admin_client, "resume_all_sending", dispatch)
        assert not Dispatch.is_stopped()

    def test_the_switch_is_there_before_dispatch_ever_ran(self, admin_client: Client) -> None:
        answer = admin_client.get(page_of(Dispatch, "changelist"))

        assert "Stop all sending" in answer.text

    def test_whoever_may_change_dispatch_may_stop_it(self, staff: Callable[..., Client]) -> None:
        run(staff("view_dispatch", "change_dispatch"), "stop_all_sending", Dispatch.current())

        assert Dispatch.is_stopped()

    @pytest.mark.parametrize("action", ["stop_all_sending", "resume_all_sending"])
    def test_whoever_may_only_look_pulls_no_switch(self, staff: Callable[..., Client], action: str) -> None:
        if action == "resume_all_sending":
            Dispatch.stop_sending(reason="A reason.", now=database_now())
        client, stopped = staff("view_dispatch"), Dispatch.is_stopped()

        answer = run(client, action, Dispatch.current())

        assert answer.status_code == 200
        assert Dispatch.is_stopped() == stopped
        assert "Stop all sending" not in client.get(page_of(Dispatch, "changelist")).text


class TestWhoIsLetIn:
    @pytest.mark.parametrize("model", EDITABLE + READ_ONLY)
    def test_being_staff_opens_nothing_by_itself(self, model: type[Model], staff: Callable[..., Client]) -> None:
        assert staff().get(page_of(model, "changelist")).status_code == 403

    def test_who_is_not_of_the_staff_is_asked_to_sign_in(self, client: Client) -> None:
        client.force_login(make_user())

        answer = client.get(page_of(Creator, "changelist"))

        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")
