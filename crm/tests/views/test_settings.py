"""Settings: what everybody changes of their own, and what a role allows to change for a creator."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from crm.clock import database_now
from crm.models import ApiKey, Creator, Dispatch, Line, Membership, Session, Snippet, TokenFamily, User, creators
from crm.templatetags.inbox import written_day
from crm.tests.factories import PASSWORD, make_creator, make_membership, make_user

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "another-horse-battery"


@pytest.fixture
def user() -> User:
    return make_user("mia")


@pytest.fixture
def creator(user: User) -> Creator:
    return make_creator(user, name="Mia")


@pytest.fixture
def client(user: User) -> Client:
    return signed_in(user)


def signed_in(user: User, **headers: str) -> Client:
    client = Client(headers=headers)
    client.post(reverse("login"), {"username": user.username, "password": PASSWORD})
    return client


def address(name: str, creator: Creator, *args: Any) -> str:
    return reverse(name, args=args, query={"creator": creator.public_id})


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("settings")).status_code == 200


class TestProfile:
    def test_a_name_and_how_the_inbox_works_are_kept(self, client: Client, user: User) -> None:
        client.post(reverse("settings"), {"first_name": "Mia", "last_name": "Laurent", "undo_seconds": "10"})

        user.refresh_from_db()
        assert (user.get_full_name(), user.undo_seconds, user.uses_shortcuts) == ("Mia Laurent", 10, False)

    def test_nothing_else_of_the_user_can_be_posted(self, client: Client, user: User) -> None:
        client.post(reverse("settings"), {"undo_seconds": "5", "is_staff": "1", "username": "root"})

        user.refresh_from_db()
        assert (user.is_staff, user.username) == (False, "mia")

    @pytest.mark.parametrize(
        ("field", "value"), [("undo_seconds", "7"), ("email", "nowhere"), ("first_name", "x" * 151)]
    )
    def test_what_is_refused_is_said_at_its_field(self, field: str, value: str, client: Client) -> None:
        answer = client.post(reverse("settings"), {"undo_seconds": "5"} | {field: value})

        assert answer.status_code == 400
        assert answer.context["form"].errors[field]

    def test_another_password_ends_every_other_sign_in(self, client: Client, user: User) -> None:
        elsewhere = signed_in(user)
        family = TokenFamily.begin(user, token_id="1", expires_at=database_now() + timedelta(days=1))

        client.post(
            reverse("change_password"),
            {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD},
        )

        assert is_signed_in(client)
        assert not is_signed_in(elsewhere)
        assert Session.objects.of(user, database_now()).count() == 1
        assert not TokenFamily.objects.get(pk=family.pk).is_alive
        assert Client().login(username="mia", password=NEW_PASSWORD)

    @pytest.mark.parametrize(
        ("typed", "field"),
        [
            ({"old_password": "wrong"}, "old_password"),
            ({"new_password2": "different-horse"}, "new_password2"),
            ({"new_password1": "12345678", "new_password2": "12345678"}, "new_password2"),
        ],
    )
    def test_a_password_that_will_not_do_changes_nothing(
        self, typed: dict[str, str], field: str, client: Client, user: User
    ) -> None:
        good = {"old_password": PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}

        answer = client.post(reverse("change_password"), good | typed)

        assert answer.status_code == 400
        assert answer.context["password_form"].errors[field]
        assert User.objects.get().check_password(PASSWORD)


class TestSignIns:
    def test_each_browser_is_listed_by_what_it_calls_itself(self, client: Client, user: User) -> None:
        signed_in(user, user_agent="Mozilla/5.0 (Windows NT 10.0) Gecko/20100101 Firefox/140.0")

        page = client.get(reverse("sign_ins")).text

        assert "Firefox, Windows" in page
        assert page.count("This browser") == 1
        assert Session.objects.latest("began_at").session_key not in page

    @pytest.mark.parametrize("name", ["sign_ins", "api_keys"])
    def test_hours_are_by_a_clock_that_is_named(self, name: str, client: Client, user: User) -> None:
        ApiKey.issue(user, name="Sheets", scopes=["read"])

        alone = client.get(reverse(name)).text
        make_creator(user, timezone="Europe/Paris")
        with_a_creator = client.get(reverse(name)).text

        assert "Times are those of UTC." in alone
        assert "Times are those of Europe/Paris." in with_a_creator

    def test_one_browser_is_signed_out(self, client: Client, user: User) -> None:
        elsewhere, other = signed_in(user), signed_in(user)
        [session] = [each for each in Session.objects.all() if each.session_key == elsewhere.session.session_key]

        client.post(reverse("sign_ins"), {"session": session.public_id})

        assert [is_signed_in(each) for each in (client, elsewhere, other)] == [True, False, True]

    def test_all_but_this_one_are_signed_out(self, client: Client, user: User) -> None:
        elsewhere, family = (
            signed_in(user),
            TokenFamily.begin(user, token_id="1", expires_at=database_now() + timedelta(days=1)),
        )

        client.post(reverse("sign_ins"), {"everywhere": "1"})

        family.refresh_from_db()
        assert [is_signed_in(each) for each in (client, elsewhere)] == [True, False]
        assert not family.is_alive

    def test_an_api_sign_in_is_listed_and_ended(self, client: Client, user: User) -> None:
        family = TokenFamily.begin(user, token_id="1", expires_at=database_now() + timedelta(days=1))

        assert str(family.public_id) in client.get(reverse("sign_ins")).text
        client.post(reverse("sign_ins"), {"family": str(family.public_id)})

        assert str(family.public_id) not in client.get(reverse("sign_ins")).text

    def test_nobody_ends_what_is_somebody_elses(self, client: Client) -> None:
        other = make_user("other")
        elsewhere = signed_in(other)
        family = TokenFamily.begin(other, token_id="1", expires_at=database_now() + timedelta(days=1))
        session = Session.objects.get(user=other)

        for named in ({"session": session.public_id}, {"family": str(family.public_id)}, {"session": "made up"}):
            assert client.post(reverse("sign_ins"), named).status_code == 404

        assert is_signed_in(elsewhere)
        family.refresh_from_db()
        assert family.is_alive


class TestKeys:
    def test_days_are_written_as_on_every_page(self, client: Client, creator: Creator) -> None:
        client.post(reverse("api_keys"), {"name": "Shop", "scopes": ["read"], "days": "30"})
        key = ApiKey.objects.get()

        assert f">{written_day(key.expires_at)}<" in client.get(reverse("api_keys")).text

    def test_a_key_is_shown_in_the_answer_that_makes_it_and_never_again(self, client: Client, creator: Creator) -> None:
        answer = client.post(
            reverse("api_keys"),
            {"name": "Shop", "scopes": ["read", "send"], "creator": str(creator.public_id), "days": "30"},
        )

        assert answer.status_code == 201
        [secret] = set(re.findall(r"hz_[0-9a-f]{8}_[\w-]{20,}", answer.text))
        key = ApiKey.objects.with_secret(secret, database_now())
        assert key is not None
        assert (key.name, key.scopes, key.creator) == ("Shop", ["read", "send"], creator)
        assert timedelta(days=29) < key.expires_at - database_now() < timedelta(days=30)
        page = client.get(reverse("api_keys")).text
        assert key.prefix in page
        assert secret not in page

    @pytest.mark.parametrize(
        ("typed", "field"),
        [
            ({"name": ""}, "name"),
            ({"scopes": []}, "scopes"),
            ({"scopes": ["root"]}, "scopes"),
            ({"days": "9999"}, "days"),
        ],
    )
    def test_what_is_refused_is_said_at_its_field(self, typed: dict[str, Any], field: str, client: Client) -> None:
        answer = client.post(reverse("api_keys"), {"name": "Shop", "scopes": ["read"], "days": "30"} | typed)

        assert answer.status_code == 400
        assert answer.context["form"].errors[field]
        assert not ApiKey.objects.exists()

    def test_a_key_is_for_no_creator_of_somebody_else(self, client: Client) -> None:
        foreign = {"name": "Shop", "scopes": ["read"], "days": "30", "creator": str(make_creator().public_id)}

        assert client.post(reverse("api_keys"), foreign).status_code == 400
        assert not ApiKey.objects.exists()

    def test_more_than_there_may_be_are_refused_with_the_limit(
        self, client: Client, user: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ApiKey, "PER_USER_MAX", 1)
        ApiKey.issue(user, name="First", scopes=["read"])

        answer = client.post(reverse("api_keys"), {"name": "Shop", "scopes": ["read"], "days": "30"})

        assert "At most 1 keys" in answer.text

    def test_a_revoked_key_opens_nothing(self, client: Client, user: User) -> None:
        key, secret = ApiKey.issue(user, name="Shop", scopes=["read"])

        client.post(reverse("revoke_key", args=[key.public_id]))

        assert ApiKey.objects.with_secret(secret, database_now()) is None


class TestCreator:
    def test_name_clock_and_pace_are_kept_and_the_pace_is_said(self, client: Client, creator: Creator) -> None:
        answer = client.post(
            address("creator_settings", creator),
            {"name": "Mia L.", "timezone": "Europe/Paris", "pace": "5/60"},
            follow=True,
        )

        creator.refresh_from_db()
        assert (creator.name, creator.timezone, creator.pace) == ("Mia L.", "Europe/Paris", "5/60")
        assert "never more than 5 in any minute" in answer.text

    def test_a_new_campaign_begins_with_the_creators_quiet_hours(self, client: Client, creator: Creator) -> None:
        typed = {"name": "Mia", "timezone": "Europe/Paris", "pace": "", "quiet_from": "22:00", "quiet_until": "08:30"}

        client.post("/settings/creator", typed)

        page = client.get("/messages/bulk").content.decode()
        assert 'name="quiet_from" value="22:00"' in page
        assert 'name="quiet_until" value="08:30"' in page

    def test_half_of_the_quiet_hours_is_refused(self, client: Client, creator: Creator) -> None:
        typed = {"name": "Mia", "timezone": "UTC", "pace": "", "quiet_from": "22:00"}

        answer = client.post("/settings/creator", typed)

        assert answer.status_code == 400
        assert "Quiet hours need a beginning and an end." in answer.content.decode()

    def test_what_a_pace_would_mean_is_said_without_keeping_it(self, client: Client, creator: Creator) -> None:
        typed = {"name": "Other", "timezone": "UTC", "pace": "5/60, 100/86400", "check": "1"}

        page = client.post(address("creator_settings", creator), typed).text

        assert "never more than 100 in any 24 h" in page
        creator.refresh_from_db()
        assert (creator.name, creator.pace) == ("Mia", "")

    def test_a_time_zone_is_the_same_on_every_machine(
        self, client: Client, creator: Creator, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(creators, "available_timezones", lambda: {"UTC", "Europe/Paris", "Factory", "localtime"})

        shown = client.get(address("creator_settings", creator)).context["form"]

        assert [name for name, _label in shown.fields["timezone"].choices] == ["Europe/Paris", "UTC"]
        with pytest.raises(ValidationError, match="no time zone of this name"):
            creators.validate_timezone("localtime")

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("pace", "often", "“often” is not a pace"),
            ("pace", "10/60:20", "a burst is 1 up to the messages"),
            ("timezone", "Mars/Olympus", "not one of the available choices"),
            ("name", "", "required"),
        ],
    )
    def test_what_is_refused_is_said_at_its_field_and_changes_nothing(
        self, field: str, value: str, words: str, client: Client, creator: Creator
    ) -> None:
        good = {"name": "New", "timezone": "UTC", "pace": ""}

        answer = client.post(address("creator_settings", creator), good | {field: value})

        assert answer.status_code == 400
        assert words in " ".join(answer.context["form"].errors[field])
        creator.refresh_from_db()
        assert creator.name == "Mia"

    def test_it_is_paused_with_a_reason_and_resumed(self, client: Client, creator: Creator, user: User) -> None:
        client.post(address("pause_creator", creator), {"act": "pause", "reason": "On holiday."})

        line = Line.objects.get(creator=creator)
        assert (line.paused_reason, line.paused_by) == ("On holiday.", user)
        assert "On holiday." in client.get(address("creator_settings", creator)).text

        client.post(address("pause_creator", creator), {"act": "resume"})
        line.refresh_from_db()
        assert line.paused_at is None

    def test_a_pause_needs_a_reason(self, client: Client, creator: Creator) -> None:
        answer = client.post(address("pause_creator", creator), {"act": "pause", "reason": " "})

        assert answer.status_code == 400
        assert Line.objects.get(creator=creator).paused_at is None

    def test_who_only_writes_sees_the_limits_and_changes_nothing(self, creator: Creator) -> None:
        chatter = make_user("nina")
        make_membership(chatter, creator, role=Membership.Role.CHATTER)
        client = signed_in(chatter)

        page = client.get(address("creator_settings", creator))

        assert "never more than 10 in any minute" in page.text
        assert all(field.disabled for field in page.context["form"].fields.values())
        assert client.post(address("creator_settings", creator), {"name": "Hers"}).status_code == 403
        assert client.post(address("pause_creator", creator), {"act": "resume"}).status_code == 403

    def test_a_form_changes_the_creator_that_it_names_whichever_was_looked_at_last(
        self, client: Client, creator: Creator, user: User
    ) -> None:
        other = make_creator(user, name="Zoe")
        client.get(address("creator_settings", other))

        client.post(address("pause_creator", creator), {"act": "pause", "reason": "Holiday."})

        assert list(Line.objects.filter(paused_at__isnull=False).values_list("creator", flat=True)) == [creator.pk]


class TestTeam:
    def test_an_invited_chatter_chooses_a_password_and_is_in(self, client: Client, creator: Creator) -> None:
        answer = client.post(address("team", creator), {"username": "nina", "role": "chatter"})

        link = answer.context["link"]
        assert link in answer.text
        assert link not in client.get(address("team", creator)).text
        newcomer = Client()
        form = newcomer.get(link, follow=True)
        assert form.status_code == 200
        chosen = form.redirect_chain[-1][0]
        newcomer.post(chosen, {"new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD})

        assert is_signed_in(newcomer)
        assert newcomer.get(address("team", creator)).status_code == 200
        assert Client().get(link, follow=True).status_code == 404

    def test_a_new_link_makes_no_second_account(self, client: Client, creator: Creator) -> None:
        client.post(address("team", creator), {"username": "nina", "role": "chatter"})
        nina = User.objects.get(username="nina")

        answer = client.post(address("member", creator, nina.public_id), {"act": "link"})

        assert answer.status_code == 201
        assert Client().get(answer.context["link"], follow=True).status_code == 200

    def test_a_role_changes_and_a_member_goes(self, client: Client, creator: Creator) -> None:
        nina = make_user("nina")
        make_membership(nina, creator, role=Membership.Role.CHATTER)

        client.post(address("member", creator, nina.public_id), {"act": "role", "role": "manager"})
        assert creator.memberships.get(user=nina).role == Membership.Role.MANAGER
        client.post(address("member", creator, nina.public_id), {"act": "remove"})
        assert not creator.memberships.filter(user=nina).exists()

    def test_the_last_owner_stays_and_the_page_says_why(self, client: Client, creator: Creator, user: User) -> None:
        answer = client.post(address("member", creator, user.public_id), {"act": "remove"})

        assert answer.status_code == 409
        assert "at least one owner" in answer.text
        assert creator.memberships.filter(user=user).exists()

    @pytest.mark.parametrize(
        "typed", [{"username": "with spaces", "role": "chatter"}, {"username": "nina", "role": "emperor"}, {}]
    )
    def test_what_is_refused_is_said(self, typed: dict[str, str], client: Client, creator: Creator) -> None:
        answer = client.post(address("team", creator), typed)

        assert answer.status_code == 400
        assert answer.context["form"].errors
        assert creator.memberships.count() == 1

    @pytest.mark.parametrize("posted", [{"act": "role", "role": "emperor"}, {"act": "applaud"}, {}])
    def test_what_is_no_act_is_refused(
        self, posted: dict[str, str], client: Client, creator: Creator, user: User
    ) -> None:
        assert client.post(address("member", creator, user.public_id), posted).status_code == 400

    def test_somebody_of_another_team_is_not_found_here(self, client: Client, creator: Creator) -> None:
        stranger = make_user()
        make_creator(stranger)

        answer = client.post(address("member", creator, stranger.public_id), {"act": "remove"})

        assert answer.status_code == 404

    def test_a_viewer_sees_who_is_in_it_and_is_offered_nothing(self, creator: Creator) -> None:
        viewer = make_user("victor")
        make_membership(viewer, creator, role=Membership.Role.VIEWER)

        page = signed_in(viewer).get(address("team", creator)).text

        assert "mia" in page
        assert "Remove" not in page
        assert "Invite" not in page


class TestSnippets:
    def test_one_is_written_read_changed_and_deleted(self, client: Client, creator: Creator) -> None:
        client.post(address("new_snippet", creator), {"name": "Hello", "text": "Hello {name|there}!"})
        snippet = Snippet.objects.get(creator=creator)
        page = client.get(reverse("snippet", args=[snippet.public_id])).text
        assert "Hello Daniel Moreau!" in page
        assert "Hello there!" in page

        client.post(reverse("snippet", args=[snippet.public_id]), {"name": "Hi", "text": "Hi!"})
        snippet.refresh_from_db()
        assert (snippet.name, snippet.text) == ("Hi", "Hi!")
        client.post(reverse("snippet", args=[snippet.public_id]), {"delete": "1"})
        assert not Snippet.objects.exists()

    def test_how_it_reads_is_shown_without_keeping_it(self, client: Client, creator: Creator) -> None:
        typed = {"name": "Hello", "text": "Dear {first_name|friend},", "check": "1"}

        page = client.post(address("new_snippet", creator), typed).text

        assert "Dear Daniel," in page
        assert "Dear friend," in page
        assert not Snippet.objects.exists()

    @pytest.mark.parametrize(
        ("typed", "field", "words"),
        [
            ({"text": "Hello {nam|you}!"}, "text", "Not a variable: nam"),
            ({"text": "Hello {name}!"}, "text", "Say what stands there"),
            ({"text": " "}, "text", "empty"),
            ({"name": "TAKEN"}, "name", "taken"),
        ],
    )
    def test_what_is_refused_is_said_at_its_field(
        self, typed: dict[str, str], field: str, words: str, client: Client, creator: Creator
    ) -> None:
        Snippet.objects.create(creator=creator, name="Taken", text="Hello!")

        answer = client.post(address("new_snippet", creator), {"name": "Hello", "text": "Hello!"} | typed)

        assert answer.status_code == 400
        assert words in " ".join(answer.context["form"].errors[field])
        assert Snippet.objects.count() == 1


class TestAllSending:
    def test_staff_stop_it_with_a_reason_and_let_it_go_on(self, admin_client: Client) -> None:
        admin_client.post(reverse("sending"), {"act": "stop", "reason": "Fire."})
        assert Dispatch.current().stopped_reason == "Fire."
        assert "Fire." in admin_client.get(reverse("sending")).text

        admin_client.post(reverse("sending"), {"act": "resume"})
        assert not Dispatch.is_stopped()

    def test_a_stop_needs_a_reason(self, admin_client: Client) -> None:
        assert admin_client.post(reverse("sending"), {"act": "stop"}).status_code == 400
        assert not Dispatch.is_stopped()

    def test_an_owner_is_neither_offered_it_nor_let_in(self, client: Client, creator: Creator) -> None:
        assert "All sending" not in client.get(reverse("settings")).text
        assert client.post(reverse("sending"), {"act": "stop", "reason": "Fire."}).status_code == 403
        assert not Dispatch.is_stopped()
