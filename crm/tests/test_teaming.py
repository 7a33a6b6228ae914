"""Who comes into a team, as what, and who goes: nobody gets more than the one who decides has."""

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import PermissionDenied, ValidationError

from crm import teaming
from crm.models import Conversation, Creator, Membership, User
from crm.tests.factories import make_conversation, make_creator, make_membership, make_user

pytestmark = pytest.mark.django_db

Role = Membership.Role


@pytest.fixture
def owner() -> User:
    return make_user("owner")


@pytest.fixture
def creator(owner: User) -> Creator:
    return make_creator(owner)


def member(creator: Creator, role: Role) -> Membership:
    return make_membership(make_user(), creator, role=role)


class TestInvite:
    def test_a_newcomer_gets_an_account_that_nobody_can_sign_in_with_yet(self, creator: Creator, owner: User) -> None:
        membership = teaming.invite(creator, username="nina", role=Role.CHATTER, by=owner)

        assert (membership.user.username, membership.role) == ("nina", Role.CHATTER)
        assert not membership.user.has_usable_password()
        assert default_token_generator.check_token(membership.user, teaming.invitation(membership, by=owner))

    def test_who_has_an_account_becomes_a_member_and_gets_no_link(self, creator: Creator, owner: User) -> None:
        nina = make_user("nina")

        membership = teaming.invite(creator, username="nina", role=Role.VIEWER, by=owner)

        assert membership.user == nina
        assert teaming.invitation(membership, by=owner) == ""

    def test_nobody_gets_a_link_that_opens_another_team(self, creator: Creator, owner: User) -> None:
        elsewhere = make_creator(make_user("somebody"))
        teaming.invite(elsewhere, username="nina", role=Role.OWNER, by=User.objects.get(username="somebody"))

        membership = teaming.invite(creator, username="nina", role=Role.VIEWER, by=owner)

        assert teaming.invitation(membership, by=owner) == ""

    def test_nobody_gets_a_link_that_opens_the_admin(self, creator: Creator, owner: User) -> None:
        staff = User.objects.create(username="sam", is_staff=True, password="!")

        membership = teaming.invite(creator, username="sam", role=Role.VIEWER, by=owner)

        assert membership.user == staff
        assert teaming.invitation(membership, by=owner) == ""

    @pytest.mark.parametrize("username", ["", "with spaces", "x" * 151])
    def test_a_name_that_is_none_is_refused(self, username: str, creator: Creator, owner: User) -> None:
        with pytest.raises(ValidationError) as refused:
            teaming.invite(creator, username=username, role=Role.CHATTER, by=owner)

        assert set(refused.value.message_dict) == {"username"}
        assert not User.objects.filter(username=username).exists()

    def test_nobody_is_a_member_twice(self, creator: Creator, owner: User) -> None:
        with pytest.raises(ValidationError, match="a member already"):
            teaming.invite(creator, username="owner", role=Role.CHATTER, by=owner)


class TestWhoDecides:
    @pytest.mark.parametrize(
        ("own", "given", "allowed"),
        [
            (Role.OWNER, Role.OWNER, True),
            (Role.MANAGER, Role.CHATTER, True),
            (Role.MANAGER, Role.MANAGER, False),
            (Role.CHATTER, Role.VIEWER, False),
            (Role.VIEWER, Role.VIEWER, False),
        ],
    )
    def test_everybody_gives_what_their_own_role_allows(
        self, own: Role, given: Role, allowed: bool, creator: Creator
    ) -> None:
        by = member(creator, own).user
        try:
            teaming.invite(creator, username="nina", role=given, by=by)
        except PermissionDenied:
            assert not allowed
        else:
            assert allowed
        assert creator.memberships.filter(user__username="nina").exists() == allowed
        assert User.objects.filter(username="nina").exists() == allowed

    def test_a_manager_makes_no_owner_of_a_chatter_and_takes_nothing_from_an_owner(self, creator: Creator) -> None:
        manager, chatter = member(creator, Role.MANAGER), member(creator, Role.CHATTER)
        owner = creator.memberships.get(role=Role.OWNER)

        with pytest.raises(PermissionDenied):
            teaming.change_role(chatter, Role.OWNER, by=manager.user)
        with pytest.raises(PermissionDenied):
            teaming.change_role(owner, Role.VIEWER, by=manager.user)
        with pytest.raises(PermissionDenied):
            teaming.remove(owner, by=manager.user)

        assert sorted(creator.memberships.values_list("role", flat=True)) == ["chatter", "manager", "owner"]

    def test_who_works_for_another_creator_decides_nothing_here(self, creator: Creator) -> None:
        stranger = make_user()
        make_creator(stranger)

        with pytest.raises(PermissionDenied):
            teaming.remove(member(creator, Role.VIEWER), by=stranger)


class TestTheLastOwner:
    def test_neither_goes_nor_becomes_less(self, creator: Creator, owner: User) -> None:
        last = creator.memberships.get(user=owner)

        with pytest.raises(ValidationError, match="at least one owner"):
            teaming.remove(last, by=owner)
        with pytest.raises(ValidationError, match="at least one owner"):
            teaming.change_role(last, Role.MANAGER, by=owner)

        last.refresh_from_db()
        assert last.role == Role.OWNER

    def test_goes_once_there_is_another_one(self, creator: Creator, owner: User) -> None:
        member(creator, Role.OWNER)

        teaming.remove(creator.memberships.get(user=owner), by=owner)

        assert not Creator.objects.for_user(owner).exists()

    def test_one_who_may_not_sign_in_does_not_count(self, creator: Creator, owner: User) -> None:
        other = member(creator, Role.OWNER).user
        User.objects.filter(pk=other.pk).update(is_active=False)

        with pytest.raises(ValidationError, match="at least one owner"):
            teaming.remove(creator.memberships.get(user=owner), by=owner)


@pytest.mark.parametrize("how", ["remove", "viewer"])
def test_who_writes_no_more_answers_for_no_conversation_of_this_creator(
    how: str, creator: Creator, owner: User
) -> None:
    chatter = member(creator, Role.CHATTER)
    elsewhere = make_creator()
    make_membership(chatter.user, elsewhere, role=Role.CHATTER)
    here = make_conversation(creator, assigned_to=chatter.user)
    there = make_conversation(elsewhere, assigned_to=chatter.user)

    if how == "remove":
        teaming.remove(chatter, by=owner)
    else:
        teaming.change_role(chatter, Role.VIEWER, by=owner)

    assert Conversation.objects.get(pk=here.pk).assigned_to is None
    assert Conversation.objects.get(pk=there.pk).assigned_to == chatter.user
