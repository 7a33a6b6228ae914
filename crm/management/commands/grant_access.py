"""Who works for which creator, from the command line."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError, CommandParser

from crm import teaming
from crm.management.operating import Answer, OperatorCommand, creator_named, way_in
from crm.models import Membership


class Command(OperatorCommand):
    help = (
        "Let somebody work for a creator, change their role, or take the access away. An account that is not there is"
        " made, with a link to choose a password."
    )
    examples = ("nina @avalaurent", 'nina "Ava Laurent" --role manager', 'nina "Ava Laurent" --remove --json')
    fails_when = "the access could not be changed"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("username", help="Who signs in by this name.")
        parser.add_argument("creator", help="Id, handle or name.")
        what = parser.add_mutually_exclusive_group()
        what.add_argument(
            "--role", choices=Membership.Role.values, default=Membership.Role.CHATTER, help="chatter, unless told."
        )
        what.add_argument("--remove", action="store_true", help="They see nothing of this creator any more.")

    def answer(self, *, username: str, creator: str, role: str, remove: bool, **_options: Any) -> Answer:
        whom = creator_named(creator)
        known = whom.memberships.select_related("user", "creator").filter(user__username=username).first()
        if remove and not known:
            raise CommandError(f"“{username}” has no access to {whom.name}.")
        link = ""
        try:
            if known and remove:
                teaming.remove(known, by=None)
            elif known:
                teaming.change_role(known, role, by=None)
            else:
                link = way_in(teaming.invite(whom, username=username, role=role, by=None))
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from refused
        document = {"username": username, "creator": whom.name, "creatorId": whom.public_id}
        if remove:
            return Answer(document | {"role": None}, [f"{username} has no access to {whom.name} any more."])
        lines = [f"{username} is {Membership.Role(role).label.lower()} of {whom.name}."]
        if link:
            lines.append(f"They choose their password at {link} (good once, for three days).")
        return Answer(document | {"role": role, "passwordPath": link or None}, lines)
