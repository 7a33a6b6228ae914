"""What the columns of a file mean, by their headers."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm.importing.problems import CannotImport
from crm.models.imports import ImportKind as Kind

COLUMNS_MAX = 200


#: Headers of each field, the surest first: when a file has several, the first one counts.
FAN_FIELDS: Mapping[str, Sequence[str]] = {
    "platform_id": (
        "platform id",
        "fan of user id",
        "of user id",
        "fan id",
        "fan user id",
        "platform user id",
        "onlyfans id",
        "subscriber id",
        "user id",
        "id",
    ),
    "handle": ("username", "user name", "handle", "fan username", "fan handle", "of username", "onlyfans username"),
    "name": ("display name", "displayname", "fan name", "full name", "name", "nickname"),
    "email": ("email", "e mail", "email address", "mail"),
    "tier": ("subscription tier", "tier", "plan"),
    "tags": ("tags", "tag", "labels"),
    "value": (
        "total spent",
        "total spend",
        "spent total",
        "lifetime spend",
        "lifetime spent",
        "lifetime value",
        "ltv",
        "spent",
        "spend",
    ),
    "last_seen_at": ("last seen", "last seen at", "last active", "last active at", "last activity", "last online"),
    "joined_at": (
        "join date",
        "joined",
        "joined at",
        "subscribed at",
        "first seen at",
        "first seen",
        "date added",
        "subscribed since",
        "subscription start",
    ),
    "last_purchase_at": ("last purchase", "last purchase at", "last purchase date"),
    "subscription": ("subscription", "subscription status", "status", "is active", "active"),
    "subscription_price": ("subscription price", "subscribe price", "sub price"),
    "subscription_ends_at": (
        "subscription ends at",
        "subscription end",
        "subscription ends",
        "expired at",
        "expires at",
        "expires",
        "expiry",
    ),
}
PAYMENT_FIELDS: Mapping[str, Sequence[str]] = {
    "platform_id": ("tx id", "transaction id", "payment id", "id"),
    "key": ("huntaze key",),
    "occurred_at": ("created at", "occurred at", "date", "transaction date", "paid at", "time"),
    "kind": ("type", "tx type", "kind", "transaction type", "category"),
    "fan_id": ("fan of user id", "fan platform id", "fan id", "of user id", "user id"),
    "handle": ("fan username", "username", "user name", "handle", "fan handle", "fan"),
    "amount": ("amount", "gross amount", "gross"),
    "fee": ("fee", "platform fee", "commission"),
    "net": ("net", "net amount", "earnings"),
    "currency": ("currency",),
    "status": ("status", "state"),
    "description": ("description", "details"),
    "origin": ("error import",),
}
FIELDS: Mapping[Kind, Mapping[str, Sequence[str]]] = {Kind.FANS: FAN_FIELDS, Kind.TRANSACTIONS: PAYMENT_FIELDS}
MONEY_FIELDS = frozenset({"value", "subscription_price", "amount", "fee", "net"})
DATE_FIELDS = frozenset({"last_seen_at", "joined_at", "last_purchase_at", "subscription_ends_at", "occurred_at"})
#: What a field is called where a person maps columns.
FIELD_NAMES = {
    "platform_id": gettext_lazy("Platform id"),
    "fan_id": gettext_lazy("Fan's platform id"),
    "handle": gettext_lazy("Username"),
    "name": gettext_lazy("Display name"),
    "email": gettext_lazy("E-mail"),
    "tier": gettext_lazy("Subscription tier (becomes a tag)"),
    "tags": gettext_lazy("Tags, separated by ;"),
    "value": gettext_lazy("Total spent"),
    "last_seen_at": gettext_lazy("Last seen"),
    "joined_at": gettext_lazy("Joined"),
    "last_purchase_at": gettext_lazy("Last purchase"),
    "subscription": gettext_lazy("Subscription: active or expired"),
    "subscription_price": gettext_lazy("Subscription price"),
    "subscription_ends_at": gettext_lazy("Subscription ends"),
    "key": gettext_lazy("Huntaze's own key"),
    "occurred_at": gettext_lazy("Date"),
    "kind": gettext_lazy("Kind of payment"),
    "amount": gettext_lazy("Amount paid"),
    "fee": gettext_lazy("Platform's fee"),
    "net": gettext_lazy("Net amount"),
    "currency": gettext_lazy("Currency"),
    "status": gettext_lazy("State"),
    "description": gettext_lazy("Description"),
    "origin": gettext_lazy("Import that left the row out"),
}

#: Columns that our own error file adds; importing it again, they say nothing of a fan or a payment.
ERROR_COLUMNS = ("Error row", "Error line", "Error column", "Error value", "Error reason", "Error import")
_OUR_ERRORS = frozenset(name.casefold() for name in ERROR_COLUMNS)

#: Files known by all of these headers, the closest match first.
FORMATS: Mapping[str, frozenset[str]] = {
    "huntaze-fans": frozenset({"platform id", "username", "display name", "tags", "subscription", "last purchase at"}),
    "huntaze-transactions": frozenset({"transaction id", "huntaze key", "date", "amount"}),
    "xcelerator-fans": frozenset({"fan of user id", "first seen at", "last event at", "total spend"}),
    "xcelerator-subscribers": frozenset({"fan of user id", "subscribed at", "is active", "subscribe price"}),
    "xcelerator-transactions": frozenset({"tx id", "tx type", "fan of user id", "amount", "net"}),
    "subscribers": frozenset({"username", "subscription start", "rebill status", "total spent", "join date"}),
    "revenue": frozenset({"date", "type", "username", "gross amount", "platform fee", "net amount"}),
    "ofapi-transactions": frozenset({"transaction id", "type", "amount", "net amount", "currency", "created at"}),
    "onlymonster": frozenset({"fan name", "fan id", "total spent", "last purchase", "date added"}),
    "house": frozenset({"username", "display name", "email", "subscription tier", "total spent", "last seen"}),
}
NOT_FOR_US: Mapping[str, frozenset[str]] = {
    "messages": frozenset({"message id", "direction", "text", "created at"}),
    "posts": frozenset({"post id", "likes", "comments"}),
}


@dataclass(frozen=True, slots=True)
class Columns:
    """A header that was understood: which column holds which field; the others are named as ignored."""

    kind: Kind
    format: str
    header: list[str]
    mapping: dict[int, str]

    @property
    def lacks(self) -> str:
        """What is needed and in no column, in words; empty when all is there."""
        fields = set(self.mapping.values())
        if self.kind == Kind.FANS and not fields & {"platform_id", "handle"}:
            words = _("A list of fans needs a column with their platform id or their username.")
        elif self.kind == Kind.TRANSACTIONS and not {"amount", "occurred_at"} <= fields:
            words = _("A list of transactions needs a column with the date and one with the amount.")
        else:
            return ""
        shown = ", ".join(name for name in self.header[:20] if name.strip())
        return f"{words} {_('Found: %(columns)s.') % {'columns': shown[:500]}}"

    @property
    def ignored(self) -> list[str]:
        return [
            name
            for index, name in enumerate(self.header)
            if index not in self.mapping and normal(name) not in _OUR_ERRORS
        ]


def normal(header: str) -> str:
    """``Total_Spent (USD)``, ``total-spent`` and ``TOTAL  SPENT`` are one header."""
    text = unicodedata.normalize("NFKC", header).strip().strip("'\"").casefold()
    return " ".join(re.sub(r"\([^)]*\)|[_\-./\s]+", " ", text).split())


def columns_of(header: Sequence[str], *, kind: str = "", mapping: Mapping[str, str] | None = None) -> Columns:
    """What the columns of ``header`` mean. ``mapping`` (header to field, or "" to ignore) goes before what we know.

    What is needed may be missing, as ``Columns.lacks`` says. Raises CannotImport when it is no file for us.
    """
    if len(header) > COLUMNS_MAX:
        raise CannotImport(
            "too_many_columns",
            _("The header has %(found)s columns; at most %(limit)s can be read.")
            % {"found": len(header), "limit": COLUMNS_MAX},
        )
    names = [normal(name) for name in header]
    wanted = _checked_mapping(names, mapping or {})
    _refuse_what_is_not_for_us(set(names))
    chosen = Kind(kind) if kind else _kind(names, wanted)
    found = _map(names, chosen, wanted)
    known = next((name for name, needed in FORMATS.items() if needed <= set(names)), "other")
    return Columns(kind=chosen, format=known, header=list(header), mapping=found)


def _checked_mapping(names: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    wanted = {normal(name): field for name, field in mapping.items()}
    fields = set(FAN_FIELDS) | set(PAYMENT_FIELDS) | {""}
    for name, field in wanted.items():
        if name not in names:
            words = _("The file has no column “%(column)s”.") % {"column": name}
        elif field not in fields:
            words = _("There is no field “%(field)s”. Fields are: %(fields)s.") % {
                "field": field,
                "fields": ", ".join(sorted(fields - {""})),
            }
        elif field and list(wanted.values()).count(field) > 1:
            words = _("Two columns cannot both be “%(field)s”.") % {"field": field}
        else:
            continue
        raise CannotImport("bad_mapping", words, option="mapping")
    return wanted


def _refuse_what_is_not_for_us(names: set[str]) -> None:
    for what, signature in NOT_FOR_US.items():
        if signature <= names and "amount" not in names:
            raise CannotImport(
                "not_for_us",
                _("This is a list of %(what)s. Lists of fans and of transactions can be imported.") % {"what": what},
            )


def _kind(names: Sequence[str], wanted: Mapping[str, str]) -> Kind:
    """A list of payments has an amount and a date; whatever else names people is a list of fans."""
    payment = set(_map(names, Kind.TRANSACTIONS, wanted).values())
    return Kind.TRANSACTIONS if {"amount", "occurred_at"} <= payment else Kind.FANS


def _map(names: Sequence[str], kind: Kind, wanted: Mapping[str, str]) -> dict[int, str]:
    _refuse_twins(names, kind, wanted)
    found = {names.index(name): field for name, field in wanted.items() if field in FIELDS[kind]}
    for field, synonyms in FIELDS[kind].items():
        if field in found.values():
            continue
        index = next((names.index(name) for name in synonyms if name in names and name not in wanted), None)
        if index is not None and index not in found:
            found[index] = field
    return dict(sorted(found.items()))


def _refuse_twins(names: Sequence[str], kind: Kind, wanted: Mapping[str, str]) -> None:
    known = {name for synonyms in FIELDS[kind].values() for name in synonyms} | set(wanted)
    if twin := next((name for name in names if name in known and names.count(name) > 1), None):
        raise CannotImport(
            "twin_columns", _("Two columns are called “%(column)s”: rename or remove one.") % {"column": twin}
        )
