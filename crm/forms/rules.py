"""A segment's rule as a person builds it: rows and groups of rows, one field for each part.

The tree lives in the form itself, so that every button works without JavaScript: ``how-r`` joins the rows of the
outermost group, ``name-r.0`` and ``value-r.0`` are its first row, ``how-r.1`` begins a group within it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _text
from django.utils.translation import gettext_lazy as _

from crm import segments
from crm.conditions import CONDITIONS, Choice, Flag, Moment, Number
from crm.forms.fields import MoneyField
from crm.importing.money import decimals_of
from crm.models import Creator, Subscription
from crm.wording import IN_CENTS

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ROOT = "r"
#: Groups within groups that the buttons offer; the API can nest as deep as a rule may be, and the page shows it.
NESTED_MAX = 2
HOWS: Mapping[str, "StrPromise"] = {
    "all": _("all of these hold"),
    "any": _("at least one of these holds"),
    "none": _("none of these holds"),
}
#: The conditions by topic: what a row says before its value, and after it.
TOPICS: Sequence[tuple["StrPromise", Mapping[str, tuple["StrPromise", "StrPromise | str"]]]] = (
    (
        _("Money"),
        {
            "valueMin": (_("Spent at least"), ""),
            "valueMax": (_("Spent at most"), ""),
            "topPercent": (_("Among the top spenders"), _("percent")),
            "neverBought": (_("Has never spent anything"), ""),
            "boughtWithinDays": (_("Spent something in the last"), _("days")),
            "unlockedWithinDays": (_("Unlocked a message in the last"), _("days")),
            "tippedWithinDays": (_("Tipped in the last"), _("days")),
        },
    ),
    (
        _("Activity"),
        {
            "seenWithinDays": (_("Seen in the last"), _("days")),
            "silentForDays": (_("Not seen for"), _("days")),
            "lastSeenAfter": (_("Last seen after"), ""),
            "lastSeenBefore": (_("Last seen before"), ""),
            "joinedWithinDays": (_("Joined in the last"), _("days")),
            "joinedAfter": (_("Joined after"), ""),
            "joinedBefore": (_("Joined before"), ""),
        },
    ),
    (
        _("Subscription"),
        {
            "subscription": (_("Subscription is"), ""),
            "subscriptionPaid": (_("Pays for the subscription"), ""),
            "expiredWithinDays": (_("Subscription ended in the last"), _("days")),
            "expiresWithinDays": (_("Subscription ends in the next"), _("days")),
        },
    ),
    (
        _("Person"),
        {
            "search": (_("Name, handle or id begins with"), ""),
            "tag": (_("Has the tag"), ""),
            "priority": (_("Is a priority fan"), ""),
            "reachable": (_("Can be written to"), ""),
            "blocked": (_("Is blocked"), ""),
        },
    ),
    (
        _("Messages"),
        {
            "unread": (_("Has unread messages"), ""),
            "unanswered": (_("Waits for an answer"), ""),
            "messagedWithinHours": (_("Was written to in the last"), _("hours")),
            "failed": (_("A message to them needs a look"), ""),
            "assigned": (_("Conversation is assigned to"), ""),
        },
    ),
)
UNITS = {name: unit for _topic, rows in TOPICS for name, (_words, unit) in rows.items()}


@dataclass
class Row:
    """One condition. ``value`` is as it is typed."""

    name: str
    value: str = ""
    path: str = ""
    error: str = ""
    options: list[tuple[str, Any]] = field(default_factory=list)
    unit: str = ""
    input_type: str = "text"
    is_group = False


@dataclass
class Group:
    """Rows and groups, joined by ``how``."""

    how: str = "all"
    parts: "list[Row | Group]" = field(default_factory=list)
    path: str = ROOT
    is_group = True

    @property
    def depth(self) -> int:
        return self.path.count(".")

    @property
    def may_nest(self) -> bool:
        return self.depth < NESTED_MAX

    @property
    def hows(self) -> list[tuple[str, Any, bool]]:
        return [(how, words, how == self.how) for how, words in HOWS.items()]


class Builder:
    """The tree of one rule, and what a form says about it."""

    def __init__(self, root: Group, creator: Creator) -> None:
        self.root, self.creator = root, creator
        self.errors: list[str] = []
        self.topics = TOPICS
        self._dress(root, ROOT)

    @classmethod
    def of_rule(cls, rule: Mapping[str, Any], creator: Creator) -> "Builder":
        return cls(_group_of(rule, creator), creator)

    @classmethod
    def of_form(cls, data: Mapping[str, str], creator: Creator) -> "Builder":
        """What was posted, after what the pressed button asks for."""
        root = _read_group(data, ROOT)
        verb, _colon, path = data.get("do", "").partition(":")
        if verb in ("add", "nest"):
            if group := _at(root, path):
                inside: Row | Group = Row("seenWithinDays", "30") if verb == "add" else Group("any", [Row("valueMin")])
                group.parts.append(inside)
        elif verb == "remove":
            above, _dot, _index = path.rpartition(".")
            if group := _at(root, above):
                group.parts = [part for part in group.parts if part.path != path]
        return cls(root, creator)

    def rule(self) -> dict[str, Any] | None:
        """What the tree means, tags by id; None, with the errors at their rows, when something must be changed."""
        rule = self._rule(self.root)
        if self.errors or any(row.error for row in _rows(self.root)):
            return None
        try:
            return segments.check(rule, creator=self.creator)
        except ValidationError as refusal:
            self.errors = refusal.messages
            return None

    def _rule(self, group: Group) -> dict[str, Any]:
        parts = [self._rule(part) if isinstance(part, Group) else self._condition(part) for part in group.parts]
        # A group without rows chooses nothing and leaves nothing out.
        parts = [part for part in parts if part]
        if not parts:
            return {}
        if group.how == "none":
            return {"not": {"any": parts}}
        return parts[0] if len(parts) == 1 else {group.how: parts}

    def _condition(self, row: Row) -> dict[str, Any]:
        try:
            value = _meant(row, self.creator)
            CONDITIONS[row.name].kind.read(value)
        except ValidationError as refusal:
            row.error = " ".join(refusal.messages)
            return {}
        return {row.name: value}

    def _dress(self, group: Group, path: str) -> None:
        group.path = path
        for index, part in enumerate(group.parts):
            if isinstance(part, Group):
                self._dress(part, f"{path}.{index}")
            else:
                part.path = f"{path}.{index}"
                part.unit = self.creator.currency if part.name in IN_CENTS else str(UNITS.get(part.name, ""))
                part.options = self._options(part.name)
                part.input_type = _input_type(part.name)

    def _options(self, name: str) -> list[tuple[str, Any]]:
        kind = CONDITIONS[name].kind
        if isinstance(kind, Flag):
            return [("true", _("yes")), ("false", _("no"))]
        if name == "subscription":
            return [(value or "unknown", words) for value, words in Subscription.choices]
        if isinstance(kind, Choice):
            return [(value, value) for value in kind.values]
        if name == "tag":
            return [(str(tag.public_id), tag.name) for tag in self.creator.tags.all()]
        if name == "assigned":
            team = self.creator.memberships.select_related("user").order_by("user__username")
            return [("none", _("nobody")), *((str(member.user.public_id), str(member.user)) for member in team)]
        return []


def _groups(group: Group) -> Iterator[Group]:
    yield group
    for part in group.parts:
        if isinstance(part, Group):
            yield from _groups(part)


def _rows(group: Group) -> Iterator[Row]:
    for part in group.parts:
        if isinstance(part, Group):
            yield from _rows(part)
        else:
            yield part


def _at(group: Group, path: str) -> Group | None:
    return next((each for each in _groups(group) if each.path == path), None)


# --- From a rule to the tree, and back


def _group_of(rule: Mapping[str, Any], creator: Creator | None) -> Group:
    parts: list[Row | Group] = []
    for name, inner in rule.items():
        if name == "all":
            # What must all hold anyway needs no group of its own.
            parts += [part for each in inner for part in _spread(_group_of(each, creator))]
        elif name == "any":
            parts.append(Group(name, [_flat(_group_of(each, creator)) for each in inner]))
        elif name == "not":
            within = _flat(_group_of(inner, creator))
            parts.append(Group("none", within.parts if isinstance(within, Group) and within.how == "any" else [within]))
        elif name in CONDITIONS:
            parts.append(Row(name, _typed(name, inner, creator)))
    if len(parts) == 1 and isinstance(parts[0], Group):
        return parts[0]
    return Group("all", parts)


def _spread(group: Group) -> "list[Row | Group]":
    return group.parts if group.how == "all" else [group]


def _flat(group: Group) -> Row | Group:
    """A group of one row is that row."""
    return group.parts[0] if group.how != "none" and len(group.parts) == 1 else group


def _typed(name: str, value: Any, creator: Creator | None) -> str:
    """A rule's value as a person would have typed it."""
    if name in IN_CENTS and creator:
        # Plain: 9,000 would be normalized to 9E+3, which nobody types.
        return f"{Decimal(int(value)).scaleb(-decimals_of(creator.currency)).normalize():f}"
    kind = CONDITIONS[name].kind
    if isinstance(kind, Flag):
        return "true" if kind.read(value) else "false"
    if isinstance(kind, Moment) and creator:
        return timezone.localtime(kind.read(value), creator.zone).strftime("%Y-%m-%dT%H:%M")
    if name == "tag" and creator:
        ids = {tag.name.casefold(): str(tag.public_id) for tag in creator.tags.all()}
        return ids.get(str(value).casefold(), str(value))
    return str(value)


