"""What the front page of the staff's tool shows beside the list of tables."""

from typing import Any

from django import template
from django.utils.translation import gettext as _

from crm.clock import database_now
from crm.models.messages import Status
from crm.standing import COUNTED_MAX, Standing, standing

register = template.Library()


@register.simple_tag
def line_standing() -> Standing:
    return standing(database_now())


@register.simple_tag
def figures_of(now: Standing) -> list[dict[str, Any]]:
    """The tiles: words, a figure, where its rows are listed, and whether somebody should look."""
    oldest = now.oldest
    dead = now.dispatch.dlq_count
    return [
        {"words": _("Due"), "figure": _most(now.due), "query": f"status__exact={Status.QUEUED}"},
        {"words": _("Oldest due"), "moment": oldest, "query": f"status__exact={Status.QUEUED}"},
        *(
            {
                "words": status.label,
                "figure": _most(number),
                "query": f"status__exact={status}",
                "alarms": bool(number) and status != Status.SENDING,
            }
            for status, number in now.counts.items()
        ),
        {
            "words": _("Dead letters"),
            "figure": "–" if dead is None else _most(dead),
            "alarms": bool(dead),
        },
    ]


def _most(number: int) -> str:
    return f"{COUNTED_MAX - 1}+" if number >= COUNTED_MAX else str(number)
