"""The staff's tool: every page opens, none asks once a row, and nobody edits the ledger by hand."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from crm import campaigning
from crm.admin import tables
from crm.causes import CONNECTION_LOST, NO_WORKER_SEEN, ONLY_A_STATUS, STOPPED_BY
from crm.clock import database_now
from crm.models import (
    ApiKey,
    Attachment,
    Campaign,
    Census,
    Conversation,
    Creator,
    Day,
    Dispatch,
    Draft,
    EarlyNews,
    Fan,
    FanTag,
    Import,
    ImportChunk,
    ImportPart,
    KeptReply,
    Line,
    Membership,
    Message,
    Note,
    Presence,
    Recipient,
    Segment,
    Session,
    SignInBucket,
    Snippet,
    SubscriptionEvent,
    Tag,
    Tally,
    TokenFamily,
    Transaction,
    User,
    Worker,
)
from crm.models.messages import Status
from crm.paging import BoundedPaginator
from crm.tests.factories import (
    PASSWORD,
    make_conversation,
    make_creator,
    make_fan,
    make_import,
    make_message,
    make_segment,
    make_user,
)

pytestmark = pytest.mark.django_db

EDITABLE: list[type[Model]] = [User, Creator, Membership, Fan, Tag, Segment, Snippet]
READ_ONLY: list[type[Model]] = [
    ApiKey,
    Attachment,
    Campaign,
    Conversation,
    Dispatch,
    Line,
    LogEntry,
    Message,
    Note,
    Recipient,
    SubscriptionEvent,
    TokenFamily,
    Transaction,
    Worker,
]
ALL: list[type[Model]] = [*EDITABLE, *READ_ONLY, Import]
#: Their tables may have a million rows.
LONG: list[type[Model]] = [
    Attachment,
    Conversation,
    Fan,
    LogEntry,
    Message,
    Note,
    Recipient,
    SubscriptionEvent,
    Transaction,
]


def fill(rows: int) -> None:
    """So many more rows of every model."""
    now = database_now()
    for number in range(rows):
        # Nobody signs in as them: no password is hashed.
        user = User.objects.create(username=str(uuid4()))
        creator = make_creator(user)
        message = make_message(make_conversation(creator), author=user)
        fan = message.conversation.fan
        Attachment.objects.create(creator=creator, message=message, position=0, url="https://a.example/1.jpg")
        make_message(message.conversation, status=Status.RECEIVED)
        ApiKey.issue(user, name="Reports", scopes=["read"], creator=creator)
        TokenFamily.begin(user, token_id="1", expires_at=now)
        Tag.objects.create(creator=creator, name="VIP")
        make_segment(creator)
        Snippet.objects.create(creator=creator, name="Hello", text="Hello!")
        Note.objects.create(fan=fan, author=user, text="Likes tea.")
        campaign = Campaign.objects.create(creator=creator, name="News", text="Hello!", created_by=user)
        Recipient.objects.create(campaign=campaign, fan=fan, message=message)
        Transaction.objects.create(
            creator=creator, fan=fan, kind="tip", amount_cents=500, currency="USD", occurred_at=now, platform_id="1"
        )
        SubscriptionEvent.objects.create(creator=creator, fan=fan, kind="new", occurred_at=now)
        Import.objects.create(creator=creator, name="fans.csv", as_of=now, created_by=user)
        Worker.objects.create(name=f"worker{creator.pk}", seen_at=now, started_at=now)
        LogEntry.objects.create(user=user, content_type_id=1, object_id=str(number), object_repr="-", action_flag=2)


def page_of(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def run(client: Client, action: str, *rows: Model) -> Any:
    """What the drop-down above a list does; the answer is the list again."""
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page_of(type(rows[0]), "changelist"), data, follow=True)


def queries_of_lists(client: Client, only: Sequence[type[Model]] = ALL) -> dict[type[Model], list[str]]:
    asked = {}
    for model in only:
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page_of(model, "changelist")).status_code == 200
        asked[model] = [query["sql"] for query in captured]
    return asked


def draft_for(fan: Fan) -> Campaign:
    audience = {"fans": [str(fan.public_id)]}
    return campaigning.draft(fan.creator, author=None, name="News", text="Hello!", audience=audience)


def upload(client: Client, creator: Creator, text: str, **said: str) -> Any:
    file = SimpleUploadedFile("fans.csv", text.encode())
    return client.post(page_of(Import, "add"), {"creator": creator.pk, "file": file} | said)


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
        """But for those that are a part of another one, that pages have counted, or that nobody should read."""
        hidden = {
            Census,
            Day,
            Draft,
            EarlyNews,
            FanTag,
            ImportChunk,
            ImportPart,
            KeptReply,
            Presence,
            Session,
            SignInBucket,
            Tally,
        }
        registered = {model for model in admin.site._registry if model._meta.app_label in ("crm", "admin")}

        assert registered == {*ALL}
        assert {*apps.get_app_config("crm").get_models()} - registered - hidden == set()

    def test_every_list_opens_and_searches(self, admin_client: Client) -> None:
        fill(2)

        for model in ALL:
            for words in ("fan", "00000000-0000-4000-8000-000000000000", "3", "'quoted words'", "\x00"):
                answer = admin_client.get(page_of(model, "changelist"), {"q": words})
                assert answer.status_code == 200, (model, words)

    def test_no_list_asks_more_for_fifty_rows_than_for_five(self, admin_client: Client) -> None:
        fill(5)
        Dispatch.ensured()
        for_five = queries_of_lists(admin_client)
        fill(45)
        for_fifty = queries_of_lists(admin_client)

        assert {model: len(asked) for model, asked in for_fifty.items()} == {
            model: len(asked) for model, asked in for_five.items()
        }

    def test_a_long_table_is_never_counted_to_its_end_or_sorted_without_an_index(self, admin_client: Client) -> None:
        fill(1)

        for model, asked in queries_of_lists(admin_client, only=LONG).items():
            table = model._meta.db_table
            of_the_table = [sql for sql in asked if f'FROM "{table}"' in sql]
            assert of_the_table
            assert all(f"LIMIT {BoundedPaginator.COUNTED_MAX}" in sql for sql in of_the_table if "COUNT(" in sql)
            assert all(f'ORDER BY "{table}"."id" DESC' in sql for sql in of_the_table if "ORDER BY" in sql)

    def test_a_list_that_stops_counting_says_so(self, admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(BoundedPaginator, "COUNTED_MAX", 2)
        creator = make_creator()
        for _number in range(3):
            make_fan(creator)

        answer = admin_client.get(page_of(Fan, "changelist"))

        assert "2 fans or more" in answer.text

    def test_many_rows_are_counted_in_groups_of_digits(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_fan()
        monkeypatch.setattr(BoundedPaginator, "count", 1234)
        assert "1,234 fans" in admin_client.get(page_of(Fan, "changelist")).text
        monkeypatch.setattr(BoundedPaginator, "count", 10_000)
        assert "10,000 fans or more" in admin_client.get(page_of(Fan, "changelist")).text

    def test_money_is_shown_in_its_own_currency(self, admin_client: Client) -> None:
        fan = make_fan(make_creator(currency="JPY"), value_cents=1_234)
        paid = {"fan": fan, "kind": "tip", "currency": "EUR", "occurred_at": database_now()}
        Transaction.objects.create(creator=fan.creator, amount_cents=-123_450, **paid)

        assert "1,234\u00a0JPY" in admin_client.get(page_of(Fan, "changelist")).text
        assert "−€1,234.50" in admin_client.get(page_of(Transaction, "changelist")).text

    def test_what_went_wrong_is_said_in_the_reader_s_language(self, admin_client: Client) -> None:
        creator, now = make_creator(), database_now()
        line, _created = Line.objects.get_or_create(creator=creator)
        line.pause(reason=CONNECTION_LOST % {"why": "The platform has ended the session."}, now=now)
        Dispatch.note(worker_trouble=NO_WORKER_SEEN)
        Dispatch.stop_sending(reason=STOPPED_BY % {"user": "mia"}, now=now)
        campaign = Campaign.objects.create(creator=creator, name="News", text="Hello!", reason="Paused in the admin.")
        in_french: dict[Model, list[str]] = {
            make_message(status=Status.FAILED, cause=ONLY_A_STATUS % {"status": 502}): [
                "Le fournisseur a répondu 502."
            ],
            line: ["La connexion au compte est perdue\u00a0: La plateforme a mis fin à la session."],
            Dispatch.current(): ["Arrêté dans l’administration par mia.", "Aucun worker n’a été vu."],
            campaign: ["Mis en pause dans l’administration."],
        }
        for row, words in in_french.items():
            for address in (page_of(type(row), "changelist"), page_of(type(row), "change", row.pk)):
                with translation.override("en"):
                    page = admin_client.get(address, headers={"Accept-Language": "fr"}).content.decode()
                assert [each for each in words if each not in page] == [], address

    def test_the_page_of_every_row_opens(self, admin_client: Client) -> None:
        fill(1)
        Dispatch.ensured()

        for model in ALL:
            row = model._default_manager.first()
            assert row is not None
            assert admin_client.get(page_of(model, "change", row.pk)).status_code == 200, model

    def test_the_page_for_a_new_row_opens(self, admin_client: Client) -> None:
        makeable: list[type[Model]] = [*EDITABLE, Import]
        for model in makeable:
            assert admin_client.get(page_of(model, "add")).status_code == 200, model

    def test_a_search_finds_a_message_by_its_ids_and_by_its_fan(self, admin_client: Client) -> None:
        message = make_message(make_conversation(fan=make_fan(name="Daniel")))
        make_message()

        Message.objects.filter(pk=message.pk).update(platform_id="m42")
        for words in (str(message.public_id), "m42", "daniel"):
            answer = admin_client.get(page_of(Message, "changelist"), {"q": words})
            assert list(answer.context["cl"].queryset) == [message]

    def test_of_a_name_that_very_many_have_the_newest_fans_are_looked_through(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tables, "FANS_FOUND_MAX", 2)
        creator = make_creator()
        talks = [make_conversation(fan=make_fan(creator, name="Ann")) for _fan in range(3)]
        messages = [make_message(talk) for talk in talks]

        for model, rows in (("conversation", talks), ("message", messages)):
            found = admin_client.get(reverse(f"admin:crm_{model}_changelist"), {"q": "ann"}).context["cl"]
            assert [row.pk for row in found.result_list] == [row.pk for row in reversed(rows[1:])]

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

    def test_nobody_writes_the_ledger_by_hand(self, admin_client: Client) -> None:
        fill(1)
        Dispatch.ensured()

        for model in READ_ONLY:
            row = model._default_manager.all()[0]
            for name, args in (("add", ()), ("change", (row.pk,)), ("delete", (row.pk,))):
                answer = admin_client.post(page_of(model, name, *args), {"post": "yes"})
                assert answer.status_code == 403, (model, name)
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

        assert LogEntry.objects.filter(object_id=str(creator.pk)).exists()

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


class TestLimits:
    def test_too_many_rows_at_once_are_a_commands_work(
        self, admin_client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tables, "CHOSEN_MAX", 1)
        first, second = make_message(status=Status.FAILED), make_message(status=Status.FAILED)

        answer = run(admin_client, "send_again", first, second)

        assert "At most 1 at once" in answer.text
        assert not Message.objects.filter(status=Status.QUEUED).exists()


class TestCampaigns:
    def test_it_is_launched_paused_resumed_and_cancelled(self, staff: Callable[..., Client]) -> None:
        campaign = draft_for(make_fan())
        client, seen = staff("view_campaign", "change_campaign"), []

        for action in ("launch", "pause", "resume", "cancel"):
            run(client, action, campaign)
            campaign.refresh_from_db()
            seen.append(str(campaign.status))

        assert seen == ["running", "paused", "running", "cancelled"]
        assert LogEntry.objects.count() == 4

    @pytest.mark.parametrize(
        ("action", "words"), [("pause", "is Draft and cannot become Paused"), ("send_failed_again", "cannot become")]
    )
    def test_what_its_state_forbids_is_said(self, action: str, words: str, admin_client: Client) -> None:
        campaign = draft_for(make_fan())

        answer = run(admin_client, action, campaign)

        assert words in answer.text
        campaign.refresh_from_db()
        assert campaign.status == Campaign.Status.DRAFT

    def test_an_audience_that_nobody_is_left_of_is_not_launched(self, admin_client: Client) -> None:
        campaign = draft_for(make_fan(platform_id=""))

        answer = run(admin_client, "launch", campaign)

        assert "nobody would get it" in answer.text
        campaign.refresh_from_db()
        assert campaign.status == Campaign.Status.DRAFT

    def test_whoever_may_only_look_decides_nothing(self, staff: Callable[..., Client]) -> None:
        campaign = draft_for(make_fan())

        run(staff("view_campaign"), "launch", campaign)

        campaign.refresh_from_db()
        assert campaign.status == Campaign.Status.DRAFT


class TestImports:
    def test_a_file_is_taken_in_checked_and_cancelled(self, staff: Callable[..., Client]) -> None:
        client = staff("view_import", "add_import", "change_import", "view_creator")
        creator = make_creator()

        answer = upload(client, creator, "Username\nava\n")

        assert answer.status_code == 302, answer.context["adminform"].form.errors
        job = Import.objects.get()
        assert (job.state, job.rows_total, job.creator) == ("ready", 1, creator)
        assert job.created_by is not None
        run(client, "check_it", job)
        job.refresh_from_db()
        assert job.state == "checking"
        run(client, "end", job)
        job.refresh_from_db()
        assert job.state == "cancelled"

    def test_what_the_file_leaves_open_is_asked_at_the_field_that_answers_it(self, admin_client: Client) -> None:
        creator, text = make_creator(), "Username,Joined At\nava,03/04/2025\n"

        answer = upload(admin_client, creator, text)
        assert "dateOrder" in answer.context["adminform"].form.errors
        assert not Import.objects.exists()

        assert upload(admin_client, creator, text, dateOrder="dmy").status_code == 302
        assert Import.objects.get().options["dateOrder"] == "dmy"

    def test_columns_that_nobody_knows_are_named_at_the_upload(self, admin_client: Client) -> None:
        creator, text = make_creator(), "Alias,Mood\nava,sunny\n"

        answer = upload(admin_client, creator, text)
        assert "needs a column" in str(answer.context["adminform"].form.errors["file"])
        answer = upload(admin_client, creator, text, mapping="Alias handle")
        assert "Alias handle" in str(answer.context["adminform"].form.errors["mapping"])

        assert upload(admin_client, creator, text, mapping="Alias = handle\nMood =").status_code == 302
        assert Import.objects.get().options["mapping"] == {"Alias": "handle", "Mood": ""}

    def test_a_file_that_is_none_is_refused_with_words(self, admin_client: Client) -> None:
        answer = upload(admin_client, make_creator(), "")

        assert answer.context["adminform"].form.errors["file"]
        assert not Import.objects.exists()

    def test_what_its_state_forbids_is_said(self, admin_client: Client) -> None:
        job = make_import()

        answer = run(admin_client, "undo", job)

        assert "does not allow it" in answer.text

    def test_whoever_may_only_look_runs_nothing(self, staff: Callable[..., Client]) -> None:
        job, client = make_import(), staff("view_import")

        run(client, "start", job)

        job.refresh_from_db()
        assert job.state == "ready"
        assert client.get(page_of(Import, "add")).status_code == 403


class TestExports:
    def test_the_fans_of_one_creator_come_as_a_file(self, staff: Callable[..., Client]) -> None:
        creator = make_creator()
        fan, _other = make_fan(creator), make_fan()

        answer = run(staff("view_creator", "view_fan", "view_transaction"), "export_fans", creator)

        text = b"".join(answer.streaming_content).decode()
        assert "attachment" in answer.headers["Content-Disposition"]
        assert fan.platform_id in text
        assert text.count("\n") == 2

    def test_a_file_belongs_to_one_creator(self, admin_client: Client) -> None:
        assert "One creator at a time" in run(admin_client, "export_money", make_creator(), make_creator()).text

    def test_whoever_may_not_see_fans_exports_none(self, staff: Callable[..., Client]) -> None:
        answer = run(staff("view_creator"), "export_fans", make_creator())

        assert not answer.streaming


class TestFrontPage:
    def test_it_says_how_the_line_stands(self, admin_client: Client) -> None:
        message = make_message(status=Status.FAILED)
        Dispatch.note(dlq_count=4, queue_sampled_at=database_now(), heartbeat_at=database_now())

        page = admin_client.get(reverse("admin:index")).text

        assert "The line now" in page
        assert "?status__exact=failed" in page
        assert message.creator.name in page
        assert "Stop all sending" in page

    def test_all_sending_is_stopped_from_it_with_a_reason(self, admin_client: Client) -> None:
        Dispatch.ensured()

        admin_client.post(
            page_of(Dispatch, "changelist"),
            {"action": "stop_all_sending", "_selected_action": "1", "select_across": "0", "reason": "Fire."},
        )

        assert Dispatch.current().stopped_reason == "Fire."
        assert "Fire." in admin_client.get(reverse("admin:index")).text

    def test_it_is_for_those_who_may_see_lines(self, staff: Callable[..., Client]) -> None:
        assert "The line now" not in staff("view_fan").get(reverse("admin:index")).text
        assert "Stop all sending" not in staff("view_line").get(reverse("admin:index")).text


class TestTags:
    def test_a_tag_that_a_rule_chooses_by_is_not_deleted(self, admin_client: Client) -> None:
        creator = make_creator()
        tag = Tag.objects.add(creator, name="VIP")
        make_segment(creator, name="Best", rule={"tags": [str(tag.public_id)]})

        answer = admin_client.post(page_of(Tag, "delete", tag.pk), {"post": "yes"}, follow=True)

        assert "Segments choose by this tag: Best" in answer.text
        assert Tag.objects.filter(pk=tag.pk).exists()


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

    def test_a_person_is_signed_out_everywhere(self, staff: Callable[..., Client], client: Client) -> None:
        user = make_user()
        client.force_login(user)

        run(staff("view_user", "change_user"), "sign_out_everywhere", user)

        assert client.get(reverse("settings")).status_code == 302

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
        dispatch = Dispatch.ensured()

        answer = run(admin_client, "stop_all_sending", dispatch)

        assert "All sending is stopped." in answer.text
        assert Dispatch.is_stopped()
        assert "admin" in Dispatch.current().stopped_reason

        run(admin_client, "resume_all_sending", dispatch)
        assert not Dispatch.is_stopped()

    def test_the_switch_is_there_before_dispatch_ever_ran(self, admin_client: Client) -> None:
        answer = admin_client.get(page_of(Dispatch, "changelist"))

        assert "Stop all sending" in answer.text

    def test_what_is_over_its_threshold_stands_in_the_list(self, admin_client: Client) -> None:
        Dispatch.ensured()
        Dispatch.note(warnings={"queue_depth": "The queue is 101 deep, more than 100."})

        assert "The queue is 101 deep" in admin_client.get(reverse("admin:crm_dispatch_changelist")).content.decode()

    def test_whoever_may_change_dispatch_may_stop_it(self, staff: Callable[..., Client]) -> None:
        run(staff("view_dispatch", "change_dispatch"), "stop_all_sending", Dispatch.ensured())

        assert Dispatch.is_stopped()

    @pytest.mark.parametrize("action", ["stop_all_sending", "resume_all_sending"])
    def test_whoever_may_only_look_pulls_no_switch(self, staff: Callable[..., Client], action: str) -> None:
        if action == "resume_all_sending":
            Dispatch.stop_sending(reason="A reason.", now=database_now())
        client, stopped = staff("view_dispatch"), Dispatch.is_stopped()

        answer = run(client, action, Dispatch.ensured())

        assert answer.status_code == 200
        assert Dispatch.is_stopped() == stopped
        assert "Stop all sending" not in client.get(page_of(Dispatch, "changelist")).text


class TestWhoIsLetIn:
    def test_being_staff_opens_nothing_by_itself(self, staff: Callable[..., Client]) -> None:
        client = staff()

        for model in ALL:
            assert client.get(page_of(model, "changelist")).status_code == 403, model

    def test_who_is_not_of_the_staff_is_asked_to_sign_in(self, client: Client) -> None:
        client.force_login(make_user())

        answer = client.get(page_of(Creator, "changelist"))

        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/admin/login/")
