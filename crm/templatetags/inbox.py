"""How people, times, money and media are written on pages."""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from django import template
from django.utils import formats, timezone
from django.utils.text import capfirst
from django.utils.translation import gettext as _

from crm.models import Transaction
from crm.wording import amount

register = template.Library()

SUFFIXES = {
    "image": {".jpg", ".jpeg", ".png", ".gif", ".webp", ".heic", ".avif"},
    "video": {".mp4", ".mov", ".webm", ".m4v"},
    "music": {".mp3", ".m4a", ".wav", ".ogg"},
}


@dataclass(frozen=True)
class Media:
    icon: str
    label: str
    place: str


@register.filter
def initials(name: str) -> str:
    """At most two letters: of the first and of the last word that have one; a digit where there is no letter."""
    found = [letter for word in name.split() if (letter := next(filter(str.isalpha, word), ""))]
    return "".join([*found[:1], *found[1:][-1:]]).upper() or next(filter(str.isalnum, name), "·")


@register.filter
def dollars(cents: int) -> str:
    """Prices of messages are in dollars, whatever the creator's currency is."""
    return amount(cents, "USD")


@register.filter
def paid(payment: Transaction) -> str:
    """What came in, or with a minus went back, in its own currency."""
    return amount(payment.amount_cents, payment.currency)


@register.filter
def day_name(moment: datetime) -> str:
    day, today = timezone.localtime(moment).date(), timezone.localdate()
    near = _near_day(day, today)
    return capfirst(near) if near else formats.date_format(day, "l j F" if day.year == today.year else "j F Y")


@register.filter
def short_moment(moment: datetime) -> str:
    """The hour for today, else the day: for the narrow column of a list."""
    local = timezone.localtime(moment)
    if local.date() == timezone.localdate():
        return formats.date_format(local, "H:i")
    return written_day(moment)


@register.filter
def written_day(moment: datetime) -> str:
    """The year only where it is not this one."""
    local = timezone.localtime(moment)
    return formats.date_format(local, "MONTH_DAY_FORMAT" if local.year == timezone.localdate().year else "DATE_FORMAT")


@register.filter
def full_moment(moment: datetime) -> str:
    local, today = timezone.localtime(moment), timezone.localdate()
    day = _near_day(local.date(), today) or written_day(moment)
    return _("%(day)s at %(time)s") % {"day": day, "time": formats.date_format(local, "H:i")}


@register.filter
def media(url: str) -> Media:
    """What an address seems to lead to, by its ending; nothing is fetched to find out."""
    parts = urlsplit(url)
    suffix = PurePosixPath(parts.path).suffix.lower()
    icon = next((icon for icon, suffixes in SUFFIXES.items() if suffix in suffixes), "file")
    labels = {"image": _("Image"), "video": _("Video"), "music": _("Audio"), "file": _("File")}
    return Media(icon, labels[icon], parts.hostname or "")


def _near_day(day: date, today: date) -> str:
    return {0: _("today"), 1: _("yesterday"), -1: _("tomorrow")}.get((today - day).days, "")
