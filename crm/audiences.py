"""Whom a campaign is for, and who of them is left out and why.

An audience is one of ``{"segment": <uuid>}``, ``{"rule": <as in crm/segments.py>}``, ``{"fans": [<uuid>, ...]}``.
Exclusions are ``{"segments": [<uuid>, ...], "messagedWithinHours": 24, "alreadyBought": true,
"frequencyCap": {"campaigns": 2, "days": 7}}``, each of them optional. A blocked fan, or one without a platform id, is
always left out.
"""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Case, CharField, Count, Exists, OuterRef, QuerySet, Value, When
from django.db.models.expressions import RawSQL
from django.db.models.functions import Lower
from django.utils.translation import gettext as _

from crm import segments
from crm.models import Campaign, Creator, Fan, Message, Recipient, Segment
from crm.models.messages import ON_THE_PLATFORM, Direction, Status
from crm.numbers import grouped

HOURS_MAX, DAYS_MAX, CAMPAIGNS_MAX = 24 * 90, 365, 100
SEGMENTS_MAX = 20
SAMPLE = 20
NAMED_MAX = 20
#: So many names are looked up by one statement, which takes no more parameters than SQLite allows.
NAMED_AT_ONCE = 10_000
#: A message that has left, or may have.
MAY_HAVE_ARRIVED = (*ON_THE_PLATFORM, Status.SENDING, Status.UNKNOWN, Status.NEEDS_PERSON)


@dataclass(frozen=True, slots=True)
class Audience:
    """What a campaign's ``audience`` and ``exclusions`` mean, read and checked; ``select`` asks the database."""

    creator: Creator
    rule: Mapping[str, Any] | None = None
    fans: Sequence[uuid.UUID] = ()
    excluded_rules: Sequence[Mapping[str, Any]] = ()
    messaged_within: timedelta | None = None
    already_bought: bool = False
    cap: tuple[int, timedelta] | None = None
    media_urls: Sequence[str] = field(default=())

    def select(self) -> "QuerySet[Fan]":
        """The fans it is for, those included who will be left out."""
        fans = Fan.objects.filter(creator=self.creator)
        if self.rule is not None:
            return segments.select(fans, self.rule, creator=self.creator)
        return fans.filter(public_id__in=_listed(self.fans))

    def judged(self, fans: "QuerySet[Fan]", *, now: datetime, apart_from: Campaign | None = None) -> "QuerySet[Any]":
        """``fans`` with ``excluded`` beside each: the first reason that holds, or nothing."""
        why = Recipient.Exclusion
        reasons = [
            When(platform_id="", then=Value(why.NO_PLATFORM_ID)),
            When(blocked_at__isnull=False, then=Value(why.BLOCKED)),
        ]
        for rule in self.excluded_rules:
            members = segments.select(Fan.objects.filter(creator=self.creator), rule, creator=self.creator)
            reasons.append(When(Exists(members.filter(pk=OuterRef("pk"))), then=Value(why.SEGMENT)))
        to_the_fan = Message.objects.filter(conversation__fan=OuterRef("pk"), direction=Direction.OUT)
        if apart_from:
            to_the_fan = to_the_fan.exclude(campaign=apart_from)
        if self.messaged_within:
            recent = to_the_fan.filter(status__in=MAY_HAVE_ARRIVED, send_at__gt=now - self.messaged_within)
            reasons.append(When(Exists(recent), then=Value(why.RECENTLY_MESSAGED)))
        if self.already_bought and self.media_urls:
            bought = to_the_fan.filter(purchased_at__isnull=False, attachments__url__in=self.media_urls)
            reasons.append(When(Exists(bought), then=Value(why.ALREADY_BOUGHT)))
        if self.cap:
            how_many, period = self.cap
            campaigns = to_the_fan.filter(campaign__isnull=False, status__in=MAY_HAVE_ARRIVED, send_at__gt=now - period)
            enough = campaigns.order_by().values("direction").annotate(n=Count("pk")).filter(n__gte=how_many)
            reasons.append(When(Exists(enough), then=Value(why.FREQUENCY_CAP)))
        return fans.annotate(excluded=Case(*reasons, default=Value(why.NONE), output_field=CharField()))


