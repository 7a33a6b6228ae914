"""What the user who asks may see and do.

Foreign and missing are alike: 404. What is seen but not allowed is 403, with a reason.
"""

import uuid
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from django.db import models
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import APIException, PermissionDenied, ValidationError
from rest_framework.request import Request

from crm.models import Creator, User

M = TypeVar("M", bound=models.Model)


class Conflict(APIException):
    """Allowed, but not as things stand now."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "state_forbids"


Creators = dict[int, Creator]


def user_of(request: Request) -> User:
    return cast(User, request.user)


def creators_of(request: Request, creator_id: uuid.UUID | None = None) -> Creators:
    """The user's creators by key, or the one asked for; none when it is not theirs."""
    mine = Creator.objects.all_of(user_of(request))
    return {creator.pk: creator for creator in mine if creator_id in (None, creator.public_id)}


def one_creator(request: Request, creator_id: uuid.UUID | None) -> Creator:
    """The creator named, or the user's only one. Raises 404, or 400 on ``creatorId`` when it must be named."""
    if creator_id:
        return get_object_or_404(Creator.objects.for_user(request.user), public_id=creator_id)
    mine = list(Creator.objects.for_user(request.user)[:2])
    if len(mine) != 1:
        words = _("Say which of your creators is meant.") if mine else _("You are not a member of any creator.")
        raise ValidationError({"creatorId": words}, code="required")
    return mine[0]


def found(rows: "models.QuerySet[M]", public_id: str | uuid.UUID) -> M:
    """One of ``rows``, which begin at ``for_user``; else 404."""
    return get_object_or_404(rows, public_id=public_id)


@dataclass(frozen=True, slots=True)
class ActsFor:
    """For which creator a request does something, and whether that is for owners and managers only."""

    creator_id: int
    as_manager: bool

    def require(self, request: Request) -> None:
        """What was required of the first request of its kind. Raises 404 and 403 alike."""
        get_object_or_404(Creator.objects.for_user(request.user), pk=self.creator_id)
        (require_manager if self.as_manager else require_writer)(request, self.creator_id)


def acts_for(request: Request) -> ActsFor | None:
    """What was required of ``request`` last; None when it is about the user alone."""
    return getattr(request, "_acts_for", None)


def require_writer(request: Request, creator_id: int) -> None:
    """Refuse who may only look on."""
    cast(Any, request)._acts_for = ActsFor(creator_id, as_manager=False)
    if not Creator.objects.sendable_by(request.user).filter(pk=creator_id).exists():
        raise PermissionDenied(_("Your role with this creator does not include writing."))


def require_manager(request: Request, creator_id: int) -> None:
    """Refuse who is neither owner nor manager."""
    cast(Any, request)._acts_for = ActsFor(creator_id, as_manager=True)
    if not manages(request, creator_id):
        raise PermissionDenied(_("Only an owner or a manager of this creator may do this."))


def manages(request: Request, creator_id: int) -> bool:
    return Creator.objects.managed_by(request.user).filter(pk=creator_id).exists()