def _meant(row: Row, creator: Creator) -> Any:
    """What was typed as a rule has it. Raises ValidationError."""
    if not row.value.strip():
        raise ValidationError(_text("Say a value."))
    if row.name in IN_CENTS:
        return MoneyField(currency=creator.currency).clean(row.value)
    kind = CONDITIONS[row.name].kind
    if isinstance(kind, Number):
        return kind.read(row.value)
    if isinstance(kind, Flag):
        return kind.read(row.value)
    if isinstance(kind, Moment):
        return _moment(row.value, creator)
    return row.value.strip()


def _moment(typed: str, creator: Creator) -> str:
    """A time that was typed is the creator's."""
    try:
        moment: datetime | None = parse_datetime(typed)
    except ValueError:
        moment = None
    if moment is None:
        raise ValidationError(_text("A date and a time."))
    return (moment if moment.tzinfo else moment.replace(tzinfo=creator.zone)).isoformat()


def _input_type(name: str) -> str:
    kind = CONDITIONS[name].kind
    if isinstance(kind, Moment):
        return "datetime-local"
    return "number" if isinstance(kind, Number) and name not in IN_CENTS else "text"


# --- From what was posted


def _reads(name: str, value: str) -> bool:
    try:
        CONDITIONS[name].kind.read(value)
    except ValidationError:
        return False
    return True


def _read_group(data: Mapping[str, str], path: str) -> Group:
    how = data.get(f"how-{path}", "all")
    group = Group(how if how in HOWS else "all", path=path)
    index = 0
    while (at := f"{path}.{index}") and (f"how-{at}" in data or f"name-{at}" in data):
        if f"how-{at}" in data and group.depth < segments.DEPTH_MAX:
            group.parts.append(_read_group(data, at))
        elif (name := data.get(f"name-{at}", "")) in CONDITIONS:
            value = data.get(f"value-{at}", "")
            # Another condition was chosen: it keeps a value that it can read, such as a number of days.
            was_another = data.get(f"was-{at}", name) != name
            group.parts.append(Row(name, "" if was_another and not _reads(name, value) else value, path=at))
        index += 1
    return group