@dataclass(frozen=True, slots=True)
class Preview:
    """What launching now would do: how many would get it, how many would not by reason, and some of the fans."""

    total: int
    reached: int
    excluded: Mapping[str, int]
    sample: Sequence[Fan]


def kept(creator: Creator, document: Mapping[str, Any]) -> dict[str, Any]:
    """``document`` as it is stored: a rule with its tags by id, so that they may be renamed."""
    if set(document) == {"rule"}:
        return {"rule": segments.check(document["rule"], creator=creator, name="audience.rule")}
    return dict(document)


def audience_of(campaign: Campaign) -> Audience:
    """The campaign's audience, read anew: segments mean today's rule. Raises ValidationError by field."""
    return read(campaign.creator, campaign.audience, campaign.exclusions, media_urls=campaign.media_urls)


def read(
    creator: Creator, audience: Mapping[str, Any], exclusions: Mapping[str, Any], *, media_urls: Sequence[str] = ()
) -> Audience:
    """Check and understand both documents. Raises ValidationError with ``audience`` or ``exclusions``."""
    chosen = _audience(creator, audience)
    left_out = read_exclusions(creator, exclusions)
    return Audience(creator=creator, media_urls=media_urls, **chosen, **left_out)


def preview(audience: Audience, *, now: datetime) -> Preview:
    """Count the audience by reason and show the first fans of it. Two queries."""
    judged = audience.judged(audience.select(), now=now)
    counts = dict(judged.order_by().values_list("excluded").annotate(Count("pk")))
    reached = counts.pop(Recipient.Exclusion.NONE, 0)
    sample = list(judged.filter(excluded=Recipient.Exclusion.NONE).order_by("-value_cents", "-pk")[:SAMPLE])
    return Preview(total=reached + sum(counts.values()), reached=reached, excluded=counts, sample=sample)


def named(creator: Creator, written: Sequence[str]) -> tuple[list[Fan], list[str]]:
    """The creator's fans by our UUID, platform id or handle, each once; and what names nobody, as it was written."""
    words = list(dict.fromkeys(word.strip() for word in written if word.strip()))
    by_name: dict[str, Fan] = {}
    for start in range(0, len(words), NAMED_AT_ONCE):
        some = words[start : start + NAMED_AT_ONCE]
        if ours := [public_id for word in some if (public_id := _as_uuid(word))]:
            by_name |= {str(fan.public_id): fan for fan in creator.fans.filter(public_id__in=ours)}
        if others := [word for word in some if word.lower() not in by_name]:
            handles = [_as_handle(word) for word in others]
            known = creator.fans.alias(lower_handle=Lower("handle")).exclude(handle="")
            by_handle = {fan.handle.lower(): fan for fan in known.filter(lower_handle__in=handles)}
            by_platform_id = {fan.platform_id: fan for fan in creator.fans.filter(platform_id__in=others)}
            by_name = by_handle | by_platform_id | by_name
    found = {word: by_name.get(word) or by_name.get(word.lower()) or by_name.get(_as_handle(word)) for word in words}
    return list(dict.fromkeys(fan for fan in found.values() if fan)), [word for word in words if not found[word]]


def _as_handle(word: str) -> str:
    return word.removeprefix("@").lower()


