"""Rules that choose fans: conditions of ``crm/conditions.py``, joined.

A rule is ``{"all": [rules]}``, ``{"any": [rules]}``, ``{"not": rule}``, or conditions that must all hold, such as
``{"valueMin": 10000, "silentForDays": 30}``. ``{}`` is every fan.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm.clock import database_now
from crm.conditions import CONDITIONS, Scope
from crm.models import Creator, Fan, Segment, Tag
from crm.models.naming import check_named

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

DEPTH_MAX, CONDITIONS_MAX = 5, 50
SAMPLE = 20

Rule = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadyMade:
    """A segment that everybody has."""

    key: str
    name: "StrPromise"
    rule: Rule


READY_MADE = (
    ReadyMade("active", _("Active subscribers"), {"subscription": "active"}),
    ReadyMade("new-day", _("New in the last 24 hours"), {"joinedWithinDays": 1}),
    ReadyMade("new-week", _("New in the last 7 days"), {"joinedWithinDays": 7}),
    ReadyMade("expired-week", _("Expired in the last 7 days"), {"expiredWithinDays": 7}),
    ReadyMade("expired-month", _("Expired in the last 30 days"), {"expiredWithinDays": 30}),
    ReadyMade("top", _("Top 20 % by spending"), {"topPercent": 20}),
    ReadyMade("spent-100", _("Spent 100 or more"), {"valueMin": 10_000}),
    ReadyMade("spent-500", _("Spent 500 or more"), {"valueMin": 50_000}),
    ReadyMade("silent-week", _("Silent for 7 days"), {"silentForDays": 7}),
    ReadyMade("silent-month", _("Silent for 30 days"), {"silentForDays": 30}),
    ReadyMade("priority", _("Priority fans"), {"priority": True}),
    ReadyMade("free", _("Free subscribers"), {"subscription": "active", "subscriptionPaid": False}),
    ReadyMade("paid", _("Paying subscribers"), {"subscription": "active", "subscriptionPaid": True}),
    ReadyMade("never-bought", _("Never spent anything"), {"neverBought": True}),
    ReadyMade("unlocked", _("Unlocked a message in the last 90 days"), {"unlockedWithinDays": 90}),
    ReadyMade("tipped", _("Tipped in the last 30 days"), {"tippedWithinDays": 30}),
)


@dataclass(frozen=True, slots=True)
class _Leaf:
    path: str
    name: str
    raw: object


@dataclass(frozen=True, slots=True)
class _Branch:
    """``parts`` are joined by ``how``; under "not" there is one."""

    how: str
    parts: "list[_Branch | _Leaf]"


def select(fans: "QuerySet[Fan]", rule: Rule, *, creator: Creator, now: datetime | None = None) -> "QuerySet[Fan]":
    """``creator``'s among ``fans`` for whom ``rule`` holds at ``now``. Raises ValidationError by path."""
    scope = Scope(frozenset([creator.pk]), now or database_now())
    return fans.filter(_meaning(_read(rule, "rule"), scope), creator=creator)


def conditions_of_all(rule: Rule) -> Iterator[str]:
    """The conditions that hold for everybody whom ``rule`` chooses, as far as it says so outright."""
    for name, inner in rule.items():
        if name == "all":
            for each in inner:
                yield from conditions_of_all(each)
        elif name not in ("any", "not"):
            yield name


def check(rule: object, *, creator: Creator, name: str = "rule") -> dict[str, Any]:
    """``rule`` as it is to be kept: tags by id, so that they may be renamed.

    Raises ValidationError; its keys are paths such as ``rule.all.1.valueMin``.
    """
    tags = {tag.name.casefold(): tag.public_id for tag in Tag.objects.filter(creator=creator)}
    errors: dict[str, list[str]] = {}
    kept = _kept(_read(rule, name), tags, errors)
    if errors:
        raise ValidationError(errors)
    return kept


def write(segment: Segment, *, name: str | None = None, rule: object = None) -> None:
    """Name the segment, and say whom it chooses; None leaves what is. Raises ValidationError by column or path."""
    with transaction.atomic():
        if name is not None:
            segment.name = name
        if rule is not None:
            segment.rule = check(rule, creator=segment.creator)
        check_named(segment)
        segment.save()


def _read(rule: object, path: str) -> _Branch:
    """The rule's shape, checked: not too deep, not too long, lists where lists belong."""
    tree = _branch(rule, path, depth=1)
    if sum(1 for _leaf in _leaves(tree)) > CONDITIONS_MAX:
        raise ValidationError({path: _text("At most %(max)d conditions in a rule.") % {"max": CONDITIONS_MAX}})
    return tree


def _branch(rule: object, path: str, *, depth: int) -> _Branch:
    if not isinstance(rule, dict):
        raise ValidationError({path: _text("A rule is an object: all, any, not, or conditions.")})
    if depth > DEPTH_MAX:
        raise ValidationError({path: _text("At most %(max)d levels in a rule.") % {"max": DEPTH_MAX}})
    parts: list[_Branch | _Leaf] = []
    for name, inner in rule.items():
        at = f"{path}.{name}"
        if name in ("all", "any"):
            if not isinstance(inner, list) or not inner:
                raise ValidationError({at: _text("A list of rules, at least one.")})
            parts.append(_Branch(name, [_branch(r, f"{at}.{n}", depth=depth + 1) for n, r in enumerate(inner)]))
        elif name == "not":
            parts.append(_Branch(name, [_branch(inner, at, depth=depth + 1)]))
        else:
            parts.append(_Leaf(at, name, inner))
    return _Branch("all", parts)


def _leaves(branch: _Branch) -> Iterator[_Leaf]:
    for part in branch.parts:
        if isinstance(part, _Leaf):
            yield part
        else:
            yield from _leaves(part)


def _meaning(branch: _Branch, scope: Scope) -> Q:
    parts = [_holds(part, scope) if isinstance(part, _Leaf) else _meaning(part, scope) for part in branch.parts]
    if branch.how == "not":
        return ~parts[0]
    return reduce(or_ if branch.how == "any" else and_, parts, Q())


def _holds(leaf: _Leaf, scope: Scope) -> Q:
    try:
        condition = CONDITIONS[leaf.name]
        return condition.holds(condition.kind.read(leaf.raw), scope)
    except KeyError:
        raise ValidationError({leaf.path: _text("Not a condition.")}) from None
    except ValidationError as error:
        raise ValidationError({leaf.path: error.messages}) from None


def _kept(branch: _Branch, tags: Mapping[str, UUID], errors: dict[str, list[str]]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for part in branch.parts:
        if isinstance(part, _Leaf):
            try:
                kept[part.name] = _value(part, tags)
            except ValidationError as error:
                errors[part.path] = error.messages
        else:
            rules = [_kept(inner, tags, errors) for inner in part.parts if isinstance(inner, _Branch)]
            kept[part.how] = rules[0] if part.how == "not" else rules
    return kept


def _value(leaf: _Leaf, tags: Mapping[str, UUID]) -> object:
    condition = CONDITIONS.get(leaf.name)
    if condition is None:
        raise ValidationError(_text("Not a condition. There are: %(names)s.") % {"names": ", ".join(CONDITIONS)})
    value = condition.kind.read(leaf.raw)
    if leaf.name == "assigned" and value == "me":
        raise ValidationError(_text("A saved rule is for everybody: say whose id."))
    if leaf.name != "tag":
        return leaf.raw
    tag = value if isinstance(value, UUID) else tags.get(value.casefold())
    if tag not in tags.values():
        raise ValidationError(_text("There is no such tag."))
    return str(tag)
