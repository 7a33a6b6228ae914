"""An operator adds a creator, and says who works for whom."""

from datetime import time

import pytest
from django.test import Client

from crm.models import Creator, Membership, User
from crm.tests.factories import make_membership, make_user
from crm.tests.management.operator import run

pytestmark = pytest.mark.django_db

Role = Membership.Role


class TestCreateCreator:
    def test_the_owner_is_made_with_it_and_chooses_a_password_at_the_link(self, client: Client) -> None:
        options = ["--timezone", "Europe/Paris", "--pace", "10/60", "--quiet-from", "22:00", "--quiet-until", "08:30"]

        said = run("create_creator", "Ava", "--owner", "mia", *options, "--json")

        assert said.code == 0
        creator = Creator.objects.get(public_id=said.json["creatorId"])
        assert (creator.name, creator.timezone, creator.pace) == ("Ava", "Europe/Paris", "10/60")
        assert (creator.quiet_from, creator.quiet_until) == (time(22), time(8, 30))
        assert creator.memberships.get().role == Role.OWNER
        assert "new_password1" in client.get(said.json["passwordPath"], follow=True).content.decode()

    def test_who_has_an_account_already_gets_no_link(self) -> None:
        make_user("mia")

        said = run("create_creator", "Ava", "--owner", "mia")

        assert said.code == 0
        assert "Its owner is mia." in said.out
        assert "password" not in said.out

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["Ava", "--owner", "mia"], 1, "There is a creator called “Ava” already"),
            (["Bo", "--owner", "mia", "--timezone", "Mars/Olympus"], 1, "There is no time zone of this name"),
            (["Bo", "--owner", "mia", "--pace", "quickly"], 1, "10/60"),
            (["Bo", "--owner", "mia", "--quiet-from", "22:00"], 1, "Quiet hours need a beginning and an end."),
            (["Bo", "--owner", "mia", "--quiet-from", "late"], 2, "“late” is no time; write it as in 22:00."),
            (["Bo", "--owner", "not a name"], 1, "valid username"),
            (["Bo"], 2, "--owner"),
        ],
    )
    def test_what_is_wrong_is_named_and_nothing_is_written(
        self, creator: Creator, arguments: list[str], code: int, words: str
    ) -> None:
        said = run("create_creator", *arguments)

        assert said.code == code
        assert words in said.err
        assert list(Creator.objects.all()) == [creator]
        assert not User.objects.exists()


class TestGrantAccess:
    def test_a_newcomer_gets_a_role_and_a_link(self, creator: Creator) -> None:
        said = run("grant_access", "nina", "Ava", "--role", "manager")

        assert said.code == 0
        assert "nina is manager of Ava." in said.out
        assert "/welcome/" in said.out
        assert creator.memberships.get().role == Role.MANAGER

    def test_a_role_is_changed(self, creator: Creator) -> None:
        make_membership(make_user("nina"), creator, role=Role.CHATTER)

        said = run("grant_access", "nina", "Ava", "--role", "viewer", "--json")

        assert (said.code, said.json["role"], said.json["passwordPath"]) == (0, "viewer", None)
        assert creator.memberships.get().role == Role.VIEWER

    def test_access_is_taken_away(self, creator: Creator) -> None:
        make_membership(make_user("nina"), creator, role=Role.CHATTER)

        said = run("grant_access", "nina", "Ava", "--remove")

        assert (said.code, said.out) == (0, "nina has no access to Ava any more.\n")
        assert not creator.memberships.exists()

    @pytest.mark.parametrize(
        ("arguments", "code", "words"),
        [
            (["mia", "Ava", "--remove"], 1, "A creator has at least one owner"),
            (["mia", "Ava", "--role", "viewer"], 1, "A creator has at least one owner"),
            (["nobody", "Ava", "--remove"], 1, "“nobody” has no access to Ava."),
            (["nina", "Bo"], 2, "There is no creator called “Bo”; use the id. There are: Ava."),
            (["nina", "Ava", "--role", "queen"], 2, "invalid choice: 'queen'"),
        ],
    )
    def test_what_cannot_be_is_said_and_nothing_changes(
        self, creator: Creator, arguments: list[str], code: int, words: str
    ) -> None:
        make_membership(make_user("mia"), creator, role=Role.OWNER)

        said = run("grant_access", *arguments)

        assert said.code == code
        assert words in said.err
        assert [(each.user.username, each.role) for each in creator.memberships.all()] == [("mia", Role.OWNER)]