def _as_uuid(word: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(word)
    except ValueError:
        return None


def freeze(campaign: Campaign, audience: Audience, *, now: datetime) -> None:
    """Write the recipients, the excluded ones with their reason, by one INSERT … SELECT."""
    judged = audience.judged(audience.select(), now=now, apart_from=campaign)
    chosen = judged.annotate(of=Value(campaign.pk)).order_by("pk").values_list("of", "pk", "excluded")
    select, values = chosen.query.sql_with_params()
    table = connection.ops.quote_name(Recipient._meta.db_table)
    with connection.cursor() as cursor:
        # Both names are the model's own; every value is a parameter.
        cursor.execute(f"INSERT INTO {table} (campaign_id, fan_id, excluded) {select}", values)


# --- Reading what a form or a client wrote


def _audience(creator: Creator, document: Mapping[str, Any]) -> dict[str, Any]:
    if len(document) != 1 or not set(document) <= {"segment", "rule", "fans"}:
        raise _wrong("audience", _("Say whom it is for by one of: segment, rule, fans."))
    if "segment" in document:
        return {"rule": _segment(creator, document["segment"], "audience").rule}
    if "rule" in document:
        return {"rule": segments.check(document["rule"], creator=creator, name="audience.rule")}
    wanted = document["fans"]
    if not isinstance(wanted, list) or not 1 <= len(wanted) <= Campaign.RECIPIENTS_MAX:
        raise _wrong("audience", _("A list of 1 to %(max)s fans.") % {"max": grouped(Campaign.RECIPIENTS_MAX)})
    fans = {_uuid(fan, "audience") for fan in wanted}
    known = Fan.objects.filter(creator=creator, public_id__in=_listed(fans)).values_list("public_id", flat=True)
    if missing := sorted(map(str, fans.difference(known))):
        named = ", ".join(missing[:NAMED_MAX]) + ("…" if len(missing) > NAMED_MAX else "")
        raise _wrong("audience", _("No fans of this creator: %(ids)s") % {"ids": named})
    return {"fans": sorted(fans)}


def _listed(fans: Iterable[uuid.UUID]) -> RawSQL:
    """A list of any length as one parameter: a statement's parameters are limited, 32,766 on SQLite."""
    if connection.vendor == "postgresql":
        return RawSQL("SELECT unnest(%s::uuid[])", [[str(fan) for fan in fans]])
    return RawSQL("SELECT value FROM json_each(%s)", [json.dumps([fan.hex for fan in fans])])


def read_exclusions(creator: Creator, document: Mapping[str, Any]) -> dict[str, Any]:
    """What an ``Audience`` needs of them. Raises ValidationError with ``exclusions``."""
    unknown = set(document) - {"segments", "messagedWithinHours", "alreadyBought", "frequencyCap"}
    if unknown:
        raise _wrong("exclusions", _("Not an exclusion: %(names)s.") % {"names": ", ".join(sorted(unknown))})
    named = document.get("segments", [])
    if not isinstance(named, list) or len(named) > SEGMENTS_MAX:
        raise _wrong("exclusions", _("A list of at most %(max)d segments.") % {"max": SEGMENTS_MAX})
    hours = document.get("messagedWithinHours")
    bought = document.get("alreadyBought", False)
    if not isinstance(bought, bool):
        raise _wrong("exclusions", _("alreadyBought is true or false."))
    return {
        "excluded_rules": [_segment(creator, segment, "exclusions").rule for segment in named],
        "messaged_within": None
        if hours is None
        else timedelta(hours=_whole(hours, "messagedWithinHours", highest=HOURS_MAX)),
        "already_bought": bought,
        "cap": _cap(document.get("frequencyCap")),
    }


def _cap(document: object) -> tuple[int, timedelta] | None:
    if document is None:
        return None
    if not isinstance(document, dict) or set(document) != {"campaigns", "days"}:
        raise _wrong("exclusions", _("frequencyCap has campaigns and days."))
    return (
        _whole(document["campaigns"], "campaigns", highest=CAMPAIGNS_MAX),
        timedelta(days=_whole(document["days"], "days", highest=DAYS_MAX)),
    )


def _segment(creator: Creator, public_id: object, name: str) -> Segment:
    segment = Segment.objects.filter(creator=creator, public_id=_uuid(public_id, name)).first()
    if segment is None:
        raise _wrong(name, _("There is no segment %(id)s.") % {"id": public_id})
    return segment


def _uuid(value: object, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(str(value))
    except ValueError:
        raise _wrong(name, _("“%(value)s” is not an id.") % {"value": str(value)[:60]}) from None


def _whole(value: object, name: str, *, highest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= highest:
        raise _wrong("exclusions", _("%(name)s is a whole number from 1 to %(max)d.") % {"name": name, "max": highest})
    return value


def _wrong(name: str, words: str) -> ValidationError:
    return ValidationError({name: [words]})
