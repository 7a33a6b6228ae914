"""A creator's team: who comes in, as what, and who goes. An owner decides about everybody, a manager about those who
write and look on, an operator at the command line (``by`` is None) about everybody. A creator always has an owner who
can sign in."""

from collections.abc import Mapping, Sequence

import structlog
from django.contrib.auth.hashers import make_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from crm.models import Conversation, Creator, Line, Membership, User

log = structlog.get_logger(__name__)

Role = Membership.Role
#: Which roles somebody gives, changes and takes, by their own.
DECIDES_ABOUT: Mapping[str, Sequence[Role]] = {
    Role.OWNER: (Role.OWNER, Role.MANAGER, Role.CHATTER, Role.VIEWER),
    Role.MANAGER: (Role.CHATTER, Role.VIEWER),
}


def may_give(user: User, creator: Creator) -> Sequence[Role]:
    """The roles that ``user`` decides about in this team; none for those who only work in it."""
    own = creator.memberships.filter(user=user).values_list("role", flat=True).first()
    return DECIDES_ABOUT.get(own or "", ())


def invite(creator: Creator, *, username: str, role: str, by: User | None) -> Membership:
    """Make ``username`` a member, with an account of that name if there is none; ``invitation`` is their way in.

    Raises ValidationError by field (username, role), or PermissionDenied.
    """
    with transaction.atomic():
        _lock(creator)
        _require(by, creator, role)
        username = User.normalize_username(username)
        User(username=username).clean_fields(exclude=["password"])
        user, _created = User.objects.get_or_create(username=username, defaults={"password": make_password(None)})
        if creator.memberships.filter(user=user).exists():
            raise ValidationError({"username": _("They are a member already.")})
        membership = Membership.objects.create(creator=creator, user=user, role=role)
    _told("a member was invited", membership, by)
    return membership


def invitation(membership: Membership, *, by: User | None) -> str:
    """A token with which the member chooses a password, once; empty for who has one, or who is another team's too.

    Whoever holds it becomes that person, so it is given for nobody whom ``by`` does not decide about entirely.
    """
    user = membership.user
    if user.has_usable_password() or not user.is_active or user.is_staff:
        return ""
    everywhere = user.memberships.select_related("creator")
    decides = not by or all(each.role in may_give(by, each.creator) for each in everywhere)
    return default_token_generator.make_token(user) if decides else ""


def change_role(membership: Membership, role: str, *, by: User | None) -> None:
    """Raises ValidationError for the last owner, or PermissionDenied."""
    creator = membership.creator
    with transaction.atomic():
        seq = _lock(creator)
        membership.refresh_from_db()
        _require(by, creator, membership.role, role)
        if role != Role.OWNER:
            _keep_an_owner(membership)
        membership.role = role
        membership.save(update_fields=["role"])
        if role not in Membership.WRITERS:
            _give_up_conversations(membership, seq)
    _told("a member's role changed", membership, by)


def remove(membership: Membership, *, by: User | None) -> None:
    """They see nothing of this creator any more. Raises ValidationError for the last owner, or PermissionDenied."""
    creator = membership.creator
    with transaction.atomic():
        seq = _lock(creator)
        membership.refresh_from_db()
        _require(by, creator, membership.role)
        _keep_an_owner(membership)
        _give_up_conversations(membership, seq)
        membership.delete()
    _told("a member was removed", membership, by)


def _lock(creator: Creator) -> int:
    """Of two who change a team at once, the second sees what the first has done."""
    return Line.objects.stamp(creator.pk)


def _require(by: User | None, creator: Creator, *roles: str) -> None:
    if by and not set(roles) <= set(may_give(by, creator)):
        raise PermissionDenied(_("Your role does not include deciding about this one."))


def _keep_an_owner(membership: Membership) -> None:
    others = membership.creator.memberships.filter(role=Role.OWNER, user__is_active=True).exclude(pk=membership.pk)
    if membership.role == Role.OWNER and not others.exists():
        raise ValidationError({"role": _("A creator has at least one owner: make somebody else one first.")})


def _give_up_conversations(membership: Membership, seq: int) -> None:
    mine = Conversation.objects.filter(creator=membership.creator, assigned_to=membership.user)
    mine.update(assigned_to=None, seq=seq)


def _told(what: str, membership: Membership, by: User | None) -> None:
    log.info(
        what,
        creator=membership.creator_id,
        member=str(membership.user.public_id),
        role=membership.role,
        user=by and by.pk,
    )
