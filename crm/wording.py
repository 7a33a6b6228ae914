"""Rules about fans and amounts of money as sentences for people."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm.conditions import CONDITIONS, Flag, Moment
from crm.importing.money import decimals_of
from crm.models import Creator, Subscription
from crm.numbers import grouped

SIGNS = {"USD": "$", "EUR": "€", "GBP": "£"}
#: Conditions whose value is an amount in minor units of the creator's currency.
IN_CENTS = ("valueMin", "valueMax")
PHRASES = {
    "search": gettext_lazy("name, handle or id begins with “%(value)s”"),
    "tag": gettext_lazy("has the tag “%(value)s”"),
    "valueMin": gettext_lazy("spent %(value)s or more"),
    "valueMax": gettext_lazy("spent %(value)s or less"),
    "topPercent": gettext_lazy("among the top %(value)s %% by spending"),
    "lastSeenAfter": gettext_lazy("last seen after %(value)s"),
    "lastSeenBefore": gettext_lazy("last seen before %(value)s"),
    "seenWithinDays": gettext_lazy("seen in the last %(value)s"),
    "silentForDays": gettext_lazy("not seen for %(value)s"),
    "joinedAfter": gettext_lazy("joined after %(value)s"),
    "joinedBefore": gettext_lazy("joined before %(value)s"),
    "joinedWithinDays": gettext_lazy("joined in the last %(value)s"),
    "subscription": gettext_lazy("subscription: %(value)s"),
    "expiredWithinDays": gettext_lazy("subscription ended in the last %(value)s"),
    "expiresWithinDays": gettext_lazy("subscription ends in the next %(value)s"),
    "boughtWithinDays": gettext_lazy("spent something in the last %(value)s"),
    "unlockedWithinDays": gettext_lazy("unlocked a message in the last %(value)s"),
    "tippedWithinDays": gettext_lazy("tipped in the last %(value)s"),
    "messagedWithinHours": gettext_lazy("was written to in the last %(value)s"),
    "assigned": gettext_lazy("assigned to %(value)s"),
}
#: Conditions that hold or do not: both sentences.
EITHER = {
    "subscriptionPaid": (gettext_lazy("pays for the subscription"), gettext_lazy("has a free subscription")),
    "neverBought": (gettext_lazy("never spent anything"), gettext_lazy("has spent something")),
    "priority": (gettext_lazy("is a priority fan"), gettext_lazy("is no priority fan")),
    "reachable": (gettext_lazy("can be written to"), gettext_lazy("cannot be written to")),
    "blocked": (gettext_lazy("is blocked"), gettext_lazy("is not blocked")),
    "unread": (gettext_lazy("has unread messages"), gettext_lazy("has no unread messages")),
    "unanswered": (gettext_lazy("waits for an answer"), gettext_lazy("waits for no answer")),
    "failed": (gettext_lazy("a message to them needs a look"), gettext_lazy("no message to them needs a look")),
}


def amount(minor: int, currency: str) -> str:
    """``123456`` of USD is ``$1,234.56``; whole amounts lose their zeros. Currencies without a sign are named."""
    places = decimals_of(currency)
    value = Decimal(abs(minor)).scaleb(-places)
    shown = 0 if value == value.to_integral_value() else places
    number = formats.number_format(value, shown, use_l10n=True, force_grouping=True)
    pattern = _("%(sign)s%(number)s") if currency in SIGNS else _("%(number)s\u00a0%(sign)s")
    return ("−" if minor < 0 else "") + pattern % {"number": number, "sign": SIGNS.get(currency, currency)}


def condition_in_words(name: str, raw: Any, *, creator: Creator) -> str:
    """One condition with its value, as its kind has read it already or not."""
    if name in EITHER:
        return str(EITHER[name][0 if Flag().read(raw) else 1])
    if name not in PHRASES:
        return name
    return str(PHRASES[name]) % {"value": _value(name, raw, creator)}


def rule_in_words(rule: Mapping[str, Any], *, creator: Creator) -> str:
    """A whole rule in one line; groups within it stand in brackets."""
    return _group(rule, creator) or _("every fan")


def exclusions_in_words(exclusions: Mapping[str, Any], *, creator: Creator) -> list[str]:
    """Whom a campaign leaves out, one line for each way; a segment that is no longer there says so."""
    return list(_exclusions(exclusions, creator))


def _exclusions(exclusions: Mapping[str, Any], creator: Creator) -> Iterator[str]:
    if wanted := exclusions.get("segments"):
        names = {str(public_id): name for public_id, name in creator.segments.values_list("public_id", "name")}
        for public_id in wanted:
            yield (
                _("in “%(name)s”") % {"name": names[public_id]}
                if public_id in names
                else _("in a segment that is gone")
            )
    if hours := exclusions.get("messagedWithinHours"):
        yield str(PHRASES["messagedWithinHours"]) % {"value": _value("messagedWithinHours", hours, creator)}
    if exclusions.get("alreadyBought"):
        yield _("bought this media already")
    if cap := exclusions.get("frequencyCap"):
        campaigns = ngettext("%(many)d campaign", "%(many)d campaigns", cap["campaigns"]) % {"many": cap["campaigns"]}
        days = ngettext("%(many)s day", "%(many)s days", cap["days"]) % {"many": cap["days"]}
        yield _("got %(campaigns)s in %(days)s") % {"campaigns": campaigns, "days": days}


def _group(rule: Mapping[str, Any], creator: Creator) -> str:
    return _(" and ").join(_parts(rule, creator))


def _parts(rule: Mapping[str, Any], creator: Creator) -> Iterator[str]:
    for name, inner in rule.items():
        if name in ("all", "any"):
            joined = (_(" and ") if name == "all" else _(" or ")).join(_group(part, creator) for part in inner)
            yield f"({joined})" if len(inner) > 1 and (name == "any" or len(rule) > 1) else joined
        elif name == "not":
            yield _("not (%(rule)s)") % {"rule": _group(inner, creator)}
        else:
            yield condition_in_words(name, inner, creator=creator)


def _value(name: str, raw: Any, creator: Creator) -> str:
    if name in IN_CENTS:
        return amount(int(raw), creator.currency)
    if name == "tag":
        return _tag(str(raw), creator)
    if name == "subscription":
        return str(Subscription("" if raw == "unknown" else raw).label).lower()
    if name == "assigned":
        return _person(str(raw), creator)
    kind = CONDITIONS[name].kind
    if isinstance(kind, Moment):
        return formats.date_format(timezone.localtime(kind.read(raw), creator.zone), "DATETIME_FORMAT")
    if name.endswith("Days"):
        return ngettext("%(many)s day", "%(many)s days", int(raw)) % {"many": grouped(int(raw))}
    if name.endswith("Hours"):
        return ngettext("%(many)s hour", "%(many)s hours", int(raw)) % {"many": grouped(int(raw))}
    return str(raw)


def _tag(named: str, creator: Creator) -> str:
    """Saved rules know tags by id, filters by name."""
    return {str(tag.public_id): tag.name for tag in creator.tags.all()}.get(named, named)


def _person(named: str, creator: Creator) -> str:
    if named == "none":
        return _("nobody")
    team = {str(member.user.public_id): str(member.user) for member in creator.memberships.select_related("user")}
    return team.get(named, named)
